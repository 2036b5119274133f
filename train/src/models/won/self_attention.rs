//! The self-attention network of Won et al. 2019: strided residual blocks and a transformer encoder over their steps.

use super::super::definition::{Blueprint, Description, ModelDefinition, Network};
use super::super::input::{InputShape, ModelInput};
use super::super::onnx::{Graph, Value};
use super::blocks::{Block2d, Residual2d, strided};
use super::numpy_random;
use super::on_mel;
use super::transformer::{Encoder, WIDTH};
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{DType, Device, Tensor};

/// `self-attention`.
pub const SELF_ATTENTION: ModelDefinition<SelfAttentionCnn> = ModelDefinition {
    description: Description {
        name: "self-attention",
        summary: "seven strided residual 2-D blocks on the mel spectrogram, two transformer layers, two dense layers",
        accepts,
        classifier: "dense.",
        ..on_mel(240_000, 128)
    },
    build: SelfAttentionCnn::new,
};

/// Channels and stride (bands × frames) of each block: 128 × 938 becomes 1 × 118.
const BLOCKS: [(usize, [usize; 2]); 7] = [
    (128, [2, 2]),
    (128, [2, 2]),
    (256, [2, 2]),
    (256, [2, 1]),
    (256, [2, 1]),
    (256, [2, 1]),
    (256, [2, 1]),
];

fn accepts(shape: &InputShape) -> Result<(), String> {
    let [bands, frames] = shape.spectrogram;
    match strided(bands, BLOCKS.map(|(_, stride)| stride[0])) {
        1 if frames > 0 => Ok(()),
        _ => Err(format!("1 to {} mel bands and at least one frame", 1 << BLOCKS.len())),
    }
}

/// BERT's pooler: a dense layer and tanh on the first position.
#[derive(Module, Debug)]
struct Pooler {
    dense: Linear,
}

/// Seven blocks, which give 118 steps of 256 channels for a default clip, a transformer encoder over these and a fixed
/// vector in front of them, a dense layer on its first output, dropout, one dense layer. Parameters for 50 tags:
/// 10,521,652.
#[derive(Module, Debug)]
pub struct SelfAttentionCnn {
    spec_bn: BatchNorm,
    blocks: Vec<Residual2d>,
    encoder: Encoder,
    pooler: Pooler,
    dropout: Dropout,
    dense: Linear,
}

impl SelfAttentionCnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            spec_bn: BatchNormConfig::new(1).init(device),
            blocks: Residual2d::sequence(&BLOCKS, device),
            encoder: Encoder::new(blueprint, device),
            pooler: Pooler {
                dense: LinearConfig::new(WIDTH, WIDTH).init(device),
            },
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            dense: LinearConfig::new(WIDTH, blueprint.classes).init(device),
        }
    }
}

/// Puts the authors' vector in front of each sequence, `[batch, steps, 256]`. It is random but not learned, and not in
/// their checkpoints.
fn with_first_vector(sequence: Tensor<3>) -> Tensor<3> {
    let batch = sequence.dims()[0];
    let first = Tensor::<1>::from_floats(numpy_random::uniform::<WIDTH>(0), &sequence.device());
    let first = first.reshape([1, 1, WIDTH]).expand([batch, 1, WIDTH]);
    Tensor::cat(vec![first, sequence], 1)
}

/// The nodes of [`with_first_vector`].
fn with_first_vector_nodes(graph: &Graph, sequence: Value) -> Value {
    let first = graph.constant(&numpy_random::uniform::<WIDTH>(0), &[1, 1, WIDTH]);
    graph.concat(&[graph.repeat_over_batch(first, sequence), sequence], 1)
}

impl Network for SelfAttentionCnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let x = kernels::normalize(&self.spec_bn, input.spectrogram());
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let steps: Tensor<3> = x.squeeze_dim(2).cast(DType::F32);
        let sequence = self.encoder.forward(with_first_vector(steps.swap_dims(1, 2)));
        tanh(self.pooler.dense.forward(sequence.narrow(1, 0, 1).squeeze_dim(1)))
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
        let steps = graph.permute(graph.squeeze(x, 2), &[0, 2, 1]);
        let sequence = self.encoder.nodes(graph, with_first_vector_nodes(graph, steps));
        let first = graph.squeeze(graph.slice(sequence, 1, 0, 1), 1);
        graph.tanh(graph.linear(&self.pooler.dense, first))
    }
}
