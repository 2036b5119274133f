//! The batches of one epoch.

use crate::data::run_data::RunData;
use crate::loader::{BatchSource, Batches, Clips, balanced, training_order};
use crate::settings::RunConfig;
use crate::step::compute::Compute;

/// The batches depend only on the seed and the epoch, so a resumed run gets the same ones.
pub fn epoch_source<'a>(config: &RunConfig, data: &'a RunData, compute: &Compute, epoch: u64) -> BatchSource<'a> {
    let shard = |excerpt: usize| data.dataset.tracks()[data.training[excerpt].position].shard;
    let drawn = drawn(config, data, epoch);
    let order = training_order(&drawn, shard, config.shuffle_window, config.seed, epoch);
    BatchSource {
        dataset: &data.dataset,
        excerpts: &data.training,
        features: &data.features,
        target: compute.training_target(data),
        batches: Batches::new(order, config.batch_size),
        clips: Clips::Training {
            seed: config.seed,
            epoch,
            augment: config.augment,
            skipped: data.skipped_hops(),
            mixup: config.mixup,
        },
    }
}

/// The number of clips that each epoch trains on, the same for all epochs.
pub fn clips_per_epoch(config: &RunConfig, data: &RunData) -> usize {
    drawn(config, data, 0).len()
}

/// The clips of an epoch after balancing, as indices into the training clips.
fn drawn(config: &RunConfig, data: &RunData, epoch: u64) -> Vec<usize> {
    let class = |excerpt: usize| data.dataset.class(data.training[excerpt].position).unwrap_or(0);
    let all: Vec<usize> = (0..data.training.len()).collect();
    balanced(&all, class, config.balance, config.seed, epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Augment, ClipPlan};
    use crate::loader::{Balance, BatchBuffer, TrainClips};
    use crate::models::ModelKind;
    use crate::testing;
    use burn::tensor::Device;
    use std::collections::BTreeSet;

    /// Position in the data set and plan of each clip of an epoch, in order.
    fn clips(config: &RunConfig, epoch: u64) -> Vec<(usize, ClipPlan)> {
        let data = RunData::open(config).unwrap();
        let compute = Compute::new(config, &data, vec![Device::flex()]).unwrap();
        let source = epoch_source(config, &data, &compute, epoch);
        let mut buffer = BatchBuffer::default();
        let mut clips = Vec::new();
        for number in 0..source.batches.len() {
            source.fill(number, &mut buffer, &mut Default::default());
            let positions = buffer.excerpts.iter().map(|&excerpt| data.training[excerpt].position);
            clips.extend(positions.zip(buffer.plans.iter().copied()));
        }
        assert_eq!(clips.len(), clips_per_epoch(config, &data));
        clips
    }

    #[test]
    fn all_clips_of_a_track_have_their_own_random_position_between_the_skipped_ends() {
        let root = testing::dataset();
        let config = RunConfig {
            clip_seconds: Some(0.5),
            skip_seconds: 1.0,
            train_clips: TrainClips::All,
            augment: Augment::NOISE_AND_STRETCH,
            ..testing::config(root.path(), ModelKind::Crnn)
        };
        let first = clips(&config, 0);
        // 0.5 s are 21 hops and 1 s 43. The tracks have 512 to 526 hops.
        let counts = [0, 1, 2, 3].map(|track| first.iter().filter(|(position, _)| *position == track).count());
        assert_eq!(counts, [20; 4]);
        for (track, count) in counts.into_iter().enumerate() {
            let plans = || {
                first
                    .iter()
                    .filter(move |(position, _)| *position == track)
                    .map(|(_, plan)| plan)
            };
            let hops: BTreeSet<usize> = plans().map(|plan| plan.hop).collect();
            // Of 405 possible positions, hardly any is drawn twice.
            assert!(hops.len() >= 17, "{hops:?}");
            // A clip at 0.8 times the speed needs 17 hops.
            assert!(*hops.first().unwrap() >= 43 && *hops.last().unwrap() <= 526 - 43 - 17);
            let keys: BTreeSet<_> = plans().map(|plan| plan.key).collect();
            assert_eq!(keys.len(), count);
        }
        assert_eq!(clips(&config, 0), first);
        assert_ne!(clips(&config, 1), first);
    }

    #[test]
    fn balancing_counts_clips() {
        let root = testing::dataset();
        let count = |balance, train_clips| {
            let config = RunConfig {
                clip_seconds: Some(2.4),
                balance,
                train_clips,
                ..testing::config(root.path(), ModelKind::Crnn)
            };
            clips(&config, 0).len()
        };
        // The two classes have 4 + 5 and 5 + 5 clips.
        assert_eq!(count(Balance::None, TrainClips::All), 19);
        assert_eq!(count(Balance::Oversample, TrainClips::All), 20);
        assert_eq!(count(Balance::Undersample, TrainClips::All), 18);
        assert_eq!(count(Balance::Oversample, TrainClips::default()), 4);
    }
}
