//! The memory of one batch, filled again and again.

use crate::augment::ClipPlan;
use crate::frontend::StageTimes;
use crate::models::InputKind;
use shared::features::FeatureConfig;

/// One batch on the host, with the tracks it was made of: model input, or the samples that the device makes it of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchBuffer {
    /// Positions of the tracks in the data set.
    pub positions: Vec<usize>,
    /// Their classes.
    pub labels: Vec<usize>,
    /// How each clip is cut and augmented.
    pub plans: Vec<ClipPlan>,
    /// `[batch, clip_samples]`, z-scored; empty where the model takes no waveform.
    pub waveform: Vec<f32>,
    /// `[batch, n_mels, frames]`, z-scored per band; empty where the model takes no mel spectrogram.
    pub mel: Vec<f32>,
    /// `[batch, source samples]` as they lie in the shards, zeros behind a track's end; empty where the host makes the
    /// model input.
    pub pcm: Vec<i16>,
    /// What filling it took.
    pub times: StageTimes,
}

impl BatchBuffer {
    /// Makes room for the model input of `tracks` clips. Allocates only when the batch is larger than all before.
    pub fn reset(&mut self, tracks: usize, input: InputKind, features: &FeatureConfig) {
        let room = |wanted: bool, values: usize| if wanted { tracks * values } else { 0 };
        self.clear();
        self.waveform.resize(room(input.waveform, features.clip_samples), 0.0);
        self.mel
            .resize(room(input.mel, features.n_mels * features.clip_frames()), 0.0);
    }

    /// Makes room for `samples` samples of each of `tracks` clips.
    pub fn reset_pcm(&mut self, tracks: usize, samples: usize) {
        self.clear();
        self.pcm.resize(tracks * samples, 0);
    }

    fn clear(&mut self) {
        self.positions.clear();
        self.labels.clear();
        self.plans.clear();
        self.waveform.clear();
        self.mel.clear();
        self.pcm.clear();
    }
}
