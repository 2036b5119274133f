//! Exports weights with one batch of input and output, to check another implementation.

use crate::data::run_data::RunData;
use crate::loader::{BatchBuffer, BatchSource, Batches, Clips, Target};
use crate::models::{ModelInput, export_weights};
use crate::settings::RunConfig;
use crate::step::batch;
use crate::step::compute::Compute;
use crate::training::start::blueprint;
use anyhow::Context;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use shared::dataset::split::Set;
use shared::runtime::atomic_file;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// Writes newly initialized weights under their exported names to a safetensors file, with `check.waveform`,
/// `check.spectrogram` and `check.statistics` (model input of one batch) and `check.logits` (its output in evaluation
/// mode).
pub fn write_outputs(config: &RunConfig, data: &RunData, compute: &Compute, path: &Path) -> anyhow::Result<()> {
    compute.device.seed(config.seed);
    let model = config.model.init(&blueprint(config, data), &compute.device);
    let clips = data.clips(Set::Train)?;
    let order = (0..clips.len()).cycle().take(config.batch_size).collect();
    let source = BatchSource {
        dataset: &data.dataset,
        excerpts: &clips,
        features: &data.features,
        target: Target::ModelInput(&data.front_end),
        batches: Batches::new(order, config.batch_size),
        clips: Clips::Evaluation,
    };
    let mut batch = BatchBuffer::default();
    source.fill(0, &mut batch, &mut Default::default());
    let input: ModelInput = compute.uploader(data).upload(&batch, 0..config.batch_size);
    let logits = batch::to_host(model.forward(input))?;

    let (shape, input) = (data.front_end.shape(), data.front_end.input());
    let (clips, classes) = (config.batch_size, config.classes.len());
    let mut tensors: Vec<(&str, Vec<usize>, &[f32])> = vec![("check.logits", vec![clips, classes], &logits)];
    if input.waveform.is_some() {
        tensors.push(("check.waveform", vec![clips, 1, shape.samples], &batch.waveform));
    }
    if input.spectrogram.is_some() {
        let [rows, columns] = shape.spectrogram;
        tensors.push(("check.spectrogram", vec![clips, 1, rows, columns], &batch.spectrogram));
    }
    if input.statistics {
        tensors.push(("check.statistics", vec![clips, shape.statistics], &batch.statistics));
    }
    let weights = export_weights(&model).map_err(anyhow::Error::msg)?;
    let weights = SafeTensors::deserialize(&weights).context("the exported weights cannot be read back")?;
    let mut views: Vec<(String, TensorView<'_>)> = weights.tensors();
    for (name, shape, values) in tensors {
        let view = TensorView::new(Dtype::F32, shape, bytemuck::cast_slice(values));
        views.push((
            name.to_owned(),
            view.context("the size of a tensor does not match its shape")?,
        ));
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
