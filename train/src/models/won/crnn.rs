//! The convolutional recurrent network of Choi et al. 2017, as Won et al. trained it.

use super::super::definition::{Blueprint, Description, ModelDefinition, Network};
use super::super::input::{InputShape, ModelInput};
use super::super::onnx::{Graph, Value};
use super::super::recurrence::{Recurrence, gru_states, gru_states_nodes};
use super::blocks::{Block2d, ConvBlock2d};
use super::on_mel;
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Gru, Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor};

/// `won-crnn`.
pub const WON_CRNN: ModelDefinition<WonCrnn> = ModelDefinition {
    description: Description {
        name: "won-crnn",
        summary: "four 2-D convolutions on the mel spectrogram, two GRUs over their steps, one dense layer",
        accepts,
        classifier: "dense.",
        ..on_mel(464_000, 96)
    },
    build: WonCrnn::new,
};

/// Channels and max pooling (bands × frames) of each block: 96 × 1813 becomes 48 × 906, 16 × 302, 4 × 75, 1 × 18.
const BLOCKS: [(usize, [usize; 2]); 4] = [(64, [2, 2]), (128, [3, 3]), (128, [4, 4]), (128, [4, 4])];
/// Frames that the pools reduce to one step.
const FRAMES: usize = 2 * 3 * 4 * 4;
const HIDDEN: usize = 32;

fn accepts(shape: &InputShape) -> Result<(), String> {
    match shape.spectrogram {
        [96..=191, frames] if frames >= FRAMES => Ok(()),
        _ => Err(format!("96 to 191 mel bands and at least {FRAMES} frames")),
    }
}

/// Four blocks, which give 18 steps of 128 channels for a default clip, two GRUs 128 → 32 → 32, of which the last state
/// is used, dropout, one dense layer. Parameters for 50 tags: 394,100.
#[derive(Module, Debug)]
pub struct WonCrnn {
    spec_bn: BatchNorm,
    blocks: Vec<ConvBlock2d>,
    gru0: Gru,
    gru1: Gru,
    dropout: Dropout,
    dense: Linear,
}

impl WonCrnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            spec_bn: BatchNormConfig::new(1).init(device),
            blocks: ConvBlock2d::sequence(&BLOCKS, device),
            gru0: Gru::init(BLOCKS[BLOCKS.len() - 1].0, HIDDEN, device),
            gru1: Gru::init(HIDDEN, HIDDEN, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            dense: LinearConfig::new(HIDDEN, blueprint.classes).init(device),
        }
    }
}

impl Network for WonCrnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let x = kernels::normalize(&self.spec_bn, input.spectrogram());
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let states = gru_states(&self.gru0, x.squeeze_dim(2).cast(DType::F32));
        self.gru1.last_hidden(Tensor::stack(states, 2))
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
        let states = gru_states_nodes(&self.gru0, graph, graph.squeeze(x, 2));
        self.gru1.last_hidden_nodes(graph, states)
    }
}
