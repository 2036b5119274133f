//! What the tests of all models share: parameter counts by hand, and models to count.

use super::{Blueprint, InputShape, Model, ModelInput, ModelKind};
use burn::tensor::{Device, Tensor, TensorData};

/// A convolution's weights and biases; `kernel` is the number of its taps. Batch norm has 2 more per output.
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

/// The model that its paper describes.
pub fn model(kind: ModelKind, classes: usize, device: &Device) -> Model {
    let blueprint = Blueprint {
        shape: kind.description().usual_shape,
        classes,
        dropout: kind.description().defaults.dropout,
    };
    kind.init(&blueprint, device)
}

pub fn parameters(kind: ModelKind, classes: usize) -> usize {
    model(kind, classes, &Device::flex().autodiff()).trainable_parameters()
}

/// A batch of the given shape with everything that any model takes. Not drawn at random: tests share the generator of the
/// CPU.
pub fn input(clips: usize, shape: &InputShape, device: &Device) -> ModelInput {
    let [rows, columns] = shape.spectrogram;
    ModelInput {
        waveform: Some(noise([clips, 1, shape.samples.max(1)], device)),
        spectrogram: Some(noise([clips, 1, rows.max(1), columns.max(1)], device)),
        statistics: Some(noise([clips, shape.statistics.max(1)], device)),
    }
}

fn noise<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|at| (at as f32 * 0.7).sin() * 1.4).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
