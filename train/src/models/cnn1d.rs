//! `cnn1d`: the waveform encoder, global pooling, three dense layers.

use super::encoder1d::{CHANNELS, Encoder1d};
use super::head::PooledMlp;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Parameters for 8 classes: 161,176.
#[derive(Module, Debug)]
pub struct Cnn1d {
    encoder: Encoder1d,
    classifier: PooledMlp,
}

impl Cnn1d {
    /// Fresh weights.
    pub fn new(classes: usize, dropout: f64, device: &Device) -> Self {
        let channels = CHANNELS[CHANNELS.len() - 1];
        Self {
            encoder: Encoder1d::new(device),
            classifier: PooledMlp::new(channels, classes, dropout, device),
        }
    }

    /// `[batch, 1, clip_samples]` to logits `[batch, classes]`.
    pub fn forward(&self, waveform: Tensor<3>) -> Tensor<2> {
        self.classifier.forward(self.encoder.forward(waveform))
    }
}
