//! Paper 2: the ten most frequent tags of MagnaTagATune, from 8-bit samples and from their power spectral density.
//!
//! Each block is a convolution with "same" padding, batch norm in some, LeakyReLU and max pooling. LeakyReLU is
//! increasing, so it commutes with max pooling. Here it is applied after pooling, to a third or a quarter of the
//! values. According to the paper's table, the first four blocks have dropout and the later ones do not.

mod signal_blocks;

use super::definition::{Blueprint, Defaults, Description, ModelDefinition, Network, PytorchNames};
use super::input::{InputKind, InputShape, ModelInput, SpectrogramKind, WaveformKind};
use super::onnx::{Graph, Value};
use super::recurrence::{Recurrence, Rnn};
use burn::module::{Initializer, Module};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Gru, Linear, LinearConfig, Lstm, PaddingConfig2d};
use burn::tensor::activation::leaky_relu;
use burn::tensor::{DType, Device, Tensor};
use shared::dataset::Task;
use signal_blocks::{BLOCK_DROPOUT, CHUNK_BLOCKS, RECURRENT_BLOCKS, SAMPLE_BLOCKS, SignalBlock, run, run_nodes};

const WAVEFORM: InputKind = InputKind {
    waveform: Some(WaveformKind::Pcm8),
    ..InputKind::NONE
};

const PSD: InputKind = InputKind {
    spectrogram: Some(SpectrogramKind::Psd),
    ..InputKind::NONE
};

/// A clip of MagnaTagATune: 29.1 s at 16 kHz.
const CLIP: InputShape = InputShape {
    samples: 465_984,
    spectrogram: [129, 2080],
    statistics: 0,
};

const DEFAULTS: Defaults = Defaults {
    batch_size: 16,
    epochs: 10,
    patience: 0,
    dropout: 0.1,
    ..Defaults::USUAL
};

/// `sample-cnn`.
pub const SAMPLE_CNN: ModelDefinition<SampleCnn> = ModelDefinition {
    description: Description {
        name: "sample-cnn",
        paper: "CNN and CRNN on waveforms and power spectral densities, MagnaTagATune",
        summary: "ten 1-D convolutions of three samples on the 8-bit waveform, two dense layers",
        input: WAVEFORM,
        defaults: DEFAULTS,
        accepts: |shape| SAMPLE_BLOCKS.accepts(shape),
        usual_shape: CLIP,
        paper_seconds: Some(465_984.0 / 16_000.0),
        classifier: "linear1.",
        pytorch: PytorchNames::SAME,
        newly_initialized: &[],
        follows: None,
        needs_weights: false,
        normalizes_input: false,
        task: Task::MultiLabel,
        features: None,
    },
    build: SampleCnn::new,
};

/// `crnn1d-rnn`.
pub const CRNN1D_RNN: ModelDefinition<Crnn1d<Rnn>> = crnn1d(
    "crnn1d-rnn",
    "the first seven blocks of sample-cnn, a plain recurrent layer over their steps, two dense layers",
);

/// `crnn1d-lstm`.
pub const CRNN1D_LSTM: ModelDefinition<Crnn1d<Lstm>> = crnn1d("crnn1d-lstm", "crnn1d-rnn with an LSTM");

/// `crnn1d-gru`.
pub const CRNN1D_GRU: ModelDefinition<Crnn1d<Gru>> = crnn1d("crnn1d-gru", "crnn1d-rnn with a GRU");

const fn crnn1d<R: Recurrence>(name: &'static str, summary: &'static str) -> ModelDefinition<Crnn1d<R>> {
    ModelDefinition {
        description: Description {
            name,
            summary,
            accepts: |shape| RECURRENT_BLOCKS.accepts(shape),
            ..SAMPLE_CNN.description
        },
        build: Crnn1d::new,
    }
}

/// `chunk-cnn`.
pub const CHUNK_CNN: ModelDefinition<ChunkCnn> = ModelDefinition {
    description: Description {
        name: "chunk-cnn",
        summary: "seven narrow blocks like sample-cnn's, global max pooling, one dense layer",
        accepts: |shape| CHUNK_BLOCKS.accepts(shape),
        classifier: "linear.",
        ..SAMPLE_CNN.description
    },
    build: ChunkCnn::new,
};

