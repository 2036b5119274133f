//! The mel encoder shared by `cnn2d`, `crnn` and `mm-crnn`: `[batch, 1, 128, 512]` to `[batch, 128, 64]`.

use super::onnx::{Graph, Value};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{DType, Device, Tensor};

/// Channels after each block; the last is the encoder's output width.
pub const CHANNELS: [usize; 4] = [16, 32, 64, 128];
/// Max pooling (mel bands × frames) after the first three blocks: 128 bands become 32, 8, 1 and 512 frames 256, 128, 64.
const POOLS: [[usize; 2]; 3] = [[4, 2], [4, 2], [8, 2]];
/// Mel bands, which the pools reduce to one.
pub const BANDS: usize = POOLS[0][0] * POOLS[1][0] * POOLS[2][0];

/// Number of steps for a clip of `frames` frames.
pub fn steps(frames: usize) -> usize {
    POOLS.iter().fold(frames, |steps, [_, pool]| steps / pool)
}

/// Four residual blocks with max pooling between them.
#[derive(Module, Debug)]
pub struct Encoder2d {
    blocks: Vec<Block>,
    pools: Vec<MaxPool2d>,
}

/// The basic residual unit of He et al. (2016): two 3×3 convolutions with batch norm, ReLU after the first, a 1×1
/// convolution with batch norm as the shortcut, and ReLU after the sum.
#[derive(Module, Debug)]
struct Block {
    conv0: Conv2d,
    norm0: BatchNorm,
    conv1: Conv2d,
    norm1: BatchNorm,
    shortcut_conv: Conv2d,
    shortcut_norm: BatchNorm,
}

impl Block {
    fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        let same = |inputs| Conv2dConfig::new([inputs, outputs], [3, 3]).with_padding(PaddingConfig2d::Same);
        Self {
            conv0: same(inputs).init(device),
            norm0: BatchNormConfig::new(outputs).init(device),
            conv1: same(outputs).init(device),
            norm1: BatchNormConfig::new(outputs).init(device),
            shortcut_conv: Conv2dConfig::new([inputs, outputs], [1, 1]).init(device),
            shortcut_norm: BatchNormConfig::new(outputs).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>, pool: Option<&MaxPool2d>) -> Tensor<4> {
        let shortcut = kernels::conv2d(&self.shortcut_conv, x.clone());
        let x = kernels::normalize_relu([(&self.norm0, kernels::conv2d(&self.conv0, x))]);
        let x = kernels::conv2d(&self.conv1, x);
        let terms = [(&self.norm1, x), (&self.shortcut_norm, shortcut)];
        match pool {
            Some(pool) => kernels::normalize_relu_max_pool2d(terms, pool),
            None => kernels::normalize_relu(terms),
        }
    }

    fn nodes(&self, graph: &Graph, x: Value) -> Value {
        let shortcut = graph.conv2d(&self.shortcut_conv, x);
        let x = graph.relu(graph.batch_norm(&self.norm0, graph.conv2d(&self.conv0, x)));
        let x = graph.batch_norm(&self.norm1, graph.conv2d(&self.conv1, x));
        graph.relu(graph.add(x, graph.batch_norm(&self.shortcut_norm, shortcut)))
    }
}

impl Encoder2d {
    pub fn new(device: &Device) -> Self {
        let blocks = (0..CHANNELS.len())
            .map(|at| Block::new(if at == 0 { 1 } else { CHANNELS[at - 1] }, CHANNELS[at], device))
            .collect();
        let pools = POOLS
            .iter()
            .map(|&size| MaxPool2dConfig::new(size).with_strides(size).init())
            .collect();
        Self { blocks, pools }
    }

    /// `[batch, 1, 128, frames]` to `[batch, 128, frames / 8]`, in f32. Computes in the dtype of its input.
    pub fn forward(&self, mel: Tensor<4>) -> Tensor<3> {
        let mut x = mel;
        for (at, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, self.pools.get(at));
        }
        x.squeeze_dim(2).cast(DType::F32)
    }

    /// The nodes of [`forward`](Self::forward).
    pub fn nodes(&self, graph: &Graph, mel: Value) -> Value {
        let mut x = mel;
        for (at, block) in self.blocks.iter().enumerate() {
            x = block.nodes(graph, x);
            if let Some(pool) = self.pools.get(at) {
                x = graph.max_pool2d(pool, x);
            }
        }
        graph.squeeze(x, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_clip_gives_64_steps() {
        let device = Device::flex();
        let out = Encoder2d::new(&device).forward(Tensor::zeros([2, 1, 128, 512], &device));
        assert_eq!(out.dims(), [2, 128, 64]);
    }
}
