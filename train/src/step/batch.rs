//! One batch on the device: upload, forward pass, and in training the backward pass and the optimizer step.

use crate::frontend::DeviceFrontEnd;
use crate::loader::{BatchBuffer, Targets, Values};
use crate::models::{InputKind, InputShape, Model, ModelInput};
use crate::settings::RunConfig;
use crate::step::clip::clip_grad_norm;
use crate::step::mixup;
use crate::step::objective::Objective;
use crate::step::optimization::LearningRates;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use std::ops::Range;

/// A device that failed to compute, for example because its memory is full.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device failed: {0}; if its memory is full, use a smaller --batch-size or --micro-batch-size")]
pub struct DeviceFailure(String);

impl DeviceFailure {
    /// Keeps only the innermost cause of an error: the others say that there is one, and where in Burn.
    fn new(error: &impl ToString) -> Self {
        let text = error.to_string();
        let cause = text.rsplit("Caused by:").next().unwrap_or(&text);
        Self(
            cause
                .trim_start()
                .lines()
                .next()
                .unwrap_or("no reason given")
                .trim()
                .to_owned(),
        )
    }
}

/// Copies batches to the device as model input.
#[derive(Clone, Copy, Debug)]
pub struct Uploader<'a> {
    pub input: InputKind,
    /// The input shape of one clip.
    pub shape: &'a InputShape,
    /// Computes model input from samples, for batches of samples.
    pub front_end: Option<&'a DeviceFrontEnd>,
    /// The type of the encoders' activations.
    pub dtype: FloatDType,
    pub device: &'a Device,
}

impl Uploader<'_> {
    /// Copies the clips `part` of a batch to the device, and mixes them if mixup is on. On a GPU this returns before the
    /// copy has finished; on the CPU the tensors share the batch's memory.
    pub fn upload(&self, batch: &BatchBuffer, part: Range<usize>) -> ModelInput {
        let clips = part.len();
        let lambdas = batch.labels.lambdas(part.clone());
        let input = match self.front_end {
            Some(front_end) if !batch.pcm.is_empty() => {
                let size = batch.pcm.len() / batch.clips();
                let pcm = batch.pcm.share(part.start * size..part.end * size);
                front_end.run(pcm, &batch.plans[part])
            }
            _ => {
                let InputShape {
                    samples,
                    spectrogram: [height, width],
                    statistics,
                } = *self.shape;
                ModelInput {
                    waveform: (self.input.waveform).map(|_| self.tensor(&batch.waveform, &part, [clips, 1, samples])),
                    spectrogram: (self.input.spectrogram)
                        .map(|_| self.tensor(&batch.spectrogram, &part, [clips, 1, height, width])),
                    statistics: (self.input.statistics)
                        .then(|| self.tensor(&batch.statistics, &part, [clips, statistics])),
                }
            }
        };
        mixup::mix(input, lambdas, self.device).cast(self.dtype)
    }

    /// The clips `part` of `values` as a tensor of this shape.
    fn tensor<const D: usize>(&self, values: &Values<f32>, part: &Range<usize>, shape: [usize; D]) -> Tensor<D> {
        let size: usize = shape[1..].iter().product();
        let bytes = values.share(part.start * size..part.end * size);
        Tensor::from_data(TensorData::from_bytes(bytes, shape, DType::F32), self.device)
    }
}

/// The objective of a training step, and how the model is updated.
pub struct TrainingStep {
    pub objective: Objective,
    pub rates: LearningRates,
    /// The largest norm of the gradient; `None` if it is not clipped.
    pub clip_grad_norm: Option<f64>,
    /// The most clips that a device processes at once; `None` for the whole batch.
    pub micro_batch_size: Option<usize>,
}

impl TrainingStep {
    pub fn new(config: &RunConfig, objective: Objective, rates: LearningRates) -> Self {
        Self {
            objective,
            rates,
            clip_grad_norm: (config.clip_grad_norm > 0.0).then_some(config.clip_grad_norm),
            micro_batch_size: config.micro_batch_size,
        }
    }

    #[cfg(test)]
    pub fn plain(lr: f64) -> Self {
        Self {
            objective: Objective::plain(),
            rates: lr.into(),
            clip_grad_norm: None,
            micro_batch_size: None,
        }
    }

    /// Forward pass, backward pass and optimizer step. Returns the updated model and the logits `[batch, classes]` of
    /// the model before the update. The device may still be computing them. Learning rates are multiplied by `factor`.
    pub fn train<'a>(
        &self,
        model: Model,
        optimizer: &mut ModuleOptimizer,
        input: ModelInput,
        targets: impl Into<Targets<'a>>,
        device: &Device,
        factor: f64,
    ) -> (Model, Tensor<2>) {
        let logits = model.forward(input);
        let loss = self.objective.loss(logits.clone(), targets, device);
        let loss = self.objective.with_penalty(loss, &model);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        (self.update(model, optimizer, gradients, factor), logits)
    }

    /// Clips the gradients and takes an optimizer step.
    pub fn update(
        &self,
        model: Model,
        optimizer: &mut ModuleOptimizer,
        gradients: GradientsParams,
        factor: f64,
    ) -> Model {
        let gradients = match self.clip_grad_norm {
            Some(largest) => clip_grad_norm(&model, gradients, largest),
            None => gradients,
        };
        optimizer.step(self.rates.scaled(factor), model, gradients)
    }
}

/// Waits for logits `[batch, classes]` and returns them row by row.
pub fn to_host(logits: Tensor<2>) -> Result<Vec<f32>, DeviceFailure> {
    let data = logits.try_into_data().map_err(|error| DeviceFailure::new(&error))?;
    data.try_to_vec().map_err(|error| DeviceFailure::new(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_failure_is_one_sentence() {
        let error = "An error happened during execution\nCaused by:\n  An IO error happened\nCaused by:\n  can't allocate \
                     buffer of size: 199229440\nNo backtrace available\nAsked at:\nNo backtrace available";
        assert_eq!(
            DeviceFailure::new(&error).to_string(),
            "the device failed: can't allocate buffer of size: 199229440; if its memory is full, use a smaller --batch-size \
             or --micro-batch-size"
        );
        assert_eq!(DeviceFailure::new(&"lost"), DeviceFailure("lost".into()));
    }
}
