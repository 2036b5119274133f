//! Paper 2: the ten most frequent tags of MagnaTagATune, from 8-bit samples and from their power spectral density.
//!
//! All blocks are a convolution that keeps the length, batch norm in some, LeakyReLU and max pooling. LeakyReLU grows
//! with its argument, so it may change places with the maximum: it is applied after pooling, to a third or a quarter of
//! the values, with the same result. The paper's table has dropout 0.2 in the blocks "up to 4": all four have it.

use super::input::{InputKind, InputShape, ModelInput, SpectrogramKind, WaveformKind};
use super::recurrence::{Recurrence, Rnn};
use super::system::{Blueprint, Defaults, Description, Network, PytorchNames, System};
use crate::kernels;
use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool1d, MaxPool1dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Gru, Linear, LinearConfig, Lstm};
use burn::nn::{PaddingConfig1d, PaddingConfig2d};
use burn::tensor::activation::leaky_relu;
use burn::tensor::{DType, Device, Tensor};

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
pub const SAMPLE_CNN: System<SampleCnn> = System {
    description: Description {
        name: "sample-cnn",
        paper: "CNN and CRNN on waveforms and power densities, MagnaTagATune",
        summary: "ten 1-D convolutions of three samples on the 8-bit waveform, two dense layers",
        input: WAVEFORM,
        defaults: DEFAULTS,
        accepts: |shape| SAMPLE_BLOCKS.accepts(shape),
        usual_shape: CLIP,
        classifier: "linear1.",
        pytorch: PytorchNames::SAME,
        needs_weights: false,
    },
    build: SampleCnn::new,
};

/// `crnn1d-rnn`.
pub const CRNN1D_RNN: System<Crnn1d<Rnn>> = crnn1d(
    "crnn1d-rnn",
    "the first seven blocks of sample-cnn, a plain recurrent layer over their steps, two dense layers",
);

/// `crnn1d-lstm`.
pub const CRNN1D_LSTM: System<Crnn1d<Lstm>> = crnn1d("crnn1d-lstm", "crnn1d-rnn with an LSTM");

/// `crnn1d-gru`.
pub const CRNN1D_GRU: System<Crnn1d<Gru>> = crnn1d("crnn1d-gru", "crnn1d-rnn with a GRU");

