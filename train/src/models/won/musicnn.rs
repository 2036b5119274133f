//! Musicnn (Pons et al. 2017): filters that are tall in frequency, filters that are long in time, and three
//! convolutions over their outputs.

use super::super::definition::{Blueprint, Description, ModelDefinition, Network};
use super::super::input::{InputShape, ModelInput};
use super::super::onnx::{Graph, Value};
use super::blocks::{ConvBlock1d, Head, conv1d, max_pool2d};
use super::on_mel;
use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, PaddingConfig2d};
use burn::tensor::{DType, Device, Tensor};

/// `musicnn`, in the width for MagnaTagATune.
pub const MUSICNN: ModelDefinition<Musicnn> = ModelDefinition {
    description: Description {
        name: "musicnn",
        summary: "tall and long convolutions on the mel spectrogram, three residual 1-D convolutions, two dense layers",
        accepts,
        ..on_mel(48_000, 96)
    },
    build: |blueprint, device| Musicnn::new(64, 200, blueprint, device),
};

/// `musicnn-msd`, in the width for the Million Song Dataset.
pub const MUSICNN_MSD: ModelDefinition<Musicnn> = ModelDefinition {
    description: Description {
        name: "musicnn-msd",
        summary: "musicnn in the width for the Million Song Dataset",
        ..MUSICNN.description
    },
    build: |blueprint, device| Musicnn::new(512, 500, blueprint, device),
};

/// Bands of the tall filters: 0.7 · 96 and 0.4 · 96, rounded down, also for spectrograms with more bands.
const HEIGHTS: [usize; 2] = [67, 38];
const VERTICAL_CHANNELS: usize = 204;
/// Frames of the tall filters.
const VERTICAL_WIDTH: usize = 7;
/// Frames of the long filters.
const WIDTHS: [usize; 3] = [129, 65, 33];
const HORIZONTAL_CHANNELS: usize = 51;
/// Channels of all filters: 561.
const FRONT_CHANNELS: usize = HEIGHTS.len() * VERTICAL_CHANNELS + WIDTHS.len() * HORIZONTAL_CHANNELS;
/// Convolutions over the filters' outputs.
const MIDDLE_BLOCKS: usize = 3;
const MIDDLE_KERNEL: usize = 7;

fn accepts(shape: &InputShape) -> Result<(), String> {
    match shape.spectrogram {
        [bands, frames] if bands >= HEIGHTS[0] && frames > 0 => Ok(()),
        _ => Err(format!("at least {} mel bands and one frame", HEIGHTS[0])),
    }
}

/// A tall convolution, batch norm and ReLU, and the maximum over the bands that are left.
#[derive(Module, Debug)]
struct Vertical {
    conv: Conv2d,
    bn: BatchNorm,
}

impl Vertical {
    fn new(height: usize, device: &Device) -> Self {
        const SIDE: usize = VERTICAL_WIDTH / 2;
        let conv = Conv2dConfig::new([1, VERTICAL_CHANNELS], [height, VERTICAL_WIDTH]);
        Self {
            conv: conv
                .with_padding(PaddingConfig2d::Explicit(0, SIDE, 0, SIDE))
                .init(device),
            bn: BatchNormConfig::new(VERTICAL_CHANNELS).init(device),
        }
    }

    /// `[batch, 1, bands, frames]` to `[batch, 204, frames]`.
    fn forward(&self, mel: Tensor<4>) -> Tensor<3> {
        let x = kernels::conv2d(&self.conv, mel);
        let all_bands = max_pool2d([x.dims()[2], 1]);
        kernels::normalize_relu_max_pool2d([(&self.bn, x)], &all_bands).squeeze_dim(2)
    }

    fn nodes(&self, graph: &Graph, mel: Value) -> Value {
        let x = graph.relu(graph.batch_norm(&self.bn, graph.conv2d(&self.conv, mel)));
        graph.max(x, &[2])
    }
}

/// The mean over the bands, a long convolution, batch norm and ReLU.
#[derive(Module, Debug)]
struct Horizontal {
    conv: Conv1d,
    bn: BatchNorm,
}

