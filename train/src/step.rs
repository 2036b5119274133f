//! One batch on the device: upload, forward, and in training backward and the optimizer's step.

use crate::loader::BatchBuffer;
use crate::models::{InputKind, Model, ModelInput};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};
use shared::features::FeatureConfig;

/// Logits that could not be brought back from the device.
#[derive(Debug, thiserror::Error)]
#[error("the device did not return the model's output: {0}")]
pub struct DeviceFailure(String);

/// Copies a batch to the device.
pub fn upload(batch: &BatchBuffer, input: InputKind, features: &FeatureConfig, device: &Device) -> ModelInput {
    let tracks = batch.positions.len();
    ModelInput {
        waveform: input.waveform.then(|| {
            let shape = [tracks, 1, features.clip_samples];
            Tensor::from_data(TensorData::new(batch.waveform.clone(), shape), device)
        }),
        mel: input.mel.then(|| {
            let shape = [tracks, 1, features.n_mels, features.clip_frames()];
            Tensor::from_data(TensorData::new(batch.mel.clone(), shape), device)
        }),
    }
}

/// Forward, backward, step. Returns the changed model and the logits `[batch, classes]` from before the change.
pub fn train(
    model: Model,
    optimizer: &mut ModuleOptimizer,
    lr: f64,
    input: ModelInput,
    labels: &[usize],
    device: &Device,
) -> Result<(Model, Vec<f32>), DeviceFailure> {
    let logits = model.forward(input);
    let targets: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [labels.len()]), device);
    let loss = CrossEntropyLossConfig::new()
        .init(device)
        .forward(logits.clone(), targets);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let model = optimizer.step(lr, model, gradients);
    Ok((model, to_host(logits)?))
}

/// Logits `[batch, classes]`, row by row.
pub fn to_host(logits: Tensor<2>) -> Result<Vec<f32>, DeviceFailure> {
    logits
        .into_data()
        .try_to_vec()
        .map_err(|error| DeviceFailure(format!("{error:?}")))
}
