//! Union-find: connects items that belong together, directly or through others.

use std::collections::HashMap;
use std::hash::Hash;

/// The root of a component is its first item.
pub struct Ties {
    parents: Vec<usize>,
}

impl Ties {
    /// `count` separate items.
    pub fn new(count: usize) -> Self {
        Self {
            parents: (0..count).collect(),
        }
    }

    /// The first item of the component of `at`.
    pub fn root(&mut self, mut at: usize) -> usize {
        while self.parents[at] != at {
            self.parents[at] = self.parents[self.parents[at]];
            at = self.parents[at];
        }
        at
    }

    /// Connects items with the same key. `None` connects nothing.
    pub fn tie<Key: Eq + Hash>(&mut self, keys: impl Iterator<Item = Option<Key>>) {
        let mut first_with: HashMap<Key, usize> = HashMap::new();
        for (at, key) in keys.enumerate() {
            let Some(key) = key else { continue };
            let first = *first_with.entry(key).or_insert(at);
            self.join(first, at);
        }
    }
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }
}
