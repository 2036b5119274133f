//! The memory of one batch, filled again and again.

use crate::models::InputKind;
use shared::features::FeatureConfig;

/// Model input of one batch on the host, with the tracks it was made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchBuffer {
    /// Positions of the tracks in the data set.
    pub positions: Vec<usize>,
    /// Their classes.
    pub labels: Vec<usize>,
    /// `[batch, clip_samples]`, z-scored; empty where the model takes no waveform.
    pub waveform: Vec<f32>,
    /// `[batch, n_mels, frames]`, z-scored per band; empty where the model takes no mel spectrogram.
    pub mel: Vec<f32>,
}

impl BatchBuffer {
    /// Makes room for `tracks` clips. Allocates only when the batch is larger than all before.
    pub fn reset(&mut self, tracks: usize, input: InputKind, features: &FeatureConfig) {
        self.positions.clear();
        self.labels.clear();
        let waveform = if input.waveform {
            tracks * features.clip_samples
        } else {
            0
        };
        let mel = if input.mel {
            tracks * features.n_mels * features.clip_frames()
        } else {
            0
        };
        self.waveform.resize(waveform, 0.0);
        self.mel.resize(mel, 0.0);
    }
}