impl Horizontal {
    fn new(width: usize, device: &Device) -> Self {
        Self {
            conv: conv1d([1, HORIZONTAL_CHANNELS], width, 1, device),
            bn: BatchNormConfig::new(HORIZONTAL_CHANNELS).init(device),
        }
    }

    /// `[batch, 1, frames]`, the mean over the bands, to `[batch, 51, frames]`.
    fn forward(&self, mean: Tensor<3>) -> Tensor<3> {
        kernels::normalize_relu([(&self.bn, kernels::conv1d(&self.conv, mean))])
    }

    fn nodes(&self, graph: &Graph, mean: Value) -> Value {
        graph.relu(graph.batch_norm(&self.bn, graph.conv1d(&self.conv, mean)))
    }
}

/// Two tall and three long filters, three 1-D convolutions, of which the second and third add their input, the maximum
/// and the mean over time of all of these, two dense layers. Parameters for 50 tags: 784,300, and 7,972,000 in the
/// width for the Million Song Dataset.
#[derive(Module, Debug)]
pub struct Musicnn {
    spec_bn: BatchNorm,
    vertical: Vec<Vertical>,
    horizontal: Vec<Horizontal>,
    blocks: Vec<ConvBlock1d>,
    head: Head,
}

impl Musicnn {
    fn new(channels: usize, dense: usize, blueprint: &Blueprint, device: &Device) -> Self {
        let block = |at| {
            let inputs = if at == 0 { FRONT_CHANNELS } else { channels };
            ConvBlock1d::new([inputs, channels], MIDDLE_KERNEL, 1, 1, device)
        };
        let joined = FRONT_CHANNELS + MIDDLE_BLOCKS * channels;
        Self {
            spec_bn: BatchNormConfig::new(1).init(device),
            vertical: HEIGHTS.map(|height| Vertical::new(height, device)).to_vec(),
            horizontal: WIDTHS.map(|width| Horizontal::new(width, device)).to_vec(),
            blocks: (0..MIDDLE_BLOCKS).map(block).collect(),
            head: Head::new(2 * joined, dense, blueprint, device),
        }
    }
}

impl Network for Musicnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let mel = kernels::normalize(&self.spec_bn, input.spectrogram());
        let mean: Tensor<3> = mel.clone().mean_dim(2).squeeze_dim(2);
        let vertical = self.vertical.iter().map(|filters| filters.forward(mel.clone()));
        let horizontal = self.horizontal.iter().map(|filters| filters.forward(mean.clone()));
        let front = Tensor::cat(vertical.chain(horizontal).collect(), 1);
        let mut outputs = vec![front.clone(), self.blocks[0].forward(front)];
        for block in &self.blocks[1..] {
            let before = outputs[outputs.len() - 1].clone();
            outputs.push(block.forward(before.clone()) + before);
        }
        let steps = Tensor::cat(outputs, 1).cast(DType::F32);
        let maximum: Tensor<2> = steps.clone().max_dim(2).squeeze_dim(2);
        let mean: Tensor<2> = steps.mean_dim(2).squeeze_dim(2);
        self.head.embed(Tensor::cat(vec![maximum, mean], 1))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.head.classify(embeddings)
    }

    fn classifier(&self) -> &Linear {
        self.head.classifier()
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let mel = graph.batch_norm(&self.spec_bn, graph.spectrogram());
        let mean = graph.mean(mel, 2);
        let vertical = self.vertical.iter().map(|filters| filters.nodes(graph, mel));
        let horizontal = self.horizontal.iter().map(|filters| filters.nodes(graph, mean));
        let front = graph.concat(&vertical.chain(horizontal).collect::<Vec<_>>(), 1);
        let mut outputs = vec![front, self.blocks[0].nodes(graph, front)];
        for block in &self.blocks[1..] {
            let before = outputs[outputs.len() - 1];
            outputs.push(graph.add(block.nodes(graph, before), before));
        }
        let steps = graph.concat(&outputs, 1);
        let pooled = graph.concat(&[graph.max(steps, &[2]), graph.mean(steps, 2)], 1);
        self.head.embed_nodes(graph, pooled)
    }
}
