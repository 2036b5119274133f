//! Judges a model on one set of a split: clips from the middle of its tracks, nothing drawn at random.

use crate::loader::{BatchSource, Batches, Clips, Prefetch};
use crate::metrics::Tally;
use crate::models::Model;
use crate::run_data::RunData;
use crate::step::{self, DeviceFailure};
use burn::tensor::Device;

/// Runs `model`, which must be on `device` and not on its autodiff twin, over the tracks at `positions`.
pub fn evaluate(
    model: &Model,
    data: &RunData,
    positions: &[usize],
    batch_size: usize,
    prefetch: &mut Prefetch,
    device: &Device,
) -> Result<Tally, DeviceFailure> {
    let source = BatchSource {
        dataset: &data.dataset,
        front_end: &data.front_end,
        batches: Batches::new(positions.to_vec(), batch_size),
        clips: Clips::Centre,
    };
    let mut tally = Tally::new(data.dataset.classes().len());
    let numbers = 0..source.batches.len();
    prefetch.run(&source, numbers, |_, batch| {
        let input = step::upload(batch, data.front_end.input(), data.dataset.features(), device);
        tally.add(&step::to_host(model.forward(input))?, &batch.labels);
        Ok(())
    })?;
    Ok(tally)
}
