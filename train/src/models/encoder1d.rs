//! The waveform encoder shared by `cnn1d` and `mm-crnn`: `[batch, 1, 2^19]` to `[batch, 128, 64]`.

use super::onnx::{Graph, Value};
use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::pool::{MaxPool1d, MaxPool1dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig1d};
use burn::tensor::{DType, Device, Tensor};

/// Channels after each block; the last is the encoder's output width.
pub const CHANNELS: [usize; 4] = [16, 32, 64, 128];
const KERNELS: [usize; 4] = [256, 32, 16, 8];
/// Stride of the first convolution. The others have stride 1.
const FIRST_STRIDE: usize = 64;
/// Zeros on each side of the clip. The first convolution then gives exactly one step per stride: (2^19 + 2·96 − 256) /
/// 64 + 1 = 8192.
const FIRST_PADDING: usize = (KERNELS[0] - FIRST_STRIDE) / 2;
/// Max pooling after the first three blocks: 8192 steps become 1024, 256, 64.
const POOLS: [usize; 3] = [8, 4, 4];

/// The shortest clip that gives a step.
pub const SHORTEST: usize = FIRST_STRIDE * POOLS[0] * POOLS[1] * POOLS[2];

/// Number of steps for a clip of `samples` samples; `None` if it is too short.
pub fn steps(samples: usize) -> Option<usize> {
    let first = (samples + 2 * FIRST_PADDING).checked_sub(KERNELS[0])? / FIRST_STRIDE + 1;
    Some(POOLS.iter().fold(first, |steps, pool| steps / pool)).filter(|&steps| steps > 0)
}

/// Four blocks of convolution, batch norm and ReLU, with max pooling between them.
///
/// Kernels and channels are those of the published checkpoint. The paper does not give the strides;
/// docs/explanation/decisions.md explains how they were found.
#[derive(Module, Debug)]
pub struct Encoder1d {
    blocks: Vec<Block>,
    pools: Vec<MaxPool1d>,
}

#[derive(Module, Debug)]
struct Block {
    conv: Conv1d,
    norm: BatchNorm,
}

impl Encoder1d {
    pub fn new(device: &Device) -> Self {
        let blocks = (0..CHANNELS.len())
            .map(|at| {
                let inputs = if at == 0 { 1 } else { CHANNELS[at - 1] };
                let conv = Conv1dConfig::new(inputs, CHANNELS[at], KERNELS[at]);
                let conv = if at == 0 {
                    conv.with_stride(FIRST_STRIDE)
                        .with_padding(PaddingConfig1d::Explicit(FIRST_PADDING, FIRST_PADDING))
                } else {
                    conv.with_padding(PaddingConfig1d::Same)
                };
                Block {
                    conv: conv.init(device),
                    norm: BatchNormConfig::new(CHANNELS[at]).init(device),
                }
            })
            .collect();
        let pools = POOLS
            .iter()
            .map(|&size| MaxPool1dConfig::new(size).with_stride(size).init())
            .collect();
        Self { blocks, pools }
    }

    /// `[batch, 1, samples]` to `[batch, 128, steps]`, in f32. Computes in the dtype of its input.
    pub fn forward(&self, waveform: Tensor<3>) -> Tensor<3> {
        let mut x = waveform;
        for (at, block) in self.blocks.iter().enumerate() {
            x = kernels::conv1d(&block.conv, x);
            x = match self.pools.get(at) {
                Some(pool) => kernels::normalize_relu_max_pool1d(&block.norm, x, pool),
                None => kernels::normalize_relu([(&block.norm, x)]),
            };
        }
        x.cast(DType::F32)
    }

    /// The nodes of [`forward`](Self::forward).
    pub fn nodes(&self, graph: &Graph, waveform: Value) -> Value {
        let mut x = waveform;
        for (at, block) in self.blocks.iter().enumerate() {
            x = graph.relu(graph.batch_norm(&block.norm, graph.conv1d(&block.conv, x)));
            if let Some(pool) = self.pools.get(at) {
                x = graph.max_pool1d(pool, x);
            }
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_clip_gives_64_steps() {
        let device = Device::flex();
        let out = Encoder1d::new(&device).forward(Tensor::zeros([1, 1, 1 << 19], &device));
        assert_eq!(out.dims(), [1, 128, 64]);
    }

    #[test]
    fn step_count_matches_the_output() {
        let device = Device::flex();
        let encoder = Encoder1d::new(&device);
        assert_eq!(steps(SHORTEST), Some(1));
        assert_eq!(steps(SHORTEST - FIRST_STRIDE), None);
        for samples in [SHORTEST, SHORTEST + 63, 3 * SHORTEST - 1, 100_000] {
            let out = encoder.forward(Tensor::zeros([1, 1, samples], &device));
            assert_eq!(Some(out.dims()[2]), steps(samples), "{samples}");
        }
    }
}
