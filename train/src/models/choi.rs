//! Paper 3: genres of GTZAN from 96 mel bands at 12 kHz, with the fully convolutional network (Choi et al. 2016,
//! arXiv:1606.00298) and the convolutional recurrent network (Choi et al. 2017, arXiv:1609.04243).
//!
//! These are the networks as one trains them. [`super::music_tagger`] has them as their authors published them, with
//! weights.
//!
//! Details that the papers omit follow the authors' Keras implementation, music-auto_tagging-keras, with three
//! exceptions. Its first batch norm is named `bn_0_freq` but runs over the time axis, which only allows clips of one
//! length; here it runs over the mel bands. Batch norm's momentum (0.1) and epsilon (1e-5) and the GRUs, which apply
//! the reset gate after the product, are PyTorch's. Max pooling comes before ELU, which gives the same result because
//! ELU is increasing.

use super::definition::{Blueprint, Defaults, Description, ModelDefinition, Network, PytorchNames};
use super::input::{InputKind, InputShape, ModelInput, SpectrogramKind};
use super::keras;
use super::onnx::{Graph, Value};
use super::recurrence::{Recurrence, gru_states, gru_states_nodes};
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Gru, Linear};
use burn::tensor::activation::relu;
use burn::tensor::ops::PadMode;
use burn::tensor::{DType, Device, Tensor};
use shared::dataset::Task;

/// `choi-fcn`.
pub const CHOI_FCN: ModelDefinition<ChoiFcn> = ModelDefinition {
    description: Description {
        name: "choi-fcn",
        paper: "fully convolutional and convolutional recurrent networks, GTZAN",
        summary: "five 2-D convolutions that make one value per channel of the mel spectrogram, one dense layer",
        input: InputKind {
            spectrogram: Some(SpectrogramKind::Mel),
            ..InputKind::NONE
        },
        defaults: Defaults {
            batch_size: 16,
            epochs: 40,
            dropout: 0.0,
            ..Defaults::USUAL
        },
        accepts,
        usual_shape: InputShape {
            samples: 1366 * 256,
            spectrogram: [BANDS, 1366],
            statistics: 0,
        },
        paper_seconds: Some(349_696.0 / 12_000.0),
        classifier: "linear.",
        pytorch: PytorchNames::SAME,
        newly_initialized: &[],
        follows: None,
        needs_weights: false,
        normalizes_input: false,
        task: Task::SingleLabel,
        features: None,
    },
    build: ChoiFcn::new,
};

/// `choi-crnn`.
pub const CHOI_CRNN: ModelDefinition<ChoiCrnn> = ModelDefinition {
    description: Description {
        name: "choi-crnn",
        summary: "four 2-D convolutions on the mel spectrogram, two GRUs over their steps, one dense layer",
        defaults: Defaults {
            dropout: 0.3,
            ..CHOI_FCN.description.defaults
        },
        ..CHOI_FCN.description
    },
    build: ChoiCrnn::new,
};

/// Mel bands, which the pools reduce to one.
pub(super) const BANDS: usize = 96;

/// Channels and max pooling (bands × frames) of each block.
pub(super) type Plan = [(usize, [usize; 2])];

pub(super) const FCN: [(usize, [usize; 2]); 5] =
    [(32, [2, 4]), (128, [2, 4]), (128, [2, 4]), (192, [3, 5]), (256, [4, 4])];
/// Frames that the pools reduce to one step.
pub(super) const FCN_FRAMES: usize = 4 * 4 * 4 * 5 * 4;

pub(super) const CRNN: [(usize, [usize; 2]); 4] = [(64, [2, 2]), (128, [3, 3]), (128, [4, 4]), (128, [4, 4])];
/// Frames that the pools reduce to one step.
pub(super) const CRNN_FRAMES: usize = 2 * 3 * 4 * 4;
pub(super) const CRNN_BLOCK_DROPOUT: f64 = 0.1;
pub(super) const HIDDEN: usize = 32;

