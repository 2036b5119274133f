//! `crnn`: the mel encoder, an LSTM 128 → 128 over its 64 steps, one dense layer.

use super::encoder2d::{CHANNELS, Encoder2d};
use super::head::Recurrent;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Parameters for 8 classes: 438,808.
#[derive(Module, Debug)]
pub struct Crnn {
    encoder: Encoder2d,
    classifier: Recurrent,
}

impl Crnn {
    /// Fresh weights.
    pub fn new(classes: usize, dropout: f64, device: &Device) -> Self {
        let channels = CHANNELS[CHANNELS.len() - 1];
        Self {
            encoder: Encoder2d::new(device),
            classifier: Recurrent::new(channels, classes, dropout, device),
        }
    }

    /// `[batch, 1, n_mels, frames]` to logits `[batch, classes]`.
    pub fn forward(&self, mel: Tensor<4>) -> Tensor<2> {
        self.classifier.forward(self.encoder.forward(mel))
    }
}
