//! Helpers for the tests of all models: parameter counts computed by hand, and models and inputs.

use super::{Blueprint, InputShape, Model, ModelInput, ModelKind};
use burn::tensor::{Device, Tensor, TensorData};

/// A convolution's weights and biases; `kernel` is its number of taps. Batch norm adds 2 per output channel.
pub const fn conv(kernel: usize, inputs: usize, outputs: usize) -> usize {
    kernel * inputs * outputs + outputs
}

/// A dense layer's weights and biases.
pub const fn dense(inputs: usize, outputs: usize) -> usize {
    inputs * outputs + outputs
}

/// `gates` gates, each with a weight matrix and a bias for the input and for the hidden state.
pub const fn recurrent(gates: usize, inputs: usize, hidden: usize) -> usize {
    gates * (dense(inputs, hidden) + dense(hidden, hidden))
}

pub const fn lstm(inputs: usize, hidden: usize) -> usize {
    recurrent(4, inputs, hidden)
}

/// The model with its paper's shape and dropout.
pub fn model(kind: ModelKind, classes: usize, device: &Device) -> Model {
    let blueprint = Blueprint {
        shape: kind.description().usual_shape,
        classes,
        dropout: kind.description().defaults.dropout,
    };
    kind.init(&blueprint, device)
}

/// The smallest network with batch norms that trains fast: [`ModelKind::Cnn2d`] for clips of 16 frames, with 3 classes and
/// without dropout. Also returns the shape of its input.
pub fn small_cnn2d(device: &Device) -> (Model, InputShape) {
    let shape = InputShape {
        spectrogram: [128, 16],
        ..InputShape::default()
    };
    let blueprint = Blueprint {
        shape,
        classes: 3,
        dropout: 0.0,
    };
    (ModelKind::Cnn2d.init(&blueprint, device), shape)
}

pub fn parameter_count(kind: ModelKind, classes: usize) -> usize {
    model(kind, classes, &Device::flex().autodiff()).trainable_parameters()
}

/// A batch of this shape with all inputs. Its values are not random, because tests share the CPU's random generator.
pub fn input(clips: usize, shape: &InputShape, device: &Device) -> ModelInput {
    let [rows, columns] = shape.spectrogram;
    ModelInput {
        waveform: Some(noise([clips, 1, shape.samples.max(1)], device)),
        spectrogram: Some(noise([clips, 1, rows.max(1), columns.max(1)], device)),
        statistics: Some(noise([clips, shape.statistics.max(1)], device)),
    }
}

/// White noise between -2 and 2, the same in each call.
pub fn noise<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let value = |at: usize| {
        let bits = (at as u32).wrapping_mul(0x9e37_79b9);
        let bits = (bits ^ bits >> 16).wrapping_mul(0x85eb_ca6b);
        ((bits ^ bits >> 13) as f32 / u32::MAX as f32 - 0.5) * 4.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