fn accepts(shape: &InputShape) -> Result<(), String> {
    match shape.spectrogram {
        [BANDS, frames] if frames > 0 => Ok(()),
        _ => Err(format!("{BANDS} mel bands and at least one frame")),
    }
}

/// Batch norm per mel band, then the blocks.
#[derive(Module, Debug)]
struct Encoder {
    input_norm: BatchNorm,
    blocks: Vec<Block>,
}

#[derive(Module, Debug)]
struct Block {
    conv: Conv2d,
    norm: BatchNorm,
    pool: MaxPool2d,
    dropout: Dropout,
}

impl Encoder {
    fn new(plan: &Plan, dropout: &DropoutConfig, device: &Device) -> Self {
        let mut inputs = 1;
        let mut blocks = Vec::with_capacity(plan.len());
        for &(outputs, pool) in plan {
            blocks.push(Block {
                conv: keras::conv2d([inputs, outputs], [3, 3], device),
                norm: BatchNormConfig::new(outputs).init(device),
                pool: MaxPool2dConfig::new(pool).with_strides(pool).init(),
                dropout: dropout.init(),
            });
            inputs = outputs;
        }
        Self {
            input_norm: BatchNormConfig::new(BANDS).init(device),
            blocks,
        }
    }

    /// `[batch, 1, 96, frames]` to `[batch, channels, steps]`, in f32. Computes in the dtype of its input.
    fn forward(&self, mel: Tensor<4>) -> Tensor<3> {
        let mut x = self.normalize_bands(mel);
        for block in &self.blocks {
            x = kernels::normalize(&block.norm, kernels::conv2d(&block.conv, x));
            x = block.dropout.forward(elu(kernels::max_pool2d(&block.pool, x)));
        }
        x.squeeze_dim(2).cast(DType::F32)
    }

    /// The nodes of [`forward`](Self::forward).
    fn nodes(&self, graph: &Graph, mel: Value) -> Value {
        let bands_as_channels = graph.permute(mel, &[0, 2, 1, 3]);
        let mut x = graph.permute(graph.batch_norm(&self.input_norm, bands_as_channels), &[0, 2, 1, 3]);
        for block in &self.blocks {
            x = graph.batch_norm(&block.norm, graph.conv2d(&block.conv, x));
            x = graph.elu(graph.max_pool2d(&block.pool, x));
        }
        graph.squeeze(x, 2)
    }

    fn normalize_bands(&self, mel: Tensor<4>) -> Tensor<4> {
        let [batch, _, bands, frames] = mel.dims();
        let bands_as_channels = mel.reshape([batch, bands, 1, frames]);
        kernels::normalize(&self.input_norm, bands_as_channels).reshape([batch, 1, bands, frames])
    }
}

/// Pads with zeros on both sides to `frames` frames.
pub(super) fn pad(mel: Tensor<4>, frames: usize) -> Tensor<4> {
    let missing = frames - mel.dims()[3];
    let sides = [(0, 0), (0, 0), (0, 0), (missing / 2, missing - missing / 2)];
    mel.pad(sides, PadMode::Constant(0.0))
}

/// The nodes of [`pad`] for the spectrogram that is the input.
pub(super) fn padded_spectrogram(graph: &Graph, frames: usize) -> Value {
    let missing = (frames - graph.shape().spectrogram[1]) as i64;
    graph.pad(
        graph.spectrogram(),
        &[0, 0, 0, missing / 2],
        &[0, 0, 0, missing - missing / 2],
    )
}

/// `x` above zero, `exp(x) - 1` below. Burn's own ELU also takes the exponential of large values, whose infinite
/// gradient becomes NaN when it is masked.
pub(super) fn elu(x: Tensor<4>) -> Tensor<4> {
    relu(x.clone()) + (x.clamp_max(0.0).exp() - 1.0)
}

