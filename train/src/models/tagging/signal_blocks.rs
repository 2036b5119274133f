//! The blocks of paper 2 on 8-bit samples: convolutions of three samples.

use super::{HE_NORMAL, LEAKY_SLOPE};
use crate::models::InputShape;
use crate::models::onnx::{Graph, Value};
use burn::module::{Initializer, Module};
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::pool::{MaxPool1d, MaxPool1dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, PaddingConfig1d};
use burn::tensor::activation::leaky_relu;
use burn::tensor::{DType, Device, Tensor};

/// Kernel and pool size of the 1-D blocks.
const THREE: usize = 3;
pub const BLOCK_DROPOUT: f64 = 0.2;

/// The blocks of a 1-D encoder.
#[derive(Clone, Copy, Debug)]
pub struct SignalBlocks {
    channels: &'static [usize],
    /// Number of blocks, from the first, with max pooling.
    pooled: usize,
    /// Number of blocks, from the first, with dropout.
    dropped: usize,
    /// Index of the first block with batch norm. All later ones have it too.
    normalized_from: usize,
}

pub const SAMPLE_BLOCKS: SignalBlocks = SignalBlocks {
    channels: &[32, 64, 128, 128, 256, 256, 512, 512, 1024, 1024],
    pooled: 9,
    dropped: 4,
    normalized_from: 7,
};

pub const RECURRENT_BLOCKS: SignalBlocks = SignalBlocks {
    channels: SAMPLE_BLOCKS.channels.split_at(7).0,
    pooled: 7,
    ..SAMPLE_BLOCKS
};

pub const CHUNK_BLOCKS: SignalBlocks = SignalBlocks {
    channels: &[16, 16, 32, 64, 128, 128, 128],
    pooled: 6,
    dropped: 0,
    normalized_from: 5,
};

impl SignalBlocks {
    pub fn accepts(&self, shape: &InputShape) -> Result<(), String> {
        match self.steps(shape.samples) {
            0 => Err(format!("clips of at least {} samples", THREE.pow(self.pooled as u32))),
            _ => Ok(()),
        }
    }

    /// Number of steps for a clip of `samples` samples.
    pub fn steps(&self, samples: usize) -> usize {
        (0..self.pooled).fold(samples, |steps, _| steps / THREE)
    }

    /// Channels of the output.
    pub fn width(&self) -> usize {
        self.channels[self.channels.len() - 1]
    }

    /// `dropout` is that of the first blocks.
    pub fn build(&self, dropout: &DropoutConfig, device: &Device) -> Vec<SignalBlock> {
        let block = |(at, &outputs): (usize, &usize)| {
            let inputs = at.checked_sub(1).map_or(1, |before| self.channels[before]);
            let pool = MaxPool1dConfig::new(THREE).with_stride(THREE);
            let conv = Conv1dConfig::new(inputs, outputs, THREE).with_padding(PaddingConfig1d::Same);
            let mut conv = conv.with_initializer(HE_NORMAL).init(device);
            conv.bias = Some(Initializer::Zeros.init([outputs], device));
            SignalBlock {
                conv,
                norm: (at >= self.normalized_from).then(|| BatchNormConfig::new(outputs).init(device)),
                pool: (at < self.pooled).then(|| pool.init()),
                dropout: DropoutConfig::new(if at < self.dropped { dropout.prob } else { 0.0 }).init(),
            }
        };
        self.channels.iter().enumerate().map(block).collect()
    }
}

#[derive(Module, Debug)]
pub struct SignalBlock {
    conv: Conv1d,
    norm: Option<BatchNorm>,
    pool: Option<MaxPool1d>,
    dropout: Dropout,
}

impl SignalBlock {
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let mut x = kernels::conv1d(&self.conv, x);
        if let Some(norm) = &self.norm {
            x = kernels::normalize(norm, x);
        }
        if let Some(pool) = &self.pool {
            x = kernels::max_pool1d(pool, x);
        }
        self.dropout.forward(leaky_relu(x, LEAKY_SLOPE))
    }

    fn nodes(&self, graph: &Graph, x: Value) -> Value {
        let mut x = graph.conv1d(&self.conv, x);
        if let Some(norm) = &self.norm {
            x = graph.batch_norm(norm, x);
        }
        if let Some(pool) = &self.pool {
            x = graph.max_pool1d(pool, x);
        }
        graph.leaky_relu(x, LEAKY_SLOPE)
    }
}

/// `[batch, 1, samples]` to `[batch, channels, steps]`, in f32. Computes in the dtype of its input.
pub fn run(blocks: &[SignalBlock], waveform: Tensor<3>) -> Tensor<3> {
    let steps = blocks.iter().fold(waveform, |x, block| block.forward(x));
    steps.cast(DType::F32)
}

/// The nodes of [`run`].
pub fn run_nodes(blocks: &[SignalBlock], graph: &Graph) -> Value {
    blocks.iter().fold(graph.waveform(), |x, block| block.nodes(graph, x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::testing;

    #[test]
    fn blocks_have_the_norms_pools_and_dropouts_of_the_papers_table() {
        let (device, dropout) = (Device::flex(), DropoutConfig::new(BLOCK_DROPOUT));
        let blocks_with = |plan: SignalBlocks, has: fn(&SignalBlock) -> bool| -> Vec<usize> {
            let blocks = plan.build(&dropout, &device).into_iter().enumerate();
            blocks.filter(|(_, block)| has(block)).map(|(at, _)| at + 1).collect()
        };
        let norm = |block: &SignalBlock| block.norm.is_some();
        let pool = |block: &SignalBlock| block.pool.is_some();
        let dropout = |block: &SignalBlock| block.dropout.prob == 0.2;
        assert_eq!(blocks_with(SAMPLE_BLOCKS, norm), [8, 9, 10]);
        assert_eq!(blocks_with(SAMPLE_BLOCKS, pool), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(blocks_with(SAMPLE_BLOCKS, dropout), [1, 2, 3, 4]);
        assert!(blocks_with(RECURRENT_BLOCKS, norm).is_empty());
        assert_eq!(blocks_with(RECURRENT_BLOCKS, pool), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(blocks_with(RECURRENT_BLOCKS, dropout), [1, 2, 3, 4]);
        assert_eq!(blocks_with(CHUNK_BLOCKS, norm), [6, 7]);
        assert_eq!(blocks_with(CHUNK_BLOCKS, pool), [1, 2, 3, 4, 5, 6]);
        assert!(blocks_with(CHUNK_BLOCKS, dropout).is_empty());
    }

    #[test]
    fn leaky_relu_and_max_pool_commute() {
        let shape = InputShape {
            samples: 100,
            ..InputShape::default()
        };
        let x = testing::input(2, &shape, &Device::flex()).waveform();
        let pool = MaxPool1dConfig::new(THREE).with_stride(THREE).init();
        let before = pool.forward(leaky_relu(x.clone(), LEAKY_SLOPE));
        assert_eq!(leaky_relu(pool.forward(x), LEAKY_SLOPE).into_data(), before.into_data());
    }
}
