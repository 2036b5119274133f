//! Judges a model on one set of a split: clips from the middle of its tracks, nothing drawn at random.

use crate::compute::Compute;
use crate::loader::{BatchSource, Batches, Clips, Prefetch, Target};
use crate::metrics::Tally;
use crate::models::Model;
use crate::run_data::RunData;
use crate::step::{self, DeviceFailure};

/// Runs `model`, which must be on `compute.device` and not on its autodiff twin, over the excerpts of `data`.
pub fn evaluate(
    model: &Model,
    data: &RunData,
    excerpts: &[usize],
    batch_size: usize,
    prefetch: &mut Prefetch,
    compute: &Compute,
) -> Result<Tally, DeviceFailure> {
    let source = BatchSource {
        dataset: &data.dataset,
        excerpts: &data.excerpts,
        features: &data.features,
        target: Target::ModelInput(&data.front_end),
        batches: Batches::new(excerpts.to_vec(), batch_size),
        clips: Clips::Centre,
    };
    let uploader = compute.uploader(data);
    let mut tally = Tally::new(data.dataset.classes().len());
    let numbers = 0..source.batches.len();
    prefetch.run(&source, numbers, |_, batch, _| {
        let logits = model.forward(uploader.upload(batch, 0..batch.clips()));
        tally.add(&step::to_host(logits)?, batch.labels.view());
        Ok(())
    })?;
    Ok(tally)
}