const fn crnn1d<R: Recurrence>(name: &'static str, summary: &'static str) -> System<Crnn1d<R>> {
    System {
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
pub const CHUNK_CNN: System<ChunkCnn> = System {
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
pub const CRNN2D_RNN: System<Crnn2d<Rnn>> = crnn2d(
    "crnn2d-rnn",
    "seven 2-D convolutions on the power density, a plain recurrent layer over their steps, one dense layer",
);

/// `crnn2d-lstm`.
pub const CRNN2D_LSTM: System<Crnn2d<Lstm>> = crnn2d("crnn2d-lstm", "crnn2d-rnn with an LSTM");

/// `crnn2d-gru`.
pub const CRNN2D_GRU: System<Crnn2d<Gru>> = crnn2d("crnn2d-gru", "crnn2d-rnn with a GRU");

const fn crnn2d<R: Recurrence>(name: &'static str, summary: &'static str) -> System<Crnn2d<R>> {
    System {
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

/// PyTorch's.
const LEAKY_SLOPE: f64 = 0.01;
/// Values of a signal's max pool, and taps of its convolutions.
const THREE: usize = 3;
const BLOCK_DROPOUT: f64 = 0.2;
/// Width of every recurrent state.
const HIDDEN: usize = 256;
/// Width of the dense layer before the classifier, where there is one.
const DENSE: usize = 100;

/// Blocks on a signal.
#[derive(Clone, Copy, Debug)]
struct SignalBlocks {
    /// Channels after each block.
    channels: &'static [usize],
    /// The first ones end with max pooling.
    pooled: usize,
    /// The first ones end with dropout.
    dropped: usize,
    /// From this one on they have batch norm.
    normalized_from: usize,
}

const SAMPLE_BLOCKS: SignalBlocks = SignalBlocks {
    channels: &[32, 64, 128, 128, 256, 256, 512, 512, 1024, 1024],
    pooled: 9,
    dropped: 4,
    normalized_from: 7,
};

const RECURRENT_BLOCKS: SignalBlocks = SignalBlocks {
    channels: SAMPLE_BLOCKS.channels.split_at(7).0,
    pooled: 7,
    ..SAMPLE_BLOCKS
};

const CHUNK_BLOCKS: SignalBlocks = SignalBlocks {
    channels: &[16, 16, 32, 64, 128, 128, 128],
    pooled: 6,
    dropped: 0,
    normalized_from: 5,
};

impl SignalBlocks {
    fn accepts(&self, shape: &InputShape) -> Result<(), String> {
        match self.steps(shape.samples) {
            0 => Err(format!("clips of at least {} samples", THREE.pow(self.pooled as u32))),
            _ => Ok(()),
        }
    }

    /// Steps that a clip of `samples` samples becomes.
    fn steps(&self, samples: usize) -> usize {
        (0..self.pooled).fold(samples, |steps, _| steps / THREE)
    }

    /// Channels of the result.
    fn width(&self) -> usize {
        self.channels[self.channels.len() - 1]
    }

    fn build(&self, device: &Device) -> Vec<SignalBlock> {
        let block = |(at, &outputs): (usize, &usize)| {
            let inputs = at.checked_sub(1).map_or(1, |before| self.channels[before]);
            let pool = MaxPool1dConfig::new(THREE).with_stride(THREE);
            SignalBlock {
                conv: Conv1dConfig::new(inputs, outputs, THREE)
                    .with_padding(PaddingConfig1d::Same)
                    .init(device),
                norm: (at >= self.normalized_from).then(|| BatchNormConfig::new(outputs).init(device)),
                pool: (at < self.pooled).then(|| pool.init()),
                dropout: DropoutConfig::new(if at < self.dropped { BLOCK_DROPOUT } else { 0.0 }).init(),
            }
        };
        self.channels.iter().enumerate().map(block).collect()
    }
}

#[derive(Module, Debug)]
struct SignalBlock {
    conv: Conv1d,
    norm: Option<BatchNorm>,
    pool: Option<MaxPool1d>,
    dropout: Dropout,
}

impl SignalBlock {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let mut x = kernels::conv1d(&self.conv, x);
        if let Some(norm) = &self.norm {
            x = kernels::normalize(norm, x);
        }
        if let Some(pool) = &self.pool {
            x = kernels::max_pool1d(pool, x);
        }
        self.dropout.forward(leaky_relu(x, LEAKY_SLOPE))
    }
}

/// `[batch, 1, samples]` to `[batch, channels, steps]`, in f32; computes in the type of its input.
fn run(blocks: &[SignalBlock], waveform: Tensor<3>) -> Tensor<3> {
    let steps = blocks.iter().fold(waveform, |x, block| block.forward(x));
    steps.cast(DType::F32)
}

/// Ten blocks, which make 23 steps of 1024 channels of a clip, and dense layers 23,552 → 100 → tags. Parameters for 10
/// tags: 8,638,486.
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
            blocks: SAMPLE_BLOCKS.build(device),
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

    fn classify(&self, features: Tensor<2>) -> Tensor<2> {
        self.linear1.forward(self.dropout.forward(features))
    }
}

/// The first seven of those blocks, which make 213 steps of 512 channels of a clip, a recurrent layer 512 → 256 whose last
/// state counts, and dense layers 256 → 100 → tags. Parameters for 10 tags: 993,302 with a plain recurrent layer,
/// 1,387,542 with a GRU, 1,584,662 with an LSTM.
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
            blocks: RECURRENT_BLOCKS.build(device),
            recurrent: R::fresh(RECURRENT_BLOCKS.width(), HIDDEN, device),
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

    fn classify(&self, features: Tensor<2>) -> Tensor<2> {
        self.linear1.forward(self.dropout.forward(features))
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
            blocks: CHUNK_BLOCKS.build(device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear: LinearConfig::new(CHUNK_BLOCKS.width(), blueprint.classes).init(device),
        }
    }
}

impl Network for ChunkCnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        run(&self.blocks, input.waveform()).max_dim(2).squeeze_dim(2)
    }

    fn classify(&self, features: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.dropout.forward(features))
    }
}

