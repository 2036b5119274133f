//! Two networks that paper 4 compares itself with: priya-dwivedi/Music_Genre_Classification, a CRNN and a parallel CNN
//! and RNN, on the official split of fma_small.
//!
//! The input is the mel spectrogram in dB relative to its maximum, cut at -80 dB. The networks take its natural
//! logarithm, in [-18.42, 0]. The authors take the maximum of a track, not of its first 640 frames.
//!
//! The authors halve the learning rate after 10 epochs without 0.01 more validation accuracy. Here it is constant by
//! default, and `--lr-schedule plateau` halves it after 3 epochs without any improvement. They keep the epoch with the
//! best validation accuracy and do not stop early.

use super::definition::{Blueprint, Defaults, Description, ModelDefinition, Monitor, Network};
use super::definition::{PublishedFeatures, PytorchNames};
use super::input::{InputKind, InputShape, ModelInput, SpectrogramKind};
use super::keras;
use super::keras_recurrent::{KerasGru, KerasLstm};
use super::onnx::{Graph, Value};
use super::optimization::OptimizerKind;
use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv2d};
use burn::nn::pool::{MaxPool1d, MaxPool1dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, Dropout, DropoutConfig, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor};
use shared::dataset::Task;

/// Frames of a clip.
const FRAMES: usize = 640;

/// `dwivedi-crnn`.
pub const DWIVEDI_CRNN: ModelDefinition<DwivediCrnn> = ModelDefinition {
    description: Description {
        name: "dwivedi-crnn",
        paper: "networks of Dwivedi that paper 4 compares with, FMA small",
        summary: "three 1-D convolutions over 640 frames of the mel spectrogram, an LSTM, two dense layers",
        input: InputKind {
            spectrogram: Some(SpectrogramKind::Mel),
            ..InputKind::NONE
        },
        defaults: Defaults {
            epochs: 70,
            patience: 0,
            monitor: Monitor::Accuracy,
            l2: &[(r"^convolutions\.", CRNN_L2), (r"^linear0\.", CRNN_L2)],
            dropout: 0.4,
            clip_frames: Some(FRAMES),
            ..Defaults::USUAL
        },
        accepts: |shape| match crnn_steps(shape.spectrogram[1]) {
            Some(1..) if shape.spectrogram[0] > 0 => Ok(()),
            _ => Err("at least one mel band and 36 frames".into()),
        },
        usual_shape: InputShape {
            samples: 0,
            spectrogram: [128, FRAMES],
            statistics: 0,
        },
        paper_seconds: Some((FRAMES * 1024) as f64 / 22_050.0),
        classifier: "linear1.",
        pytorch: PytorchNames::SAME,
        newly_initialized: &[],
        follows: None,
        needs_weights: false,
        normalizes_input: true,
        task: Task::SingleLabel,
        features: Some(PublishedFeatures {
            preset: "dwivedi",
            clip_samples: FRAMES * 1024,
        }),
    },
    build: DwivediCrnn::new,
};

/// `dwivedi-parallel`. The optimizer is RMSprop with PyTorch's constants: it averages squares with 0.99 and has an epsilon
/// of 1e-8. The authors' Keras 2 uses 0.9 and 1e-7.
pub const DWIVEDI_PARALLEL: ModelDefinition<DwivediParallel> = ModelDefinition {
    description: Description {
        name: "dwivedi-parallel",
        summary: "five 2-D convolutions next to a bidirectional GRU on 640 frames of the mel spectrogram, one dense layer",
        defaults: Defaults {
            optimizer: OptimizerKind::RmsProp,
            lr: 5e-4,
            batch_size: 64,
            epochs: 50,
            l2: &[],
            dropout: 0.0,
            ..DWIVEDI_CRNN.description.defaults
        },
        accepts: |shape| match parallel_pooled(shape.spectrogram) {
            Some([bands, frames]) if bands > 0 && frames > 0 => Ok(()),
            _ => Err("at least 128 mel bands and 222 frames".into()),
        },
        classifier: "linear.",
        ..DWIVEDI_CRNN.description
    },
    build: DwivediParallel::new,
};

/// The natural logarithm of the power, from decibels.
fn natural_log(decibels: Tensor<4>) -> Tensor<4> {
    decibels * (std::f64::consts::LN_10 / 10.0)
}

/// The nodes of [`natural_log`].
fn natural_log_nodes(graph: &Graph, decibels: Value) -> Value {
    graph.scale(decibels, std::f64::consts::LN_10 / 10.0)
}

const CRNN_L2: f32 = 1e-3;
const CRNN_CHANNELS: usize = 56;
const CRNN_KERNEL: usize = 5;
const CRNN_BLOCKS: usize = 3;
const CRNN_POOL: usize = 2;
/// Dropout after each block and after the LSTM.
const CRNN_BLOCK_DROPOUT: f64 = 0.4;
const CRNN_MOMENTUM: f64 = 0.9;
const LSTM: usize = 96;
const CRNN_DENSE: usize = 64;

