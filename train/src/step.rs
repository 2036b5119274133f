//! One batch on the device: upload, forward, and in training backward and the optimizer's step.

use crate::frontend::DeviceFrontEnd;
use crate::loader::BatchBuffer;
use crate::models::{InputKind, Model, ModelInput};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use shared::features::FeatureConfig;
use std::ops::Range;

/// Logits that could not be brought back from the device.
#[derive(Debug, thiserror::Error)]
#[error("the device did not return the model's output: {0}")]
pub struct DeviceFailure(String);

/// Turns batches on the host into model input on the device.
#[derive(Clone, Copy, Debug)]
pub struct Uploader<'a> {
    /// What the model takes.
    pub input: InputKind,
    /// Of the data set.
    pub features: &'a FeatureConfig,
    /// Makes model input of samples, for batches that hold these.
    pub front_end: Option<&'a DeviceFrontEnd>,
    /// Type of the encoders' activations.
    pub dtype: FloatDType,
    /// Where to.
    pub device: &'a Device,
}

impl Uploader<'_> {
    /// Copies the clips `part` of a batch to the device. On a GPU the call returns before the copy is done.
    pub fn upload(&self, batch: &BatchBuffer, part: Range<usize>) -> ModelInput {
        let clips = part.len();
        let input = match self.front_end {
            Some(front_end) if !batch.pcm.is_empty() => {
                let samples = batch.pcm.len() / batch.positions.len();
                let pcm = batch.pcm[part.start * samples..part.end * samples].to_vec();
                front_end.run(TensorData::new(pcm, [clips, samples]), &batch.plans[part])
            }
            _ => {
                let rows = |values: &[f32], size: usize| values[part.start * size..part.end * size].to_vec();
                let FeatureConfig {
                    clip_samples, n_mels, ..
                } = *self.features;
                let frames = self.features.clip_frames();
                ModelInput {
                    waveform: self.input.waveform.then(|| {
                        let data = TensorData::new(rows(&batch.waveform, clip_samples), [clips, 1, clip_samples]);
                        Tensor::from_data(data, self.device)
                    }),
                    mel: self.input.mel.then(|| {
                        let data = TensorData::new(rows(&batch.mel, n_mels * frames), [clips, 1, n_mels, frames]);
                        Tensor::from_data(data, self.device)
                    }),
                }
            }
        };
        input.cast(self.dtype)
    }
}

/// Forward, backward, step. Returns the changed model and the logits `[batch, classes]` from before the change, which
/// may not have been computed yet.
pub fn train(
    model: Model,
    optimizer: &mut ModuleOptimizer,
    lr: f64,
    input: ModelInput,
    labels: &[usize],
    device: &Device,
) -> (Model, Tensor<2>) {
    let logits = model.forward(input);
    let gradients = GradientsParams::from_grads(loss(logits.clone(), labels, device).backward(), &model);
    (optimizer.step(lr, model, gradients), logits)
}

/// Mean cross-entropy.
pub fn loss(logits: Tensor<2>, labels: &[usize], device: &Device) -> Tensor<1> {
    let targets: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [labels.len()]), device);
    CrossEntropyLossConfig::new().init(device).forward(logits, targets)
}

/// Waits for logits `[batch, classes]` and gives them row by row.
pub fn to_host(logits: Tensor<2>) -> Result<Vec<f32>, DeviceFailure> {
    logits
        .into_data()
        .try_to_vec()
        .map_err(|error| DeviceFailure(format!("{error:?}")))
}
