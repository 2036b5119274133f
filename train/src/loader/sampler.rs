//! The order of tracks in an epoch, and its division into batches.

use rand::seq::SliceRandom;
use shared::runtime::rng::{Purpose, stream};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The training tracks (positions in the data set) in the order of one epoch. It depends on seed and epoch only.
///
/// With a `window` of 0 all tracks are shuffled together. Otherwise the shards are shuffled, then the tracks of every
/// `window` shards together. That is random enough for training, and only two windows at a time need to be in memory.
pub fn training_order(
    positions: &[usize],
    shard: impl Fn(usize) -> usize,
    window: usize,
    seed: u64,
    epoch: u64,
) -> Vec<usize> {
    let mut rng = stream(seed, epoch, 0, Purpose::Shuffle);
    if window == 0 {
        let mut order = positions.to_vec();
        order.shuffle(&mut rng);
        return order;
    }
    let mut by_shard: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &position in positions {
        by_shard.entry(shard(position)).or_default().push(position);
    }
    let mut shards: Vec<_> = by_shard.into_values().collect();
    shards.shuffle(&mut rng);
    let windows = shards.chunks(window).map(<[_]>::concat);
    windows
        .flat_map(|mut tracks| {
            tracks.shuffle(&mut rng);
            tracks
        })
        .collect()
}

/// An order of tracks divided into batches. The last batch may be smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    order: Vec<usize>,
    /// For each entry of the order, how often its track occurs before it.
    repeats: Vec<usize>,
    batch_size: usize,
}

impl Batches {
    /// # Panics
    /// Panics if `batch_size` is zero.
    pub fn new(order: Vec<usize>, batch_size: usize) -> Self {
        assert!(batch_size > 0, "a batch holds at least one track");
        let mut seen: HashMap<usize, usize> = HashMap::new();
        let repeats = order.iter().map(|&excerpt| {
            let count = seen.entry(excerpt).or_default();
            *count += 1;
            *count - 1
        });
        Self {
            repeats: repeats.collect(),
            order,
            batch_size,
        }
    }

    pub fn len(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub fn tracks(&self) -> usize {
        self.order.len()
    }

    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The tracks of one batch.
    pub fn batch(&self, number: usize) -> &[usize] {
        &self.order[self.range(number)]
    }

    /// For each track of a batch, how often it occurs earlier in the order.
    pub fn repeats(&self, number: usize) -> &[usize] {
        &self.repeats[self.range(number)]
    }

    fn range(&self, number: usize) -> Range<usize> {
        let begin = number * self.batch_size;
        begin..self.order.len().min(begin + self.batch_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn order(positions: &[usize], window: usize, seed: u64, epoch: u64) -> Vec<usize> {
        training_order(positions, |position| position / 10, window, seed, epoch)
    }

    proptest! {
        #[test]
        fn every_track_comes_once_an_epoch(
            count in 1usize..200, batch_size in 1usize..40, window in 0usize..5, seed: u64, epoch in 0u64..9,
        ) {
            let positions: Vec<_> = (0..count).map(|at| at * 3).collect();
            let batches = Batches::new(order(&positions, window, seed, epoch), batch_size);
            let mut seen: Vec<_> = (0..batches.len()).flat_map(|number| batches.batch(number).to_vec()).collect();
            prop_assert!((0..batches.len() - 1).all(|number| batches.batch(number).len() == batch_size));
            seen.sort_unstable();
            prop_assert_eq!(seen, positions);
        }
    }

    #[test]
    fn the_order_depends_on_epoch_and_seed_only() {
        let positions: Vec<_> = (0..100).collect();
        for window in [0, 3] {
            assert_eq!(order(&positions, window, 1, 2), order(&positions, window, 1, 2));
            assert_ne!(order(&positions, window, 1, 2), order(&positions, window, 1, 3));
            assert_ne!(order(&positions, window, 1, 2), order(&positions, window, 2, 2));
        }
    }

    #[test]
    fn repeats_of_a_track_are_counted() {
        let batches = Batches::new(vec![4, 7, 4, 4, 9, 7], 4);
        assert_eq!(
            (batches.repeats(0), batches.repeats(1)),
            (&[0, 0, 1, 2][..], &[0, 1][..])
        );
    }

    #[test]
    fn a_window_shuffles_the_tracks_of_its_shards() {
        let positions: Vec<_> = (0..100).collect();
        let order = order(&positions, 3, 1, 2);
        let shards = |tracks: &[usize]| tracks.iter().map(|track| track / 10).collect::<BTreeSet<_>>();
        for window in order.chunks(30) {
            assert_eq!(shards(window).len(), window.len().div_ceil(10));
        }
        assert!(shards(&order[..10]).len() > 1);
    }
}
