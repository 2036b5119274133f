//! The networks of Choi et al. as published with weights for 50 tags of the Million Song Dataset:
//! music-auto_tagging-keras, `MusicTaggerCRNN` and `MusicTaggerCNN`.
//!
//! They differ from `choi-crnn` and `choi-fcn`, which have the same convolutions:
//!
//! - The first batch norm runs over frames, not over mel bands, so a network takes clips of one length only. The CRNN's
//!   has 1,440 channels, the clip's 1,366 frames and 37 of zeros on both sides, and the CNN's 1,366.
//! - The input is the mel spectrogram in decibels as it is. The published networks take 20 log10 of the power.
//! - Batch norm's epsilon is 1e-3 and its momentum 0.99, and the GRUs are those of Keras 1: [`KerasGru`].
//! - The CNN has no padding, and all its values go into the last layer. It has dropout after each block.
//!
//! The papers' code takes ELU before max pooling. The order here gives the same result, because ELU is increasing.

use super::choi::{self, BANDS, CHOI_CRNN, CHOI_FCN, Plan, elu, pad};
use super::definition::{Blueprint, Defaults, Description, ModelDefinition, Network, PublishedFeatures};
use super::input::{InputShape, ModelInput};
use super::keras;
use super::keras_recurrent::KerasGru;
use super::onnx::{Graph, Value};
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, Dropout, DropoutConfig, Linear};
use burn::tensor::{DType, Device, Tensor};
use shared::dataset::Task;

/// `music-tagger-crnn`.
pub const MUSIC_TAGGER_CRNN: ModelDefinition<MusicTaggerCrnn> = ModelDefinition {
    description: Description {
        name: "music-tagger-crnn",
        paper: "published taggers of the Million Song Dataset",
        summary: "choi-crnn as its authors published it, with weights for 50 tags: batch norm per frame, Keras' GRUs",
        usual_shape: InputShape {
            samples: CLIP_SAMPLES,
            ..CHOI_CRNN.description.usual_shape
        },
        paper_seconds: Some(CLIP_SAMPLES as f64 / 12_000.0),
        normalizes_input: true,
        task: Task::MultiLabel,
        features: FEATURES,
        ..CHOI_CRNN.description
    },
    build: MusicTaggerCrnn::new,
};

/// `music-tagger-cnn`.
pub const MUSIC_TAGGER_CNN: ModelDefinition<MusicTaggerCnn> = ModelDefinition {
    description: Description {
        name: "music-tagger-cnn",
        summary: "choi-fcn as its authors published it, with weights for 50 tags: batch norm per frame, no padding",
        defaults: Defaults {
            dropout: CNN_DROPOUT,
            ..CHOI_FCN.description.defaults
        },
        accepts: |shape| match shape.spectrogram {
            [BANDS, frames] if frames >= choi::FCN_FRAMES => Ok(()),
            _ => Err(format!("{BANDS} mel bands and at least {} frames", choi::FCN_FRAMES)),
        },
        ..MUSIC_TAGGER_CRNN.description
    },
    build: MusicTaggerCnn::new,
};

/// 29.12 s at 12 kHz, whose last frame is centred on the end: 1,366 frames.
const CLIP_SAMPLES: usize = 1365 * 256;

const FEATURES: Option<PublishedFeatures> = Some(PublishedFeatures {
    preset: "choi",
    clip_samples: CLIP_SAMPLES,
});

const CNN_DROPOUT: f64 = 0.5;
/// Keras' default.
const MOMENTUM: f64 = 0.99;

/// Keras' names of the layers in the weight files, and the names of the fields here. The fifth block is the CNN's, the
/// GRUs are the CRNN's.
pub const KERAS_LAYERS: [(&str, &str); 14] = [
    ("bn_0_freq", "encoder.input_norm"),
    ("conv1", "encoder.blocks.0.conv"),
    ("conv2", "encoder.blocks.1.conv"),
    ("conv3", "encoder.blocks.2.conv"),
    ("conv4", "encoder.blocks.3.conv"),
    ("conv5", "encoder.blocks.4.conv"),
    ("bn1", "encoder.blocks.0.norm"),
    ("bn2", "encoder.blocks.1.norm"),
    ("bn3", "encoder.blocks.2.norm"),
    ("bn4", "encoder.blocks.3.norm"),
    ("bn5", "encoder.blocks.4.norm"),
    ("gru1", "gru0"),
    ("gru2", "gru1"),
    ("output", "linear"),
];

