//! Things that belong together, directly or by way of others.

use std::collections::HashMap;
use std::hash::Hash;

/// Union-find; a component's root is its first track.
pub struct Ties {
    parents: Vec<usize>,
}

impl Ties {
    /// Of `count` things, none of which are tied.
    pub fn new(count: usize) -> Self {
        Self {
            parents: (0..count).collect(),
        }
    }

    /// The first of the things that this one is tied to, directly or by way of others.
    pub fn root(&mut self, mut at: usize) -> usize {
        while self.parents[at] != at {
            self.parents[at] = self.parents[self.parents[at]];
            at = self.parents[at];
        }
        at
    }

    /// Ties those together that have the same key.
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
