//! Dong 2018, genres of GTZAN from three-second segments: ds7711/music_genre_classification.
//!
//! The input is the mel spectrogram in absolute decibels, 10 log10 of the power, from which the network takes
//! ln(1 + power).
//!
//! The authors train with Adadelta in rounds of 500 epochs until a round changes validation accuracy by less than 0.01. The
//! default is one round. Their Keras 1 has a rho of 0.95, an epsilon of 1e-8 and a rate of 1 / (1 + 1e-5 n) at step n. Here
//! they are PyTorch's 0.9 and 1e-6, and the rate is 1. They classify a track by the sum of the probabilities of segments
//! that overlap by half.

use super::definition::{Blueprint, Defaults, Description, ModelDefinition, Monitor, Network};
use super::definition::{PublishedFeatures, PytorchNames};
use super::input::{InputKind, InputShape, ModelInput, SpectrogramKind};
use super::keras;
use super::onnx::{Graph, Value};
use super::optimization::OptimizerKind;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor};
use shared::dataset::Task;

/// Frames of a segment.
const FRAMES: usize = 256;

/// `dong`.
pub const DONG: ModelDefinition<Dong> = ModelDefinition {
    description: Description {
        name: "dong",
        paper: "network of Dong on segments of 3 s, GTZAN",
        summary: "two 2-D convolutions on 256 frames of the mel spectrogram, two dense layers",
        input: InputKind {
            spectrogram: Some(SpectrogramKind::Mel),
            ..InputKind::NONE
        },
        defaults: Defaults {
            optimizer: OptimizerKind::Adadelta,
            lr: 1.0,
            batch_size: 150,
            epochs: 500,
            patience: 0,
            monitor: Monitor::Accuracy,
            l2: &[(r"^conv[01]\.", 0.01), (r"^linear0\.", 0.02)],
            dropout: DROPOUT,
            clip_frames: Some(FRAMES),
            ..Defaults::USUAL
        },
        accepts: |shape| match pooled(shape.spectrogram) {
            Some([bands, frames]) if bands > 0 && frames > 0 => Ok(()),
            _ => Err("at least 10 mel bands and 34 frames".into()),
        },
        usual_shape: InputShape {
            samples: 0,
            spectrogram: [64, FRAMES],
            statistics: 0,
        },
        paper_seconds: Some((FRAMES * 256) as f64 / 22_050.0),
        classifier: "linear1.",
        pytorch: PytorchNames::SAME,
        newly_initialized: &[],
        follows: None,
        needs_weights: false,
        normalizes_input: true,
        task: Task::SingleLabel,
        features: Some(PublishedFeatures {
            preset: "dong",
            clip_samples: FRAMES * 256,
        }),
    },
    build: Dong::new,
};

const CHANNELS: usize = 64;
/// Mel bands × frames.
const KERNELS: [[usize; 2]; 2] = [[3, 3], [3, 5]];
/// Mel bands × frames, after each convolution.
const POOL: [usize; 2] = [2, 4];
const DROPOUT: f64 = 0.2;
const DENSE: usize = 32;

/// Bands and frames after both pools, or `None` if a convolution is larger than its input.
fn pooled(shape: [usize; 2]) -> Option<[usize; 2]> {
    KERNELS.into_iter().try_fold(shape, |[bands, frames], kernel| {
        let bands = (bands + 1).checked_sub(kernel[0])? / POOL[0];
        Some([bands, (frames + 1).checked_sub(kernel[1])? / POOL[1]])
    })
}

/// Convolutions 3×3 and 3×5 with max pooling, and dense layers 12,544 → 32 → classes. Parameters for 10 classes: 463,914.
#[derive(Module, Debug)]
pub struct Dong {
    conv0: Conv2d,
    conv1: Conv2d,
    pool: MaxPool2d,
    flat_dropout: Dropout,
    linear0: Linear,
    dropout: Dropout,
    linear1: Linear,
}

impl Dong {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let [bands, frames] = pooled(blueprint.shape.spectrogram).expect("the shape has been accepted");
        Self {
            conv0: keras::valid_conv2d([1, CHANNELS], KERNELS[0], device),
            conv1: keras::valid_conv2d([CHANNELS; 2], KERNELS[1], device),
            pool: MaxPool2dConfig::new(POOL).with_strides(POOL).init(),
            flat_dropout: blueprint.fixed_dropout(DROPOUT).init(),
            linear0: keras::dense(CHANNELS * bands * frames, DENSE, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear1: keras::dense(DENSE, blueprint.classes, device),
        }
    }
}

/// `ln(1 + power)` from decibels with the reference 1.
fn log_of_power(decibels: Tensor<4>) -> Tensor<4> {
    (decibels * (std::f64::consts::LN_10 / 10.0)).exp().log1p()
}

impl Network for Dong {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let mut x = log_of_power(input.spectrogram());
        for conv in [&self.conv0, &self.conv1] {
            // ReLU and max pooling commute. After pooling, ReLU has an eighth of the values.
            x = relu(kernels::max_pool2d(&self.pool, kernels::conv2d(conv, x)));
        }
        let flat = x.cast(DType::F32).flatten(1, 3);
        relu(self.linear0.forward(self.flat_dropout.forward(flat)))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear1.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear1
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let power = graph.exp(graph.scale(graph.spectrogram(), std::f64::consts::LN_10 / 10.0));
        let mut x = graph.log(graph.shift(power, 1.0));
        for conv in [&self.conv0, &self.conv1] {
            x = graph.relu(graph.max_pool2d(&self.pool, graph.conv2d(conv, x)));
        }
        graph.relu(graph.linear(&self.linear0, graph.flatten(x)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{conv, dense, parameter_count};
    use super::*;
    use crate::models::ModelKind;

    #[test]
    fn parameter_count_matches_the_code() {
        let counted = conv(9, 1, 64) + conv(15, 64, 64) + dense(12_544, 32) + dense(32, 10);
        assert_eq!((parameter_count(ModelKind::Dong, 10), counted), (463_914, 463_914));
    }

    #[test]
    fn segments_that_are_pooled_to_nothing_are_refused() {
        assert_eq!(pooled([64, FRAMES]), Some([14, 14]));
        assert_eq!((pooled([10, 34]), pooled([9, 33])), (Some([1, 1]), Some([0, 0])));
        assert_eq!((pooled([1, 256]), pooled([64, 5])), (None, None));
        let shape = InputShape {
            spectrogram: [9, 256],
            ..InputShape::default()
        };
        let refused = (DONG.description.accepts)(&shape).unwrap_err();
        assert!(refused.contains("10 mel bands"), "{refused}");
    }

    #[test]
    fn decibels_become_the_logarithm_of_one_plus_the_power() {
        let decibels = Tensor::<4>::from_floats([[[[-100.0, 0.0, 20.0, 50.0]]]], &Device::flex());
        let logs: Vec<f32> = log_of_power(decibels).into_data().try_to_vec().unwrap();
        for (found, power) in logs.iter().zip([1e-10f32, 1.0, 100.0, 1e5]) {
            assert!((found - power.ln_1p()).abs() < 1e-4, "{found}");
        }
    }
}