/// Channels and max pooling (frequencies × frames) of each block on the power density: 129 × 2080 becomes 64 × 1040,
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

/// Seven 2-D blocks, which make 130 steps of 128 channels of a clip, a recurrent layer 128 → 256 whose last state counts,
/// one dense layer. Parameters for 10 tags: 496,026 with a plain recurrent layer, 693,658 with a GRU, 792,474 with an
/// LSTM.
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
            convolutions.push(config.init(device));
            inputs = outputs;
        }
        let pool = |(_, size)| MaxPool2dConfig::new(size).with_strides(size).init();
        Self {
            convolutions,
            pools: PSD_BLOCKS.map(pool).to_vec(),
            recurrent: R::fresh(inputs, HIDDEN, device),
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

    fn classify(&self, features: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.dropout.forward(features))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, conv, dense, parameters, recurrent};
    use super::*;
    use crate::models::ModelKind;

    /// 128 + 6,208 + 24,704 + 49,280 + 98,560 + 196,864 + 393,728 = 769,472.
    const SEVEN: usize = conv(3, 1, 32)
        + conv(3, 32, 64)
        + conv(3, 64, 128)
        + conv(3, 128, 128)
        + conv(3, 128, 256)
        + conv(3, 256, 256)
        + conv(3, 256, 512);

    /// 786,944 + 1,573,888 + 3,146,752 = 5,507,584 more in the convolutions, 5,120 in batch norm.
    const TEN: usize = SEVEN + conv(3, 512, 512) + conv(3, 512, 1024) + conv(3, 1024, 1024) + 2 * (512 + 1024 + 1024);

    /// 64 + 784 + 1,568 + 6,208 + 24,704 + 2 · 49,280 = 131,888 with three taps, 394,640 with nine.
    const fn narrow(taps: usize) -> usize {
        conv(taps, 1, 16)
            + conv(taps, 16, 16)
            + conv(taps, 16, 32)
            + conv(taps, 32, 64)
            + conv(taps, 64, 128)
            + 2 * conv(taps, 128, 128)
    }

    #[test]
    fn parameter_counts_are_the_papers() {
        // 2,355,300 + 1,010 in the dense layers.
        let sample = TEN + dense(23 * 1024, 100) + dense(100, 10);
        // 25,700 + 1,010 in the dense layers.
        let crnn1d = |gates| SEVEN + recurrent(gates, 512, 256) + dense(256, 100) + dense(100, 10);
        // 512 in batch norm, 1,290 in the dense layer.
        let chunk = narrow(3) + 2 * (128 + 128) + dense(128, 10);
        // 2,570 in the dense layer.
        let crnn2d = |gates| narrow(9) + recurrent(gates, 128, 256) + dense(256, 10);
        for (kind, counted, stated) in [
            (ModelKind::SampleCnn, sample, 8_638_486),
            // One, four and three times 197,120 in the recurrent layer.
            (ModelKind::Crnn1dRnn, crnn1d(1), 993_302),
            (ModelKind::Crnn1dLstm, crnn1d(4), 1_584_662),
            (ModelKind::Crnn1dGru, crnn1d(3), 1_387_542),
            (ModelKind::ChunkCnn, chunk, 133_690),
            // One, four and three times 98,816 in the recurrent layer.
            (ModelKind::Crnn2dRnn, crnn2d(1), 496_026),
            (ModelKind::Crnn2dLstm, crnn2d(4), 792_474),
            (ModelKind::Crnn2dGru, crnn2d(3), 693_658),
        ] {
            assert_eq!((parameters(kind, 10), counted), (stated, stated), "{kind}");
        }
    }

    #[test]
    fn a_clip_has_the_papers_lengths_after_each_pool() {
        let device = Device::flex();
        let mut x = testing::input(1, &CLIP, &device).waveform();
        let mut lengths = Vec::new();
        for block in SAMPLE_BLOCKS.build(&device) {
            x = block.forward(x);
            lengths.push(x.dims()[2]);
        }
        assert_eq!(lengths, [155_328, 51_776, 17_258, 5752, 1917, 639, 213, 71, 23, 23]);
        assert_eq!(SAMPLE_BLOCKS.steps(CLIP.samples), 23);
        assert_eq!(RECURRENT_BLOCKS.steps(CLIP.samples), 213);
        assert_eq!(RECURRENT_BLOCKS.width(), 512);
        let blocks = CHUNK_BLOCKS.build(&device);
        let clip = InputShape { samples: 9999, ..CLIP };
        let out = run(&blocks, testing::input(2, &clip, &device).waveform());
        assert_eq!(out.dims(), [2, 128, CHUNK_BLOCKS.steps(9999)]);
    }

    #[test]
    fn blocks_have_what_the_table_gives_them() {
        let device = Device::flex();
        let of = |plan: SignalBlocks, has: fn(&SignalBlock) -> bool| -> Vec<usize> {
            let blocks = plan.build(&device).into_iter().enumerate();
            blocks.filter(|(_, block)| has(block)).map(|(at, _)| at + 1).collect()
        };
        let (norm, pool, dropout): (
            fn(&SignalBlock) -> bool,
            fn(&SignalBlock) -> bool,
            fn(&SignalBlock) -> bool,
        ) = (
            |block| block.norm.is_some(),
            |block| block.pool.is_some(),
            |block| block.dropout.prob == 0.2,
        );
        assert_eq!(of(SAMPLE_BLOCKS, norm), [8, 9, 10]);
        assert_eq!(of(SAMPLE_BLOCKS, pool), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(of(SAMPLE_BLOCKS, dropout), [1, 2, 3, 4]);
        assert!(of(RECURRENT_BLOCKS, norm).is_empty());
        assert_eq!(of(RECURRENT_BLOCKS, pool), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(of(RECURRENT_BLOCKS, dropout), [1, 2, 3, 4]);
        assert_eq!(of(CHUNK_BLOCKS, norm), [6, 7]);
        assert_eq!(of(CHUNK_BLOCKS, pool), [1, 2, 3, 4, 5, 6]);
        assert!(of(CHUNK_BLOCKS, dropout).is_empty());
    }

    #[test]
    fn a_density_has_the_papers_sizes_after_each_pool() {
        let mut size = CLIP.spectrogram;
        let sizes = PSD_BLOCKS.map(|(_, pool)| {
            size = [size[0] / pool[0], size[1] / pool[1]];
            size
        });
        let papers = [[64, 1040], [32, 520], [16, 260], [8, 130], [4, 130], [2, 130], [1, 130]];
        assert_eq!(sizes, papers);
    }

    #[test]
    fn leaky_relu_and_max_pool_change_places() {
        let x = testing::input(2, &InputShape { samples: 100, ..CLIP }, &Device::flex()).waveform();
        let pool = MaxPool1dConfig::new(THREE).with_stride(THREE).init();
        let before = pool.forward(leaky_relu(x.clone(), LEAKY_SLOPE));
        assert_eq!(leaky_relu(pool.forward(x), LEAKY_SLOPE).into_data(), before.into_data());
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let samples = |samples| InputShape { samples, ..CLIP };
        for (blocks, shortest) in [(SAMPLE_BLOCKS, 19_683), (RECURRENT_BLOCKS, 2187), (CHUNK_BLOCKS, 729)] {
            assert_eq!(blocks.accepts(&samples(shortest)), Ok(()));
            let error = blocks.accepts(&samples(shortest - 1)).unwrap_err();
            assert!(error.contains(&shortest.to_string()), "{error}");
        }
        let psd = |spectrogram| accepts_psd(&InputShape { spectrogram, ..CLIP });
        assert!(psd([128, 16]).is_ok() && psd([255, 17]).is_ok());
        assert!(psd([127, 2080]).is_err() && psd([256, 2080]).is_err() && psd([129, 15]).is_err());
    }
}
