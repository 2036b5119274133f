//! Announces the next shards to the operating system, for data sets that are shuffled window by window because they do
//! not fit in memory.

use super::{Batches, Excerpt};
use shared::dataset::Dataset;
use shared::dataset::shard::ShardKind;
use std::collections::BTreeSet;

/// Advises the operating system of each shard once per epoch, one window before its tracks are needed.
#[derive(Debug)]
pub struct ReadAhead {
    kinds: Vec<ShardKind>,
    /// Batches to look ahead: about one window.
    distance: usize,
    next: usize,
    advised: BTreeSet<usize>,
}

impl ReadAhead {
    /// For an epoch that begins with batch `first`, reads shards of `kinds` and shuffles `window` shards together.
    pub fn new(dataset: &Dataset, kinds: &[ShardKind], window: usize, batches: &Batches, first: usize) -> Self {
        let batches_per_shard = batches.len().div_ceil(dataset.index().shards.len().max(1));
        Self {
            kinds: kinds.to_vec(),
            distance: batches_per_shard.saturating_mul(window),
            next: first,
            advised: BTreeSet::new(),
        }
    }

    /// Call with the number of each batch.
    pub fn advance(&mut self, dataset: &Dataset, excerpts: &[Excerpt], batches: &Batches, number: usize) {
        let end = number
            .saturating_add(self.distance)
            .saturating_add(1)
            .min(batches.len());
        while self.next < end {
            for &excerpt in batches.batch(self.next) {
                let shard = dataset.tracks()[excerpts[excerpt].position].shard;
                if self.advised.insert(shard) {
                    for &kind in &self.kinds {
                        // This is only advice: if it fails, the bytes are read later.
                        let _ = dataset.shard(kind, shard).will_need();
                    }
                }
            }
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn every_shard_is_announced_before_its_first_track() {
        let root = testing::dataset();
        let dataset = Dataset::open(root.path()).unwrap();
        let batches = Batches::new((0..testing::TRACKS).collect(), 2);
        let mut ahead = ReadAhead::new(&dataset, &[ShardKind::Waveform, ShardKind::Mel], 1, &batches, 1);
        assert!(ahead.advised.is_empty());
        let excerpts: Vec<_> = (0..testing::TRACKS)
            .map(|position| Excerpt {
                position,
                number: 0,
                hop: None,
            })
            .collect();
        ahead.advance(&dataset, &excerpts, &batches, 1);
        assert_eq!(ahead.advised, BTreeSet::from([0]));
        assert_eq!(ahead.next, batches.len());
    }
}