/// Batch norm per frame, then the blocks.
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
    fn new(plan: &Plan, frames: usize, dropout: &DropoutConfig, device: &Device) -> Self {
        let mut inputs = 1;
        let block = |&(outputs, pool): &(usize, [usize; 2])| Block {
            conv: keras::conv2d([std::mem::replace(&mut inputs, outputs), outputs], [3, 3], device),
            norm: keras::batch_norm(outputs, MOMENTUM, device),
            pool: MaxPool2dConfig::new(pool).with_strides(pool).init(),
            dropout: dropout.init(),
        };
        let blocks = plan.iter().map(block).collect();
        Self {
            input_norm: keras::batch_norm(frames, MOMENTUM, device),
            blocks,
        }
    }

    /// `[batch, 1, 96, frames]` to `[batch, channels, steps]`, in f32. Computes in the dtype of its input. There is no
    /// dropout after the last block, whose place differs between the networks.
    fn forward(&self, mel: Tensor<4>) -> Tensor<3> {
        let frames_as_channels = mel.swap_dims(1, 3);
        let mut x = kernels::normalize(&self.input_norm, frames_as_channels).swap_dims(1, 3);
        for (at, block) in self.blocks.iter().enumerate() {
            x = kernels::normalize(&block.norm, kernels::conv2d(&block.conv, x));
            x = elu(kernels::max_pool2d(&block.pool, x));
            if at + 1 < self.blocks.len() {
                x = block.dropout.forward(x);
            }
        }
        x.squeeze_dim(2).cast(DType::F32)
    }

    /// The nodes of [`forward`](Self::forward).
    fn nodes(&self, graph: &Graph, mel: Value) -> Value {
        let frames_as_channels = graph.permute(mel, &[0, 3, 2, 1]);
        let mut x = graph.permute(graph.batch_norm(&self.input_norm, frames_as_channels), &[0, 3, 2, 1]);
        for block in &self.blocks {
            x = graph.batch_norm(&block.norm, graph.conv2d(&block.conv, x));
            x = graph.elu(graph.max_pool2d(&block.pool, x));
        }
        graph.squeeze(x, 2)
    }
}

/// Four blocks, two of Keras' GRUs 128 → 32 → 32 over 15 steps, one dense layer. Parameters for 50 tags: 396,786.
#[derive(Module, Debug)]
pub struct MusicTaggerCrnn {
    encoder: Encoder,
    block_dropout: Dropout,
    gru0: KerasGru,
    gru1: KerasGru,
    dropout: Dropout,
    linear: Linear,
}

impl MusicTaggerCrnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let frames = padded(blueprint.shape.spectrogram[1]);
        let block_dropout = blueprint.fixed_dropout(choi::CRNN_BLOCK_DROPOUT);
        Self {
            encoder: Encoder::new(&choi::CRNN, frames, &block_dropout, device),
            block_dropout: block_dropout.init(),
            gru0: KerasGru::new(choi::CRNN[choi::CRNN.len() - 1].0, choi::HIDDEN, device),
            gru1: KerasGru::new(choi::HIDDEN, choi::HIDDEN, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear: keras::dense(choi::HIDDEN, blueprint.classes, device),
        }
    }
}

/// Frames with the zeros on both sides.
fn padded(frames: usize) -> usize {
    frames.next_multiple_of(choi::CRNN_FRAMES)
}

impl Network for MusicTaggerCrnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let mel = input.spectrogram();
        let frames = padded(mel.dims()[3]);
        let steps = self.block_dropout.forward(self.encoder.forward(pad(mel, frames)));
        self.gru1.last_state(Tensor::stack(self.gru0.states(steps), 2))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let frames = padded(graph.shape().spectrogram[1]);
        let steps = self.encoder.nodes(graph, choi::padded_spectrogram(graph, frames));
        self.gru1.last_state_nodes(graph, self.gru0.states_nodes(graph, steps))
    }
}

/// Five blocks, which give one step for 1,366 frames, and one dense layer. Parameters for 50 tags: 865,950.
#[derive(Module, Debug)]
pub struct MusicTaggerCnn {
    encoder: Encoder,
    dropout: Dropout,
    linear: Linear,
}

impl MusicTaggerCnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let frames = blueprint.shape.spectrogram[1];
        let steps = choi::FCN
            .iter()
            .fold(frames, |frames, (_, [_, across])| frames / across);
        let channels = choi::FCN[choi::FCN.len() - 1].0;
        Self {
            encoder: Encoder::new(&choi::FCN, frames, &blueprint.fixed_dropout(CNN_DROPOUT), device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear: keras::dense(channels * steps, blueprint.classes, device),
        }
    }
}

impl Network for MusicTaggerCnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        self.encoder.forward(input.spectrogram()).flatten(1, 2)
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        graph.flatten(self.encoder.nodes(graph, graph.spectrogram()))
    }
}

#[cfg(test)]
mod tests;
