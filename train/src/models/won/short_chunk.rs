//! The short-chunk CNNs: a network with small filters on 3.69 s, and the same depth with residual blocks.

use super::super::definition::{Blueprint, Description, ModelDefinition, Network};
use super::super::input::{InputShape, ModelInput};
use super::super::onnx::{Graph, Value};
use super::blocks::{Block2d, ConvBlock2d, Head, Residual2d, global_max, global_max_nodes, strided};
use super::on_mel;
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear};
use burn::tensor::{Device, Tensor};

/// `short-chunk`.
pub const SHORT_CHUNK: ModelDefinition<ShortChunk<ConvBlock2d>> = ModelDefinition {
    description: Description {
        name: "short-chunk",
        summary: "seven 2-D convolutions on the mel spectrogram, global max pooling, two dense layers",
        accepts: |shape| match shape.spectrogram {
            [HALVED..=255, frames] if frames >= HALVED => Ok(()),
            _ => Err(format!("{HALVED} to 255 mel bands and at least {HALVED} frames")),
        },
        ..on_mel(CLIP, 128)
    },
    build: ShortChunk::new,
};

/// `short-chunk-res`.
pub const SHORT_CHUNK_RES: ModelDefinition<ShortChunk<Residual2d>> = ModelDefinition {
    description: Description {
        name: "short-chunk-res",
        summary: "seven strided residual 2-D blocks on the mel spectrogram, global max pooling, two dense layers",
        accepts: accepts_strided,
        ..on_mel(CLIP, 128)
    },
    build: ShortChunk::new,
};

/// Samples of a clip: 3.69 s.
const CLIP: usize = 59_049;

/// Channels and max pooling or stride (bands × frames) of each block. Pooling reduces 128 × 231 to 1 × 1, strides to
/// 1 × 2.
const BLOCKS: [(usize, [usize; 2]); 7] = [
    (128, [2, 2]),
    (128, [2, 2]),
    (256, [2, 2]),
    (256, [2, 2]),
    (256, [2, 2]),
    (256, [2, 2]),
    (512, [2, 2]),
];
/// Bands or frames that the pools reduce to one.
const HALVED: usize = 1 << BLOCKS.len();
/// Channels of the last block.
const WIDTH: usize = BLOCKS[BLOCKS.len() - 1].0;

fn accepts_strided(shape: &InputShape) -> Result<(), String> {
    let [bands, frames] = shape.spectrogram;
    match strided(bands, BLOCKS.map(|(_, stride)| stride[0])) {
        1 if frames > 0 => Ok(()),
        _ => Err(format!("1 to {HALVED} mel bands and at least one frame")),
    }
}

/// Seven blocks, the maximum over the steps (one for a default clip, two with strided blocks), two dense layers.
/// Parameters for 50 tags: 3,687,348; with residual blocks 12,104,244.
#[derive(Module, Debug)]
pub struct ShortChunk<B> {
    spec_bn: BatchNorm,
    blocks: Vec<B>,
    head: Head,
}

impl<B: Block2d> ShortChunk<B> {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            spec_bn: BatchNormConfig::new(1).init(device),
            blocks: B::sequence(&BLOCKS, device),
            head: Head::new(WIDTH, WIDTH, blueprint, device),
        }
    }
}

impl<B: Block2d> Network for ShortChunk<B> {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let x = kernels::normalize(&self.spec_bn, input.spectrogram());
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        self.head.embed(global_max(x))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.head.classify(embeddings)
    }

    fn classifier(&self) -> &Linear {
        self.head.classifier()
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let x = graph.batch_norm(&self.spec_bn, graph.spectrogram());
        let x = self.blocks.iter().fold(x, |x, block| block.nodes(graph, x));
        self.head.embed_nodes(graph, global_max_nodes(graph, x))
    }
}
