//! The memory of one batch, filled again and again.

use super::Labels;
use crate::augment::ClipPlan;
use crate::frontend::StageTimes;
use crate::models::InputShape;

/// One batch on the host, with the excerpts it was made of: model input, or the samples that the device makes it of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchBuffer {
    /// The excerpts, as places in the run's list.
    pub excerpts: Vec<usize>,
    /// What is true of them.
    pub labels: Labels,
    /// How each clip is cut and augmented.
    pub plans: Vec<ClipPlan>,
    /// `[batch, samples]`; empty where the model takes no waveform.
    pub waveform: Vec<f32>,
    /// `[batch, rows, columns]`; empty where the model takes no spectrogram.
    pub spectrogram: Vec<f32>,
    /// `[batch, values]`; empty where the model takes no statistics.
    pub statistics: Vec<f32>,
    /// `[batch, source samples]` as they lie in the shards, zeros behind a track's end; empty where the host makes the
    /// model input.
    pub pcm: Vec<i16>,
    pub times: StageTimes,
}

impl BatchBuffer {
    pub fn clips(&self) -> usize {
        self.excerpts.len()
    }

    /// Makes room for the model input of `clips` clips. Allocates only when the batch is larger than all before.
    pub fn reset(&mut self, clips: usize, shape: &InputShape) {
        let [rows, columns] = shape.spectrogram;
        self.clear();
        self.waveform.resize(clips * shape.samples, 0.0);
        self.spectrogram.resize(clips * rows * columns, 0.0);
        self.statistics.resize(clips * shape.statistics, 0.0);
    }

    /// Makes room for `samples` samples of each of `clips` clips.
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
