//! The sample-level CNN (Lee et al. 2017), and with residual blocks and squeeze and excitation (Kim et al. 2018).

use super::super::definition::{Blueprint, Description, ModelDefinition, Network};
use super::super::input::{InputShape, ModelInput};
use super::super::onnx::{Graph, Value};
use super::blocks::{ConvBlock1d, Head, conv1d, max_pool1d};
use super::on_waveform;
use burn::module::Module;
use burn::nn::conv::Conv1d;
use burn::nn::pool::MaxPool1d;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{DType, Device, Tensor};

/// `sample-level`.
pub const SAMPLE_LEVEL: ModelDefinition<SampleLevel> = ModelDefinition {
    description: Description {
        name: "sample-level",
        summary: "eleven 1-D convolutions of three samples on the waveform, one dense layer",
        accepts,
        classifier: "dense.",
        ..on_waveform(CLIP)
    },
    build: SampleLevel::new,
};

/// `sample-level-se`.
pub const SAMPLE_LEVEL_SE: ModelDefinition<SampleLevelSe> = ModelDefinition {
    description: Description {
        name: "sample-level-se",
        summary: "sample-level with residual blocks, squeeze and excitation, and two dense layers",
        accepts,
        ..on_waveform(CLIP)
    },
    build: SampleLevelSe::new,
};

/// Samples that the strides and pools reduce to one step.
const CLIP: usize = 3usize.pow(10);

/// Channels, kernel, stride and max pooling of each block.
const BLOCKS: [(usize, usize, usize, usize); 11] = [
    (128, 3, 3, 1),
    (128, 3, 1, 3),
    (128, 3, 1, 3),
    (256, 3, 1, 3),
    (256, 3, 1, 3),
    (256, 3, 1, 3),
    (256, 3, 1, 3),
    (256, 3, 1, 3),
    (256, 3, 1, 3),
    (512, 3, 1, 3),
    (512, 1, 1, 1),
];
/// Channels of the last block.
const WIDTH: usize = BLOCKS[BLOCKS.len() - 1].0;

fn accepts(shape: &InputShape) -> Result<(), String> {
    match shape.samples {
        CLIP.. => Ok(()),
        _ => Err(format!("clips of at least {CLIP} samples")),
    }
}

/// Channels of a block's input.
fn inputs(at: usize) -> usize {
    at.checked_sub(1).map_or(1, |before| BLOCKS[before].0)
}

/// The maximum over the steps, `[batch, channels]` in f32.
fn over_time(steps: Tensor<3>) -> Tensor<2> {
    steps.cast(DType::F32).max_dim(2).squeeze_dim(2)
}

/// The nodes of [`over_time`].
fn over_time_nodes(graph: &Graph, steps: Value) -> Value {
    graph.max(steps, &[2])
}

/// Eleven blocks, the maximum over the steps (one for a default clip), dropout, one dense layer. Parameters for 50
/// tags: 1,869,874.
#[derive(Module, Debug)]
pub struct SampleLevel {
    blocks: Vec<ConvBlock1d>,
    dropout: Dropout,
    dense: Linear,
}

impl SampleLevel {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let block = |(at, &(outputs, kernel, stride, pool))| {
            ConvBlock1d::new([inputs(at), outputs], kernel, stride, pool, device)
        };
        Self {
            blocks: BLOCKS.iter().enumerate().map(block).collect(),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            dense: LinearConfig::new(WIDTH, blueprint.classes).init(device),
        }
    }
}

impl Network for SampleLevel {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        over_time(self.blocks.iter().fold(input.waveform(), |x, block| block.forward(x)))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.dense.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.dense
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let steps = self
            .blocks
            .iter()
            .fold(graph.waveform(), |x, block| block.nodes(graph, x));
        over_time_nodes(graph, steps)
    }
}