/// Five blocks, the maximum over the steps (one for a default clip), and one dense layer. Parameters for 10 classes:
/// 853,130.
#[derive(Module, Debug)]
pub struct ChoiFcn {
    encoder: Encoder,
    dropout: Dropout,
    linear: Linear,
}

impl ChoiFcn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            encoder: Encoder::new(&FCN, &DropoutConfig::new(0.0), device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear: keras::dense(FCN[FCN.len() - 1].0, blueprint.classes, device),
        }
    }
}

impl Network for ChoiFcn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let mel = input.spectrogram();
        let frames = mel.dims()[3].max(FCN_FRAMES);
        self.encoder.forward(pad(mel, frames)).max_dim(2).squeeze_dim(2)
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let frames = graph.shape().spectrogram[1].max(FCN_FRAMES);
        graph.max(self.encoder.nodes(graph, padded_spectrogram(graph, frames)), &[2])
    }
}

/// Four blocks, which give 15 steps of 128 channels for a default clip, two GRUs 128 → 32 → 32 and one dense layer.
/// Parameters for 10 classes: 392,970.
#[derive(Module, Debug)]
pub struct ChoiCrnn {
    encoder: Encoder,
    gru0: Gru,
    gru1: Gru,
    dropout: Dropout,
    linear: Linear,
}

impl ChoiCrnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            encoder: Encoder::new(&CRNN, &blueprint.fixed_dropout(CRNN_BLOCK_DROPOUT), device),
            gru0: Gru::init(CRNN[CRNN.len() - 1].0, HIDDEN, device),
            gru1: Gru::init(HIDDEN, HIDDEN, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear: keras::dense(HIDDEN, blueprint.classes, device),
        }
    }
}

