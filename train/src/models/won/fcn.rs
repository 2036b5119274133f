//! The fully convolutional network of Choi et al. 2016, as Won et al. trained it.

use super::super::definition::{Blueprint, Description, ModelDefinition, Network};
use super::super::input::{InputShape, ModelInput};
use super::super::onnx::{Graph, Value};
use super::blocks::{Block2d, ConvBlock2d, global_max, global_max_nodes};
use super::on_mel;
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// `won-fcn`.
pub const WON_FCN: ModelDefinition<WonFcn> = ModelDefinition {
    description: Description {
        name: "won-fcn",
        summary: "five 2-D convolutions that make one value per channel of the mel spectrogram, one dense layer",
        accepts,
        classifier: "dense.",
        ..on_mel(464_000, 96)
    },
    build: WonFcn::new,
};

/// Channels and max pooling (bands × frames) of each block: 96 × 1813 becomes 48 × 453, 24 × 113, 12 × 28, 4 × 5,
/// 1 × 1.
const BLOCKS: [(usize, [usize; 2]); 5] = [(64, [2, 4]), (128, [2, 4]), (128, [2, 4]), (128, [3, 5]), (64, [4, 4])];
/// Frames that the pools reduce to one step.
const FRAMES: usize = 4 * 4 * 4 * 5 * 4;

fn accepts(shape: &InputShape) -> Result<(), String> {
    match shape.spectrogram {
        [96..=191, frames] if frames >= FRAMES => Ok(()),
        _ => Err(format!("96 to 191 mel bands and at least {FRAMES} frames")),
    }
}

/// Five blocks, the maximum over the steps (one for a default clip), dropout, one dense layer. Parameters for 50 tags:
/// 447,732.
#[derive(Module, Debug)]
pub struct WonFcn {
    spec_bn: BatchNorm,
    blocks: Vec<ConvBlock2d>,
    dropout: Dropout,
    dense: Linear,
}

impl WonFcn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            spec_bn: BatchNormConfig::new(1).init(device),
            blocks: ConvBlock2d::sequence(&BLOCKS, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            dense: LinearConfig::new(BLOCKS[BLOCKS.len() - 1].0, blueprint.classes).init(device),
        }
    }
}

impl Network for WonFcn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let x = kernels::normalize(&self.spec_bn, input.spectrogram());
        global_max(self.blocks.iter().fold(x, |x, block| block.forward(x)))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.dense.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.dense
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let x = graph.batch_norm(&self.spec_bn, graph.spectrogram());
        let x = self.blocks.iter().fold(x, |x, block| block.nodes(graph, x));
        global_max_nodes(graph, x)
    }
}
