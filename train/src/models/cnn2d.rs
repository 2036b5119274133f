//! `cnn2d`: the mel encoder, global pooling, three dense layers.

use super::encoder2d::{CHANNELS, Encoder2d};
use super::head::PooledMlp;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Parameters for 8 classes: 347,352.
#[derive(Module, Debug)]
pub struct Cnn2d {
    encoder: Encoder2d,
    classifier: PooledMlp,
}

impl Cnn2d {
    /// Fresh weights.
    pub fn new(classes: usize, dropout: f64, device: &Device) -> Self {
        let channels = CHANNELS[CHANNELS.len() - 1];
        Self {
            encoder: Encoder2d::new(device),
            classifier: PooledMlp::new(channels, classes, dropout, device),
        }
    }

    /// `[batch, 1, n_mels, frames]` to logits `[batch, classes]`.
    pub fn forward(&self, mel: Tensor<4>) -> Tensor<2> {
        self.classifier.forward(self.encoder.forward(mel))
    }
}
