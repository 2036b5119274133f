//! The reusable memory of one batch.

use super::{Labels, Values};
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
    pub waveform: Values<f32>,
    /// `[batch, rows, columns]`; empty if the model takes no spectrogram.
    pub spectrogram: Values<f32>,
    /// `[batch, values]`; empty if the model takes no statistics.
    pub statistics: Values<f32>,
    /// `[batch, source samples / 2]` as stored in the shards, zeros after a track's end; empty if the host computes the
    /// model input. Each value has two 16-bit samples, the first in its lower half.
    pub pcm: Values<i32>,
    pub times: StageTimes,
}

impl BatchBuffer {
    pub fn clips(&self) -> usize {
        self.excerpts.len()
    }

    /// Resizes for the model input of `clips` clips.
    pub fn reset(&mut self, clips: usize, shape: &InputShape) {
        let [rows, columns] = shape.spectrogram;
        self.clear();
        self.waveform.reset(clips * shape.samples);
        self.spectrogram.reset(clips * rows * columns);
        self.statistics.reset(clips * shape.statistics);
        self.pcm.reset(0);
    }

    /// Resizes for `samples` samples, an even number, of each of `clips` clips.
    pub fn reset_pcm(&mut self, clips: usize, samples: usize) {
        self.clear();
        for unused in [&mut self.waveform, &mut self.spectrogram, &mut self.statistics] {
            unused.reset(0);
        }
        self.pcm.reset(clips * samples / 2);
    }

    fn clear(&mut self) {
        self.excerpts.clear();
        self.labels.clear();
        self.plans.clear();
    }
}
