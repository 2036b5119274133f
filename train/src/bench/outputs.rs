//! A model's weights with one batch of its input and output, for another implementation to be checked against.

use crate::compute::Compute;
use crate::config::RunConfig;
use crate::loader::{BatchBuffer, BatchSource, Batches, Clips, Target};
use crate::models::{ModelInput, export_weights};
use crate::run_data::RunData;
use crate::step;
use anyhow::Context;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use shared::atomic_file;
use shared::split::Set;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// Writes fresh weights under their exported names and `check.waveform`, `check.mel` (normalized model input) and
/// `check.logits` (dropout off, running statistics) of one batch to a safetensors file.
pub fn write_outputs(config: &RunConfig, data: &RunData, compute: &Compute, path: &Path) -> anyhow::Result<()> {
    compute.device.seed(config.seed);
    let model = config.model.init(config.classes.len(), config.dropout, &compute.device);
    let order = data
        .positions(Set::Train)?
        .iter()
        .copied()
        .cycle()
        .take(config.batch_size)
        .collect();
    let source = BatchSource {
        dataset: &data.dataset,
        target: Target::ModelInput(&data.front_end),
        batches: Batches::new(order, config.batch_size),
        clips: Clips::Centre,
    };
    let mut batch = BatchBuffer::default();
    source.fill(0, &mut batch, &mut Default::default());
    let input: ModelInput = compute.uploader(data).upload(&batch, 0..config.batch_size);
    let logits = step::to_host(model.forward(input))?;

    let features = data.dataset.features();
    let (clips, classes) = (config.batch_size, config.classes.len());
    let mut tensors: Vec<(&str, Vec<usize>, &[f32])> = vec![("check.logits", vec![clips, classes], &logits)];
    if config.model.input().waveform {
        tensors.push(("check.waveform", vec![clips, 1, features.clip_samples], &batch.waveform));
    }
    if config.model.input().mel {
        tensors.push((
            "check.mel",
            vec![clips, 1, features.n_mels, features.clip_frames()],
            &batch.mel,
        ));
    }
    let weights = export_weights(&model).map_err(anyhow::Error::msg)?;
    let weights = SafeTensors::deserialize(&weights).context("the exported weights cannot be read back")?;
    let mut views: Vec<(String, TensorView<'_>)> = weights.tensors();
    for (name, shape, values) in tensors {
        let view = TensorView::new(Dtype::F32, shape, bytemuck::cast_slice(values));
        views.push((name.to_owned(), view.context("a tensor's size is not its shape's")?));
    }
    let metadata = HashMap::from([
        ("model".to_owned(), config.model.name().to_owned()),
        ("classes".to_owned(), classes.to_string()),
    ]);
    let bytes =
        safetensors::serialize(views, Some(metadata)).context("the outputs cannot be written as safetensors")?;
    atomic_file::write(path, |file| file.write_all(&bytes))
        .with_context(|| format!("could not write {}", path.display()))
}