/// `crnn2d-rnn`.
pub const CRNN2D_RNN: ModelDefinition<Crnn2d<Rnn>> = crnn2d(
    "crnn2d-rnn",
    "seven 2-D convolutions on the power spectral density, a plain recurrent layer over their steps, one dense layer",
);

/// `crnn2d-lstm`.
pub const CRNN2D_LSTM: ModelDefinition<Crnn2d<Lstm>> = crnn2d("crnn2d-lstm", "crnn2d-rnn with an LSTM");

/// `crnn2d-gru`.
pub const CRNN2D_GRU: ModelDefinition<Crnn2d<Gru>> = crnn2d("crnn2d-gru", "crnn2d-rnn with a GRU");

const fn crnn2d<R: Recurrence>(name: &'static str, summary: &'static str) -> ModelDefinition<Crnn2d<R>> {
    ModelDefinition {
        description: Description {
            name,
            summary,
            input: PSD,
            accepts: accepts_psd,
            classifier: "linear.",
            ..SAMPLE_CNN.description
        },
        build: Crnn2d::new,
    }
}

/// Weight initialization of convolutions, with zero biases. The paper does not specify it. Seven layers without batch
/// norm lose almost all signal with PyTorch's defaults: for power spectral densities, whose mean is about 1e-5, the last layer's
/// values differ by only 2e-7 between clips, and the loss does not fall.
const HE_NORMAL: Initializer = Initializer::KaimingNormal {
    gain: std::f64::consts::SQRT_2,
    fan_out_only: false,
};

const LEAKY_SLOPE: f64 = 0.01;
/// Width of every recurrent state.
const HIDDEN: usize = 256;
/// Width of the dense layer before the classifier, in models that have one.
const DENSE: usize = 100;

/// Ten blocks, which give 23 steps of 1024 channels for a default clip, and dense layers 23,552 → 100 → tags.
/// Parameters for 10 tags: 8,638,486.
#[derive(Module, Debug)]
pub struct SampleCnn {
    blocks: Vec<SignalBlock>,
    linear0: Linear,
    dropout: Dropout,
    linear1: Linear,
}

impl SampleCnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let steps = SAMPLE_BLOCKS.steps(blueprint.shape.samples);
        Self {
            blocks: SAMPLE_BLOCKS.build(&blueprint.fixed_dropout(BLOCK_DROPOUT), device),
            linear0: LinearConfig::new(steps * SAMPLE_BLOCKS.width(), DENSE).init(device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear1: LinearConfig::new(DENSE, blueprint.classes).init(device),
        }
    }
}

impl Network for SampleCnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let steps = run(&self.blocks, input.waveform());
        leaky_relu(self.linear0.forward(steps.flatten(1, 2)), LEAKY_SLOPE)
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear1.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear1
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let steps = run_nodes(&self.blocks, graph);
        graph.leaky_relu(graph.linear(&self.linear0, graph.flatten(steps)), LEAKY_SLOPE)
    }
}

/// The first seven blocks of [`SampleCnn`], which give 213 steps of 512 channels for a default clip, a recurrent layer
/// 512 → 256, of which the last state is used, and dense layers 256 → 100 → tags. Parameters for 10 tags: 993,302 with
/// a plain recurrent layer, 1,387,542 with a GRU, 1,584,662 with an LSTM.
#[derive(Module, Debug)]
pub struct Crnn1d<R> {
    blocks: Vec<SignalBlock>,
    recurrent: R,
    linear0: Linear,
    dropout: Dropout,
    linear1: Linear,
}

impl<R: Recurrence> Crnn1d<R> {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            blocks: RECURRENT_BLOCKS.build(&blueprint.fixed_dropout(BLOCK_DROPOUT), device),
            recurrent: R::init(RECURRENT_BLOCKS.width(), HIDDEN, device),
            linear0: LinearConfig::new(HIDDEN, DENSE).init(device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear1: LinearConfig::new(DENSE, blueprint.classes).init(device),
        }
    }
}

