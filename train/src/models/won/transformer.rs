//! A transformer encoder like BERT's (Devlin et al. 2019): layer norm after each sum, exact GELU, no mask. It adds no
//! positions to its input.

use super::super::definition::Blueprint;
use super::super::onnx::{Graph, Value};
use burn::module::Module;
use burn::nn::{Dropout, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{Device, Tensor};

/// Width of the sequence.
pub const WIDTH: usize = 256;
const LAYERS: usize = 2;
const HEADS: usize = 8;
/// Width of one head.
const HEAD: usize = WIDTH / HEADS;
/// Width between the two dense layers of a feed-forward part.
const INTERMEDIATE: usize = 1024;
const HIDDEN_DROPOUT: f64 = 0.4;
const ATTENTION_DROPOUT: f64 = 0.5;
const EPSILON: f64 = 1e-12;

/// Scaled dot-product attention with 8 heads.
#[derive(Module, Debug)]
struct Heads {
    query: Linear,
    key: Linear,
    value: Linear,
    dropout: Dropout,
}

impl Heads {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let linear = || LinearConfig::new(WIDTH, WIDTH).init(device);
        Self {
            query: linear(),
            key: linear(),
            value: linear(),
            dropout: blueprint.fixed_dropout(ATTENTION_DROPOUT).init(),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, steps, width] = x.dims();
        let [query, key, value] = [&self.query, &self.key, &self.value].map(|linear| {
            let x = linear.forward(x.clone());
            x.reshape([batch, steps, HEADS, HEAD]).swap_dims(1, 2)
        });
        let scores = query.matmul(key.transpose()) / (HEAD as f64).sqrt();
        let weights = self.dropout.forward(softmax(scores, 3));
        weights.matmul(value).swap_dims(1, 2).reshape([batch, steps, width])
    }

    fn nodes(&self, graph: &Graph, x: Value) -> Value {
        let [query, key, value] = [&self.query, &self.key, &self.value].map(|linear| {
            let x = graph.linear(linear, x);
            graph.permute(graph.reshape(x, &[0, -1, HEADS as i64, HEAD as i64]), &[0, 2, 1, 3])
        });
        let products = graph.matmul(query, graph.permute(key, &[0, 1, 3, 2]));
        let weights = graph.softmax(graph.scale(products, 1.0 / (HEAD as f64).sqrt()), 3);
        let heads = graph.permute(graph.matmul(weights, value), &[0, 2, 1, 3]);
        graph.reshape(heads, &[0, -1, WIDTH as i64])
    }
}

/// A dense layer and dropout, and layer norm of the sum with the residual.
#[derive(Module, Debug)]
struct Output {
    dense: Linear,
    dropout: Dropout,
    norm: LayerNorm,
}

impl Output {
    fn new(inputs: usize, blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            dense: LinearConfig::new(inputs, WIDTH).init(device),
            dropout: blueprint.fixed_dropout(HIDDEN_DROPOUT).init(),
            norm: LayerNormConfig::new(WIDTH).with_epsilon(EPSILON).init(device),
        }
    }

    fn forward(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        self.norm
            .forward(self.dropout.forward(self.dense.forward(x)) + residual)
    }

    fn nodes(&self, graph: &Graph, x: Value, residual: Value) -> Value {
        let sum = graph.add(graph.linear(&self.dense, x), residual);
        graph.layer_norm(&self.norm, EPSILON, sum)
    }
}

#[derive(Module, Debug)]
struct Attention {
    heads: Heads,
    output: Output,
}

#[derive(Module, Debug)]
struct Intermediate {
    dense: Linear,
}

#[derive(Module, Debug)]
struct Layer {
    attention: Attention,
    intermediate: Intermediate,
    output: Output,
}

impl Layer {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            attention: Attention {
                heads: Heads::new(blueprint, device),
                output: Output::new(WIDTH, blueprint, device),
            },
            intermediate: Intermediate {
                dense: LinearConfig::new(WIDTH, INTERMEDIATE).init(device),
            },
            output: Output::new(INTERMEDIATE, blueprint, device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let attended = self.attention.heads.forward(x.clone());
        let x = self.attention.output.forward(attended, x);
        let intermediate = gelu(self.intermediate.dense.forward(x.clone()));
        self.output.forward(intermediate, x)
    }

    fn nodes(&self, graph: &Graph, x: Value) -> Value {
        let attended = self.attention.heads.nodes(graph, x);
        let x = self.attention.output.nodes(graph, attended, x);
        let intermediate = graph.gelu(graph.linear(&self.intermediate.dense, x));
        self.output.nodes(graph, intermediate, x)
    }
}

/// Two layers.
#[derive(Module, Debug)]
pub struct Encoder {
    layer: Vec<Layer>,
}

impl Encoder {
    pub fn new(blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            layer: (0..LAYERS).map(|_| Layer::new(blueprint, device)).collect(),
        }
    }

    /// `[batch, steps, 256]` to the same shape.
    pub fn forward(&self, sequence: Tensor<3>) -> Tensor<3> {
        self.layer.iter().fold(sequence, |x, layer| layer.forward(x))
    }

    /// The nodes of [`forward`](Self::forward).
    pub fn nodes(&self, graph: &Graph, sequence: Value) -> Value {
        self.layer.iter().fold(sequence, |x, layer| layer.nodes(graph, x))
    }
}