/// Steps of the LSTM, or `None` if a convolution is longer than its input.
fn crnn_steps(frames: usize) -> Option<usize> {
    (0..CRNN_BLOCKS).try_fold(frames, |steps, _| Some(steps.checked_sub(CRNN_KERNEL - 1)? / CRNN_POOL))
}

/// Three convolutions with the mel bands as channels, an LSTM over their 76 steps, a dense layer without activation and
/// the classifier. Parameters for 8 classes: 133,184.
#[derive(Module, Debug)]
pub struct DwivediCrnn {
    convolutions: Vec<Conv1d>,
    norms: Vec<BatchNorm>,
    pool: MaxPool1d,
    block_dropout: Dropout,
    lstm: KerasLstm,
    linear0: Linear,
    dropout: Dropout,
    linear1: Linear,
}

impl DwivediCrnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let inputs = [blueprint.shape.spectrogram[0], CRNN_CHANNELS, CRNN_CHANNELS];
        let conv = |inputs| keras::valid_conv1d([inputs, CRNN_CHANNELS], CRNN_KERNEL, device);
        Self {
            convolutions: inputs.map(conv).into(),
            norms: inputs
                .map(|_| keras::batch_norm(CRNN_CHANNELS, CRNN_MOMENTUM, device))
                .into(),
            pool: MaxPool1dConfig::new(CRNN_POOL).with_stride(CRNN_POOL).init(),
            block_dropout: blueprint.fixed_dropout(CRNN_BLOCK_DROPOUT).init(),
            lstm: KerasLstm::new(CRNN_CHANNELS, LSTM, device),
            linear0: keras::dense(LSTM, CRNN_DENSE, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear1: keras::dense(CRNN_DENSE, blueprint.classes, device),
        }
    }
}

impl Network for DwivediCrnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let mut x = natural_log(input.spectrogram()).squeeze_dim::<3>(1);
        for (conv, norm) in self.convolutions.iter().zip(&self.norms) {
            x = kernels::normalize_relu_max_pool1d(norm, kernels::conv1d(conv, x), &self.pool);
            x = self.block_dropout.forward(x);
        }
        let hidden = self.lstm.last_hidden(x.cast(DType::F32));
        self.linear0.forward(self.block_dropout.forward(hidden))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear1.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear1
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let mut x = graph.squeeze(natural_log_nodes(graph, graph.spectrogram()), 1);
        for (conv, norm) in self.convolutions.iter().zip(&self.norms) {
            x = graph.relu(graph.batch_norm(norm, graph.conv1d(conv, x)));
            x = graph.max_pool1d(&self.pool, x);
        }
        graph.linear(&self.linear0, self.lstm.last_hidden_nodes(graph, x))
    }
}

/// Channels and max pooling (bands and frames alike) of the parallel network's convolutions.
const PARALLEL: [(usize, usize); 5] = [(16, 2), (32, 2), (64, 2), (64, 4), (64, 4)];
/// Frames of a kernel, which has one band.
const PARALLEL_KERNEL: usize = 3;
/// Bands and frames that the GRU's input is pooled by.
const GRU_POOL: [usize; 2] = [2, 4];
/// Width of the GRU's state in each direction.
const GRU: usize = 64;

/// Bands and frames after the convolutions, or `None` if a convolution is longer than its input.
fn parallel_pooled(shape: [usize; 2]) -> Option<[usize; 2]> {
    PARALLEL.iter().try_fold(shape, |[bands, frames], (_, pool)| {
        Some([bands / pool, frames.checked_sub(PARALLEL_KERNEL - 1)? / pool])
    })
}

/// Five convolutions over time, which give 64 × 1 × 4 values, next to a bidirectional GRU over 160 steps of 64 pooled
/// bands, and one dense layer. Parameters for 8 classes: 85,160.
#[derive(Module, Debug)]
pub struct DwivediParallel {
    convolutions: Vec<Conv2d>,
    pools: Vec<MaxPool2d>,
    gru_pool: MaxPool2d,
    forward: KerasGru,
    backward: KerasGru,
    dropout: Dropout,
    linear: Linear,
}

impl DwivediParallel {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let shape = blueprint.shape.spectrogram;
        let [bands, frames] = parallel_pooled(shape).expect("the shape has been accepted");
        let mut inputs = 1;
        let conv = |&(outputs, _): &(usize, usize)| {
            let channels = [std::mem::replace(&mut inputs, outputs), outputs];
            keras::valid_conv2d(channels, [1, PARALLEL_KERNEL], device)
        };
        let pool = |window: [usize; 2]| MaxPool2dConfig::new(window).with_strides(window).init();
        let gru = || KerasGru::new(shape[0] / GRU_POOL[0], GRU, device);
        let channels = PARALLEL[PARALLEL.len() - 1].0;
        Self {
            convolutions: PARALLEL.iter().map(conv).collect(),
            pools: PARALLEL.iter().map(|&(_, side)| pool([side; 2])).collect(),
            gru_pool: pool(GRU_POOL),
            forward: gru(),
            backward: gru(),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear: keras::dense(channels * bands * frames + 2 * GRU, blueprint.classes, device),
        }
    }
}