/// Two convolutions with batch norm, ReLU after the first; each channel is multiplied by a number in [0, 1] that two
/// dense layers compute from the means of all channels over time; the sum with the shortcut, ReLU, max pooling. If
/// stride or channels differ from the input's, the shortcut is another convolution with batch norm.
#[derive(Module, Debug)]
struct SeBlock {
    conv_1: Conv1d,
    bn_1: BatchNorm,
    conv_2: Conv1d,
    bn_2: BatchNorm,
    dense1: Linear,
    dense2: Linear,
    conv_3: Option<Conv1d>,
    bn_3: Option<BatchNorm>,
    pool: Option<MaxPool1d>,
}

impl SeBlock {
    fn new(at: usize, device: &Device) -> Self {
        let (inputs, (outputs, kernel, stride, pool)) = (inputs(at), BLOCKS[at]);
        let norm = || BatchNormConfig::new(outputs).init(device);
        let dense = || LinearConfig::new(outputs, outputs).init(device);
        let differs = stride != 1 || inputs != outputs;
        Self {
            conv_1: conv1d([inputs, outputs], kernel, stride, device),
            bn_1: norm(),
            conv_2: conv1d([outputs; 2], kernel, 1, device),
            bn_2: norm(),
            dense1: dense(),
            dense2: dense(),
            conv_3: differs.then(|| conv1d([inputs, outputs], kernel, stride, device)),
            bn_3: differs.then(norm),
            pool: max_pool1d(pool),
        }
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let x = kernels::normalize_relu([(&self.bn_1, kernels::conv1d(&self.conv_1, input.clone()))]);
        let x = kernels::normalize(&self.bn_2, kernels::conv1d(&self.conv_2, x));
        let means: Tensor<2> = x.clone().cast(DType::F32).mean_dim(2).squeeze_dim(2);
        let excitation = sigmoid(self.dense2.forward(relu(self.dense1.forward(means))));
        let x = x.clone() * excitation.cast(x.dtype()).unsqueeze_dim(2);
        let shortcut = match (&self.conv_3, &self.bn_3) {
            (Some(conv), Some(bn)) => kernels::normalize(bn, kernels::conv1d(conv, input)),
            _ => input,
        };
        let x = relu(x + shortcut);
        match &self.pool {
            Some(pool) => kernels::max_pool1d(pool, x),
            None => x,
        }
    }

    fn nodes(&self, graph: &Graph, input: Value) -> Value {
        let x = graph.relu(graph.batch_norm(&self.bn_1, graph.conv1d(&self.conv_1, input)));
        let x = graph.batch_norm(&self.bn_2, graph.conv1d(&self.conv_2, x));
        let hidden = graph.relu(graph.linear(&self.dense1, graph.mean(x, 2)));
        let excitation = graph.sigmoid(graph.linear(&self.dense2, hidden));
        let x = graph.multiply(x, graph.unsqueeze(excitation, 2));
        let shortcut = match (&self.conv_3, &self.bn_3) {
            (Some(conv), Some(bn)) => graph.batch_norm(bn, graph.conv1d(conv, input)),
            _ => input,
        };
        let x = graph.relu(graph.add(x, shortcut));
        match &self.pool {
            Some(pool) => graph.max_pool1d(pool, x),
            None => x,
        }
    }
}

/// Eleven residual blocks with squeeze and excitation, the maximum over the steps (one for a default clip), two dense
/// layers. Parameters for 50 tags: 6,951,858.
#[derive(Module, Debug)]
pub struct SampleLevelSe {
    blocks: Vec<SeBlock>,
    head: Head,
}

impl SampleLevelSe {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            blocks: (0..BLOCKS.len()).map(|at| SeBlock::new(at, device)).collect(),
            head: Head::new(WIDTH, WIDTH, blueprint, device),
        }
    }
}

impl Network for SampleLevelSe {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let steps = self.blocks.iter().fold(input.waveform(), |x, block| block.forward(x));
        self.head.embed(over_time(steps))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.head.classify(embeddings)
    }

    fn classifier(&self) -> &Linear {
        self.head.classifier()
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let steps = self
            .blocks
            .iter()
            .fold(graph.waveform(), |x, block| block.nodes(graph, x));
        self.head.embed_nodes(graph, over_time_nodes(graph, steps))
    }
}