impl<R: Recurrence> Network for Crnn1d<R> {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let state = self.recurrent.last_hidden(run(&self.blocks, input.waveform()));
        leaky_relu(self.linear0.forward(state), LEAKY_SLOPE)
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear1.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear1
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let state = self.recurrent.last_hidden_nodes(graph, run_nodes(&self.blocks, graph));
        graph.leaky_relu(graph.linear(&self.linear0, state), LEAKY_SLOPE)
    }
}

/// Seven narrow blocks, the maximum over their steps, one dense layer. Parameters for 10 tags: 133,690.
#[derive(Module, Debug)]
pub struct ChunkCnn {
    blocks: Vec<SignalBlock>,
    dropout: Dropout,
    linear: Linear,
}

impl ChunkCnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            blocks: CHUNK_BLOCKS.build(&blueprint.fixed_dropout(BLOCK_DROPOUT), device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear: LinearConfig::new(CHUNK_BLOCKS.width(), blueprint.classes).init(device),
        }
    }
}

impl Network for ChunkCnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        run(&self.blocks, input.waveform()).max_dim(2).squeeze_dim(2)
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        graph.max(run_nodes(&self.blocks, graph), &[2])
    }
}

/// Channels and max pooling (frequencies × frames) of each block on the power spectral density: 129 × 2080 becomes 64 × 1040,
/// 32 × 520, 16 × 260, 8 × 130, 4 × 130, 2 × 130, 1 × 130.
const PSD_BLOCKS: [(usize, [usize; 2]); 7] = [
    (16, [2, 2]),
    (16, [2, 2]),
    (32, [2, 2]),
    (64, [2, 2]),
    (128, [2, 1]),
    (128, [2, 1]),
    (128, [2, 1]),
];

fn accepts_psd(shape: &InputShape) -> Result<(), String> {
    let [frequencies, frames] = PSD_BLOCKS.iter().fold(shape.spectrogram, |[rows, columns], (_, pool)| {
        [rows / pool[0], columns / pool[1]]
    });
    if frequencies == 1 && frames > 0 {
        Ok(())
    } else {
        Err("128 to 255 frequencies and at least 16 frames".into())
    }
}

/// Seven 2-D blocks, which give 130 steps of 128 channels for a default clip, a recurrent layer 128 → 256, of which the
/// last state is used, and one dense layer. Parameters for 10 tags: 496,026 with a plain recurrent layer, 693,658 with
/// a GRU, 792,474 with an LSTM.
#[derive(Module, Debug)]
pub struct Crnn2d<R> {
    convolutions: Vec<Conv2d>,
    pools: Vec<MaxPool2d>,
    recurrent: R,
    dropout: Dropout,
    linear: Linear,
}

impl<R: Recurrence> Crnn2d<R> {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let mut inputs = 1;
        let mut convolutions = Vec::with_capacity(PSD_BLOCKS.len());
        for (outputs, _) in PSD_BLOCKS {
            let config = Conv2dConfig::new([inputs, outputs], [3, 3]).with_padding(PaddingConfig2d::Same);
            let mut conv = config.with_initializer(HE_NORMAL).init(device);
            conv.bias = Some(Initializer::Zeros.init([outputs], device));
            convolutions.push(conv);
            inputs = outputs;
        }
        let pool = |(_, size)| MaxPool2dConfig::new(size).with_strides(size).init();
        Self {
            convolutions,
            pools: PSD_BLOCKS.map(pool).to_vec(),
            recurrent: R::init(inputs, HIDDEN, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear: LinearConfig::new(HIDDEN, blueprint.classes).init(device),
        }
    }
}

impl<R: Recurrence> Network for Crnn2d<R> {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let mut x = input.spectrogram();
        for (conv, pool) in self.convolutions.iter().zip(&self.pools) {
            x = leaky_relu(kernels::max_pool2d(pool, kernels::conv2d(conv, x)), LEAKY_SLOPE);
        }
        self.recurrent.last_hidden(x.squeeze_dim(2).cast(DType::F32))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let mut x = graph.spectrogram();
        for (conv, pool) in self.convolutions.iter().zip(&self.pools) {
            x = graph.leaky_relu(graph.max_pool2d(pool, graph.conv2d(conv, x)), LEAKY_SLOPE);
        }
        self.recurrent.last_hidden_nodes(graph, graph.squeeze(x, 2))
    }
}

#[cfg(test)]
mod tests;
