//! The reusable memory of one batch.

use super::Labels;
use crate::augment::ClipPlan;
use crate::frontend::StageTimes;
use crate::models::InputShape;

/// One batch on the host: model input, or the samples from which the device computes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchBuffer {
    /// The excerpts, as indices into the run's list.
    pub excerpts: Vec<usize>,
    /// Their classes or tags.
    pub labels: Labels,
    /// Crop and augmentations of each clip.
    pub plans: Vec<ClipPlan>,
    /// `[batch, samples]`; empty if the model takes no waveform.
    pub waveform: Vec<f32>,
    /// `[batch, rows, columns]`; empty if the model takes no spectrogram.
    pub spectrogram: Vec<f32>,
    /// `[batch, values]`; empty if the model takes no statistics.
    pub statistics: Vec<f32>,
    /// `[batch, source samples]` as stored in the shards, zeros after a track's end; empty if the host computes the
    /// model input.
    pub pcm: Vec<i16>,
    pub times: StageTimes,
}

impl BatchBuffer {
    pub fn clips(&self) -> usize {
        self.excerpts.len()
    }

    /// Resizes for the model input of `clips` clips. Allocates only if no earlier batch was as large.
    pub fn reset(&mut self, clips: usize, shape: &InputShape) {
        let [rows, columns] = shape.spectrogram;
        self.clear();
        self.waveform.resize(clips * shape.samples, 0.0);
        self.spectrogram.resize(clips * rows * columns, 0.0);
        self.statistics.resize(clips * shape.statistics, 0.0);
    }

    /// Resizes for `samples` samples of each of `clips` clips.
    pub fn reset_pcm(&mut self, clips: usize, samples: usize) {
        self.clear();
        self.pcm.resize(clips * samples, 0);
    }

    fn clear(&mut self) {
        self.excerpts.clear();
        self.labels.clear();
        self.plans.clear();
        self.waveform.clear();
        self.spectrogram.clear();
        self.statistics.clear();
        self.pcm.clear();
    }
}
