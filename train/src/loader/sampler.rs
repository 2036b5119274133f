//! The order of tracks within an epoch, and its division into batches.

use rand::seq::SliceRandom;
use shared::rng::{Purpose, stream};

/// The training tracks (positions in the data set) in the order of one epoch: a shuffle that depends on seed and epoch
/// alone.
pub fn training_order(positions: &[usize], seed: u64, epoch: u64) -> Vec<usize> {
    let mut order = positions.to_vec();
    order.shuffle(&mut stream(seed, epoch, 0, Purpose::Shuffle));
    order
}

/// An order of tracks cut into batches; the last may be smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    order: Vec<usize>,
    batch_size: usize,
}

impl Batches {
    /// # Panics
    /// When `batch_size` is zero.
    pub fn new(order: Vec<usize>, batch_size: usize) -> Self {
        assert!(batch_size > 0, "a batch holds at least one track");
        Self { order, batch_size }
    }

    /// Number of batches.
    pub fn len(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    /// Whether there is no track at all.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Tracks in all batches.
    pub fn tracks(&self) -> usize {
        self.order.len()
    }

    /// The tracks of one batch.
    pub fn batch(&self, number: usize) -> &[usize] {
        let begin = number * self.batch_size;
        &self.order[begin..self.order.len().min(begin + self.batch_size)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_track_comes_once_an_epoch(count in 1usize..200, batch_size in 1usize..40, seed: u64, epoch in 0u64..9) {
            let positions: Vec<_> = (0..count).map(|at| at * 3).collect();
            let batches = Batches::new(training_order(&positions, seed, epoch), batch_size);
            let mut seen: Vec<_> = (0..batches.len()).flat_map(|number| batches.batch(number).to_vec()).collect();
            prop_assert!((0..batches.len() - 1).all(|number| batches.batch(number).len() == batch_size));
            seen.sort_unstable();
            prop_assert_eq!(seen, positions);
        }
    }

    #[test]
    fn epochs_have_different_orders_and_the_same_epoch_the_same() {
        let positions: Vec<_> = (0..100).collect();
        assert_eq!(training_order(&positions, 1, 2), training_order(&positions, 1, 2));
        assert_ne!(training_order(&positions, 1, 2), training_order(&positions, 1, 3));
        assert_ne!(training_order(&positions, 1, 2), training_order(&positions, 2, 2));
    }
}
