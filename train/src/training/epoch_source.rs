//! The batches of one epoch.

use crate::data::run_data::RunData;
use crate::loader::{BatchSource, Batches, Clips, balanced, training_order};
use crate::settings::RunConfig;
use crate::step::compute::Compute;

/// The batches depend only on the seed and the epoch, so a resumed run gets the same ones.
pub fn epoch_source<'a>(config: &RunConfig, data: &'a RunData, compute: &Compute, epoch: u64) -> BatchSource<'a> {
    let shard = |excerpt: usize| data.dataset.tracks()[data.training[excerpt].position].shard;
    let class = |excerpt: usize| data.dataset.class(data.training[excerpt].position).unwrap_or(0);
    let all: Vec<usize> = (0..data.training.len()).collect();
    let drawn = balanced(&all, class, config.balance, config.seed, epoch);
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
            mixup: config.mixup,
        },
    }
}
