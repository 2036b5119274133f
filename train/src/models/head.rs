//! Classifier heads that turn an encoder's steps into logits: pooling and dense layers, or an LSTM and one dense layer.

use super::definition::Blueprint;
use super::onnx::{Graph, Value};
use super::recurrence::Recurrence;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig, Lstm};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// Concatenated global average and max pooling (256), then dense layers 256 → 128 → 64 → classes with ReLU and dropout
/// after the first two.
#[derive(Module, Debug)]
pub struct PooledMlp {
    linear0: Linear,
    linear1: Linear,
    linear2: Linear,
    dropout: Dropout,
}

impl PooledMlp {
    pub fn new(channels: usize, blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            linear0: LinearConfig::new(2 * channels, 128).init(device),
            linear1: LinearConfig::new(128, 64).init(device),
            linear2: LinearConfig::new(64, blueprint.classes).init(device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
        }
    }

    /// `[batch, channels, steps]` to `[batch, 64]`.
    pub fn embed(&self, steps: Tensor<3>) -> Tensor<2> {
        let average: Tensor<2> = steps.clone().mean_dim(2).squeeze_dim(2);
        let maximum: Tensor<2> = steps.max_dim(2).squeeze_dim(2);
        // Maxima come first. In the optimizer state of the published checkpoint, the squared gradients of the first 128
        // columns are larger than those of the last 128 in every channel, on average by a factor of 13, as expected for
        // maxima.
        let x = Tensor::cat(vec![maximum, average], 1);
        let x = self.dropout.forward(relu(self.linear0.forward(x)));
        relu(self.linear1.forward(x))
    }

    /// `[batch, 64]` to `[batch, classes]`.
    pub fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear2.forward(self.dropout.forward(embeddings))
    }

    pub fn classifier(&self) -> &Linear {
        &self.linear2
    }

    /// The nodes of [`embed`](Self::embed).
    pub fn embed_nodes(&self, graph: &Graph, steps: Value) -> Value {
        let x = graph.concat(&[graph.max(steps, &[2]), graph.mean(steps, 2)], 1);
        let x = graph.relu(graph.linear(&self.linear0, x));
        graph.relu(graph.linear(&self.linear1, x))
    }
}

/// One LSTM over the steps, its last hidden state, dropout, one dense layer.
#[derive(Module, Debug)]
pub struct Recurrent {
    lstm: Lstm,
    dropout: Dropout,
    linear: Linear,
}

/// Width of the LSTM's hidden state.
const HIDDEN: usize = 128;

impl Recurrent {
    pub fn new(channels: usize, blueprint: &Blueprint, device: &Device) -> Self {
        Self {
            lstm: Lstm::init(channels, HIDDEN, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear: LinearConfig::new(HIDDEN, blueprint.classes).init(device),
        }
    }

    /// `[batch, channels, steps]` to `[batch, 128]`.
    pub fn embed(&self, steps: Tensor<3>) -> Tensor<2> {
        self.lstm.last_hidden(steps)
    }

    /// `[batch, 128]` to `[batch, classes]`.
    pub fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear.forward(self.dropout.forward(embeddings))
    }

    pub fn classifier(&self) -> &Linear {
        &self.linear
    }

    /// The nodes of [`embed`](Self::embed).
    pub fn embed_nodes(&self, graph: &Graph, steps: Value) -> Value {
        self.lstm.last_hidden_nodes(graph, steps)
    }
}