impl Network for ChoiCrnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let mel = input.spectrogram();
        let frames = mel.dims()[3].next_multiple_of(CRNN_FRAMES);
        let states = gru_states(&self.gru0, self.encoder.forward(pad(mel, frames)));
        self.gru1.last_hidden(Tensor::stack(states, 2))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let frames = graph.shape().spectrogram[1].next_multiple_of(CRNN_FRAMES);
        let steps = self.encoder.nodes(graph, padded_spectrogram(graph, frames));
        self.gru1
            .last_hidden_nodes(graph, gru_states_nodes(&self.gru0, graph, steps))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, conv, dense, parameter_count, recurrent};
    use super::*;
    use crate::models::ModelKind;
    use burn::tensor::{Int, activation};

    #[test]
    fn parameter_counts_match_the_paper() {
        // 320 + 36,992 + 147,584 + 221,376 + 442,624 = 848,896 in the convolutions, 1,664 in batch norm, 2,570 in the
        // dense layer.
        let fcn = conv(9, 1, 32) + conv(9, 32, 128) + conv(9, 128, 128) + conv(9, 128, 192) + conv(9, 192, 256);
        let fcn = fcn + 2 * (96 + 32 + 128 + 128 + 192 + 256) + dense(256, 10);
        // 640 + 73,856 + 2 · 147,584 = 369,664 in the convolutions, 1,088 in batch norm, 15,552 + 6,336 in the GRUs,
        // 330 in the dense layer.
        let crnn = conv(9, 1, 64) + conv(9, 64, 128) + 2 * conv(9, 128, 128) + 2 * (96 + 64 + 3 * 128);
        let crnn = crnn + recurrent(3, 128, 32) + recurrent(3, 32, 32) + dense(32, 10);
        for (kind, counted, stated) in [(ModelKind::ChoiFcn, fcn, 853_130), (ModelKind::ChoiCrnn, crnn, 392_970)] {
            assert_eq!((parameter_count(kind, 10), counted), (stated, stated), "{kind}");
        }
    }

    fn steps(plan: &Plan, frames: usize) -> [usize; 3] {
        let device = Device::flex();
        // Few channels keep the test fast. Only pooling matters here.
        let narrow: Vec<_> = plan.iter().map(|&(_, pool)| (2, pool)).collect();
        let mel = Tensor::ones([1, 1, BANDS, frames], &device);
        Encoder::new(&narrow, &DropoutConfig::new(0.0), &device)
            .forward(mel)
            .dims()
    }

    #[test]
    fn pooling_gives_1_fcn_step_and_15_crnn_steps() {
        assert_eq!(steps(&FCN, 1366), [1, 2, 1]);
        assert_eq!(steps(&FCN, FCN_FRAMES), [1, 2, 1]);
        assert_eq!(steps(&FCN, 2560), [1, 2, 2]);
        assert_eq!(steps(&CRNN, 1366_usize.next_multiple_of(CRNN_FRAMES)), [1, 2, 15]);
    }

    #[test]
    fn clips_of_any_length_are_accepted() {
        let device = Device::flex();
        for kind in [ModelKind::ChoiFcn, ModelKind::ChoiCrnn] {
            let model = testing::model(kind, 10, &device);
            for frames in [1, 97, 2600] {
                let shape = InputShape {
                    spectrogram: [BANDS, frames],
                    ..CHOI_FCN.description.usual_shape
                };
                assert_eq!((kind.description().accepts)(&shape), Ok(()));
                let logits = model.forward(testing::input(1, &shape, &device));
                assert_eq!(logits.dims(), [1, 10], "{kind}, {frames}");
            }
        }
        let wrong = InputShape {
            spectrogram: [128, 1366],
            ..CHOI_FCN.description.usual_shape
        };
        assert!(accepts(&wrong).unwrap_err().contains("96 mel bands"));
    }

    #[test]
    fn padding_is_on_both_sides() {
        let device = Device::flex();
        let mel = testing::input(2, &CHOI_FCN.description.usual_shape, &device).spectrogram();
        let padded = pad(mel.clone(), 1366_usize.next_multiple_of(CRNN_FRAMES));
        let side = Tensor::zeros([2, 1, BANDS, 37], &device);
        let expected = Tensor::cat(vec![side.clone(), mel, side], 3);
        assert_eq!(padded.into_data(), expected.into_data());
        let odd = pad(Tensor::ones([1, 1, 1, 2], &device), 5)
            .into_data()
            .try_to_vec::<f32>();
        assert_eq!(odd.unwrap(), [0.0, 1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn each_band_is_normalized_separately() {
        let device = Device::flex().autodiff();
        let encoder = Encoder::new(&[], &DropoutConfig::new(0.0), &device);
        let mel = testing::input(3, &CHOI_FCN.description.usual_shape, &device).spectrogram();
        let scale = Tensor::<1, Int>::arange(1..BANDS as i64 + 1, &device).float();
        let x = encoder.normalize_bands(mel * scale.reshape([1, 1, BANDS, 1]));
        let per_band: Tensor<2> = x.swap_dims(0, 2).flatten(1, 3);
        let error = (per_band.var(1).sqrt() - 1.0).abs().max().into_scalar::<f32>();
        assert!(error < 1e-3, "{error}");
    }

    #[test]
    fn elu_matches_burn_and_has_finite_gradients() {
        let device = Device::flex().autodiff();
        let x = Tensor::<1>::from_floats([-200.0, -1.5, -1e-4, 0.0, 1e-4, 2.0, 200.0], &device);
        let x = x.reshape([1, 1, 1, 7]).require_grad();
        let ours = elu(x.clone());
        let burns = activation::elu(x.clone(), 1.0);
        assert!((ours.clone() - burns).abs().max().into_scalar::<f32>() < 1e-7);
        let gradients = x.grad(&ours.sum().backward()).unwrap();
        let gradients: Vec<f32> = gradients.into_data().try_to_vec().unwrap();
        // 1 above zero, exp(x) below.
        for (gradient, expected) in gradients.iter().zip([0.0, 0.22313, 0.9999, 1.0, 1.0, 1.0, 1.0]) {
            assert!((gradient - expected).abs() < 1e-5, "{gradients:?}");
        }
    }
}
