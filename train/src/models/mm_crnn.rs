//! `mm-crnn`: both encoders' 64 steps concatenated along channels, an LSTM 256 → 128, one dense layer.

use super::head::Recurrent;
use super::{encoder1d, encoder2d};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Parameters for 8 classes: 623,848.
#[derive(Module, Debug)]
pub struct MmCrnn {
    waveform_encoder: encoder1d::Encoder1d,
    mel_encoder: encoder2d::Encoder2d,
    classifier: Recurrent,
}

impl MmCrnn {
    /// Fresh weights.
    pub fn new(classes: usize, dropout: f64, device: &Device) -> Self {
        let last = |channels: [usize; 4]| channels[channels.len() - 1];
        let channels = last(encoder1d::CHANNELS) + last(encoder2d::CHANNELS);
        Self {
            waveform_encoder: encoder1d::Encoder1d::new(device),
            mel_encoder: encoder2d::Encoder2d::new(device),
            classifier: Recurrent::new(channels, classes, dropout, device),
        }
    }

    /// `[batch, 1, clip_samples]` and `[batch, 1, n_mels, frames]` of the same clips to logits `[batch, classes]`.
    pub fn forward(&self, waveform: Tensor<3>, mel: Tensor<4>) -> Tensor<2> {
        let steps = vec![self.waveform_encoder.forward(waveform), self.mel_encoder.forward(mel)];
        self.classifier.forward(Tensor::cat(steps, 1))
    }
}