impl Network for DwivediParallel {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let mel = natural_log(input.spectrogram());
        let mut x = mel.clone();
        for (conv, pool) in self.convolutions.iter().zip(&self.pools) {
            // ReLU and max pooling commute.
            x = relu(kernels::max_pool2d(pool, kernels::conv2d(conv, x)));
        }
        let steps = kernels::max_pool2d(&self.gru_pool, mel)
            .squeeze_dim::<3>(1)
            .cast(DType::F32);
        let backward = self.backward.last_state(steps.clone().flip([2]));
        let features = x.cast(DType::F32).flatten(1, 3);
        Tensor::cat(vec![features, self.forward.last_state(steps), backward], 1)
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let mel = natural_log_nodes(graph, graph.spectrogram());
        let mut x = mel;
        for (conv, pool) in self.convolutions.iter().zip(&self.pools) {
            x = graph.relu(graph.max_pool2d(pool, graph.conv2d(conv, x)));
        }
        let steps = graph.squeeze(graph.max_pool2d(&self.gru_pool, mel), 1);
        let backward = self.backward.last_state_nodes(graph, graph.flip(steps, 2));
        let forward = self.forward.last_state_nodes(graph, steps);
        graph.concat(&[graph.flatten(x), forward, backward], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, conv, dense, parameter_count};
    use super::*;
    use crate::models::ModelKind;

    #[test]
    fn parameter_counts_match_the_notebooks() {
        // 133,520 are printed, of which 336 are running means and variances. The LSTM has one bias per gate.
        let crnn = conv(5, 128, 56) + 2 * conv(5, 56, 56) + 3 * 2 * 56;
        let crnn = crnn + 4 * (dense(56, 96) + 96 * 96) + dense(96, 64) + dense(64, 8);
        let cnn = conv(3, 1, 16) + conv(3, 16, 32) + conv(3, 32, 64) + 2 * conv(3, 64, 64);
        let parallel = cnn + 2 * 3 * (dense(64, 64) + 64 * 64) + dense(384, 8);
        for (kind, counted, stated) in [
            (ModelKind::DwivediCrnn, crnn, 133_184),
            (ModelKind::DwivediParallel, parallel, 85_160),
        ] {
            assert_eq!((parameter_count(kind, 8), counted), (stated, stated), "{kind}");
        }
    }

    #[test]
    fn steps_and_pools_match_the_notebooks() {
        assert_eq!(crnn_steps(FRAMES), Some(76));
        assert_eq!(parallel_pooled([128, FRAMES]), Some([1, 4]));
        assert_eq!(
            (crnn_steps(36), crnn_steps(35), crnn_steps(3)),
            (Some(1), Some(0), None)
        );
        assert_eq!(parallel_pooled([128, 222]), Some([1, 1]));
        assert_eq!(parallel_pooled([127, 221]), Some([0, 0]));
        let refused = |kind: ModelKind, spectrogram| {
            (kind.description().accepts)(&InputShape {
                spectrogram,
                ..InputShape::default()
            })
            .is_err()
        };
        assert!(refused(ModelKind::DwivediCrnn, [128, 35]) && !refused(ModelKind::DwivediCrnn, [1, 36]));
        assert!(refused(ModelKind::DwivediParallel, [127, 640]) && !refused(ModelKind::DwivediParallel, [128, 222]));
    }

    #[test]
    fn decibels_become_natural_logarithms() {
        let decibels = Tensor::<4>::from_floats([[[[0.0, -10.0, -80.0]]]], &Device::flex());
        let logs: Vec<f32> = natural_log(decibels).into_data().try_to_vec().unwrap();
        for (found, power) in logs.iter().zip([1.0f32, 0.1, 1e-8]) {
            assert!((found - power.ln()).abs() < 1e-5, "{found}");
        }
    }

    #[test]
    fn the_backward_gru_sees_the_last_frame_first() {
        let device = Device::flex();
        let shape = InputShape {
            spectrogram: [128, 224],
            ..InputShape::default()
        };
        let blueprint = Blueprint {
            shape,
            classes: 3,
            dropout: 0.0,
        };
        let mut model = DwivediParallel::new(&blueprint, &device);
        // The same weights in both directions: a clip and its reverse then swap the two halves.
        model.backward = model.forward.clone();
        let input = testing::input(1, &shape, &device);
        let reversed = ModelInput {
            spectrogram: input.spectrogram.clone().map(|mel| mel.flip([3])),
            ..input.clone()
        };
        let states = |input: &ModelInput, begin: usize| model.embed(input).narrow(1, begin, GRU);
        let error = (states(&input, 64) - states(&reversed, 64 + GRU))
            .abs()
            .max()
            .into_scalar::<f32>();
        assert!(error < 1e-6, "{error}");
        let difference = (states(&input, 64) - states(&input, 64 + GRU))
            .abs()
            .max()
            .into_scalar::<f32>();
        assert!(difference > 1e-3, "{difference}");
    }
}
