//! Blocks that several of the networks are made of, with the authors' names for their layers.
//!
//! Batch norm, ReLU and pooling are in the authors' order. Everything computes in the dtype of its input.

use super::super::definition::Blueprint;
use super::super::onnx::{Graph, Value};
use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool1d, MaxPool1dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::nn::{PaddingConfig1d, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor};

/// A 3×3 convolution, padded by one on each side.
fn conv3x3(channels: [usize; 2], stride: [usize; 2], device: &Device) -> Conv2d {
    let config = Conv2dConfig::new(channels, [3, 3]).with_stride(stride);
    // With other strides, Burn's "same" padding differs from PyTorch's padding of 1.
    let config = match stride {
        [1, 1] => config.with_padding(PaddingConfig2d::Same),
        _ => config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)),
    };
    config.init(device)
}

/// Max pooling over windows that do not overlap.
pub fn max_pool2d(size: [usize; 2]) -> MaxPool2d {
    MaxPool2dConfig::new(size).with_strides(size).init()
}

/// A 1-D convolution, padded by half its kernel on each side.
pub fn conv1d(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv1d {
    let padding = PaddingConfig1d::Explicit(kernel / 2, kernel / 2);
    let config = Conv1dConfig::new(channels[0], channels[1], kernel).with_stride(stride);
    config.with_padding(padding).init(device)
}

/// Max pooling over windows that do not overlap; `None` for windows of one step.
pub fn max_pool1d(size: usize) -> Option<MaxPool1d> {
    (size > 1).then(|| MaxPool1dConfig::new(size).with_stride(size).init())
}

/// A block of a network on a spectrogram.
pub trait Block2d: Module {
    /// A block for input and output `channels` that divides bands and frames by `reduction`.
    fn new(channels: [usize; 2], reduction: [usize; 2], device: &Device) -> Self;

    fn forward(&self, x: Tensor<4>) -> Tensor<4>;

    /// The nodes of [`forward`](Self::forward).
    fn nodes(&self, graph: &Graph, x: Value) -> Value;

    /// Blocks for a one-channel spectrogram, each with its number of channels and its reduction (bands × frames).
    fn sequence(plan: &[(usize, [usize; 2])], device: &Device) -> Vec<Self> {
        let mut inputs = 1;
        let block = |&(outputs, reduction): &(usize, [usize; 2])| {
            let block = Self::new([inputs, outputs], reduction, device);
            inputs = outputs;
            block
        };
        plan.iter().map(block).collect()
    }
}

/// Convolution 3×3, batch norm, ReLU, max pooling.
#[derive(Module, Debug)]
pub struct ConvBlock2d {
    conv: Conv2d,
    bn: BatchNorm,
    pool: MaxPool2d,
}

impl Block2d for ConvBlock2d {
    fn new(channels: [usize; 2], pool: [usize; 2], device: &Device) -> Self {
        Self {
            conv: conv3x3(channels, [1, 1], device),
            bn: BatchNormConfig::new(channels[1]).init(device),
            pool: max_pool2d(pool),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        kernels::normalize_relu_max_pool2d([(&self.bn, kernels::conv2d(&self.conv, x))], &self.pool)
    }

    fn nodes(&self, graph: &Graph, x: Value) -> Value {
        let x = graph.relu(graph.batch_norm(&self.bn, graph.conv2d(&self.conv, x)));
        graph.max_pool2d(&self.pool, x)
    }
}

/// Convolution, batch norm, ReLU, max pooling.
#[derive(Module, Debug)]
pub struct ConvBlock1d {
    conv: Conv1d,
    bn: BatchNorm,
    pool: Option<MaxPool1d>,
}

impl ConvBlock1d {
    pub fn new(channels: [usize; 2], kernel: usize, stride: usize, pool: usize, device: &Device) -> Self {
        Self {
            conv: conv1d(channels, kernel, stride, device),
            bn: BatchNormConfig::new(channels[1]).init(device),
            pool: max_pool1d(pool),
        }
    }

    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = kernels::conv1d(&self.conv, x);
        match &self.pool {
            Some(pool) => kernels::normalize_relu_max_pool1d(&self.bn, x, pool),
            None => kernels::normalize_relu([(&self.bn, x)]),
        }
    }

    /// The nodes of [`forward`](Self::forward).
    pub fn nodes(&self, graph: &Graph, x: Value) -> Value {
        let x = graph.relu(graph.batch_norm(&self.bn, graph.conv1d(&self.conv, x)));
        match &self.pool {
            Some(pool) => graph.max_pool1d(pool, x),
            None => x,
        }
    }
}

/// Two 3×3 convolutions with batch norm, ReLU after the first and after the sum with the shortcut; in some, max pooling.
/// If stride or channels differ from the input's, the shortcut is another 3×3 convolution with batch norm.
#[derive(Module, Debug)]
pub struct Residual2d {
    conv_1: Conv2d,
    bn_1: BatchNorm,
    conv_2: Conv2d,
    bn_2: BatchNorm,
    conv_3: Option<Conv2d>,
    bn_3: Option<BatchNorm>,
    pool: Option<MaxPool2d>,
}

impl Residual2d {
    /// A block that pools and keeps the number of channels.
    pub fn pooled(channels: usize, pool: [usize; 2], device: &Device) -> Self {
        Self {
            pool: Some(max_pool2d(pool)),
            ..Self::new([channels; 2], [1, 1], device)
        }
    }
}

impl Block2d for Residual2d {
    /// A block whose convolutions have a stride.
    fn new([inputs, outputs]: [usize; 2], stride: [usize; 2], device: &Device) -> Self {
        let norm = || BatchNormConfig::new(outputs).init(device);
        let differs = stride != [1, 1] || inputs != outputs;
        Self {
            conv_1: conv3x3([inputs, outputs], stride, device),
            bn_1: norm(),
            conv_2: conv3x3([outputs; 2], [1, 1], device),
            bn_2: norm(),
            conv_3: differs.then(|| conv3x3([inputs, outputs], stride, device)),
            bn_3: differs.then(norm),
            pool: None,
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = kernels::normalize_relu([(&self.bn_1, kernels::conv2d(&self.conv_1, input.clone()))]);
        let x = kernels::conv2d(&self.conv_2, x);
        let x = match (&self.conv_3, &self.bn_3) {
            (Some(conv), Some(bn)) => kernels::normalize_relu([(&self.bn_2, x), (bn, kernels::conv2d(conv, input))]),
            _ => relu(kernels::normalize(&self.bn_2, x) + input),
        };
        match &self.pool {
            Some(pool) => kernels::max_pool2d(pool, x),
            None => x,
        }
    }

    fn nodes(&self, graph: &Graph, input: Value) -> Value {
        let x = graph.relu(graph.batch_norm(&self.bn_1, graph.conv2d(&self.conv_1, input)));
        let x = graph.batch_norm(&self.bn_2, graph.conv2d(&self.conv_2, x));
        let shortcut = match (&self.conv_3, &self.bn_3) {
            (Some(conv), Some(bn)) => graph.batch_norm(bn, graph.conv2d(conv, input)),
            _ => input,
        };
        let x = graph.relu(graph.add(x, shortcut));
        match &self.pool {
            Some(pool) => graph.max_pool2d(pool, x),
            None => x,
        }
    }
}

/// Rows or columns after the strides of a sequence of [`Residual2d`].
pub fn strided(length: usize, strides: impl IntoIterator<Item = usize>) -> usize {
    strides
        .into_iter()
        .fold(length, |length, stride| length.div_ceil(stride))
}

/// The maximum over all rows and columns, `[batch, channels]` in f32.
pub fn global_max(x: Tensor<4>) -> Tensor<2> {
    let x: Tensor<3> = x.cast(DType::F32).flatten(2, 3);
    x.max_dim(2).squeeze_dim(2)
}

/// The nodes of [`global_max`].
pub fn global_max_nodes(graph: &Graph, x: Value) -> Value {
    graph.max(x, &[2, 3])
}

/// Dense, batch norm and ReLU, which give the embeddings; dropout and the last dense layer.
#[derive(Module, Debug)]
pub struct Head {
    dense1: Linear,
    bn: BatchNorm,
    dropout: Dropout,
    dense2: Linear,
}

impl Head {
    pub fn new(inputs: usize, width: usize, blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            dense1: LinearConfig::new(inputs, width).init(device),
            bn: BatchNormConfig::new(width).init(device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            dense2: LinearConfig::new(width, blueprint.classes).init(device),
        }
    }

    /// `[batch, inputs]` to `[batch, width]`.
    pub fn embed(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::normalize_relu([(&self.bn, self.dense1.forward(x))])
    }

    /// `[batch, width]` to `[batch, classes]`.
    pub fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.dense2.forward(self.dropout.forward(embeddings))
    }

    pub fn classifier(&self) -> &Linear {
        &self.dense2
    }

    /// The nodes of [`embed`](Self::embed).
    pub fn embed_nodes(&self, graph: &Graph, x: Value) -> Value {
        graph.relu(graph.batch_norm(&self.bn, graph.linear(&self.dense1, x)))
    }
}
