//! Fills one batch: cuts, augments and transforms each of its clips, or only copies what the device makes them of.

use super::{BatchBuffer, Batches, Excerpt};
use crate::augment::{Augment, ClipPlan};
use crate::frontend::{ClipOutput, HostFrontEnd, HostScratch, StageTimes, timed};
use shared::dataset::Dataset;
use shared::dsp::features::FeatureConfig;

/// How clips are cut out of tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clips {
    /// At the excerpt's place or one that is drawn, with augmentations; both drawn from (seed, epoch, track).
    Training {
        seed: u64,
        /// The epoch.
        epoch: u64,
        augment: Augment,
    },
    /// At the excerpt's place, unchanged.
    Evaluation,
}

#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Model input, made by the loader's threads.
    ModelInput(&'a HostFrontEnd),
    /// The samples of each track from its clip's beginning on, for the front end on the device.
    Samples {
        /// The same number for each clip, whether it needs them or not.
        per_clip: usize,
    },
}

/// Everything that a batch is a function of, besides its number.
#[derive(Debug)]
pub struct BatchSource<'a> {
    pub dataset: &'a Dataset,
    pub excerpts: &'a [Excerpt],
    /// The data set's feature settings, with the run's length of a clip.
    pub features: &'a FeatureConfig,
    /// What becomes of the clips here.
    pub target: Target<'a>,
    /// Which excerpts make up which batch.
    pub batches: Batches,
    /// How clips are cut.
    pub clips: Clips,
}

impl BatchSource<'_> {
    /// Makes batch `number`.
    pub fn fill(&self, number: usize, buffer: &mut BatchBuffer, scratch: &mut HostScratch) {
        let excerpts = self.batches.batch(number);
        scratch.times = StageTimes::default();
        match self.target {
            Target::ModelInput(front_end) => buffer.reset(excerpts.len(), front_end.shape()),
            Target::Samples { per_clip } => buffer.reset_pcm(excerpts.len(), per_clip),
        }
        for (&excerpt, &repeat) in excerpts.iter().zip(self.batches.repeats(number)) {
            buffer.excerpts.push(excerpt);
            buffer.plans.push(self.plan(self.excerpts[excerpt], repeat));
            buffer.labels.push(self.dataset, self.excerpts[excerpt].position);
        }
        let clips = excerpts.iter().map(|&excerpt| self.excerpts[excerpt].position);
        let clips = clips.zip(&buffer.plans);
        match self.target {
            Target::ModelInput(front_end) => {
                let shape = front_end.shape();
                let [rows, columns] = shape.spectrogram;
                let mut waveforms = buffer.waveform.chunks_exact_mut(shape.samples.max(1));
                let mut spectrograms = buffer.spectrogram.chunks_exact_mut((rows * columns).max(1));
                let mut statistics = buffer.statistics.chunks_exact_mut(shape.statistics.max(1));
                for (position, plan) in clips {
                    let out = ClipOutput {
                        waveform: waveforms.next(),
                        spectrogram: spectrograms.next(),
                        statistics: statistics.next(),
                    };
                    front_end.run(self.dataset, position, plan, scratch, out);
                }
            }
            Target::Samples { per_clip } => timed(&mut scratch.times.read, || {
                for ((position, plan), out) in clips.zip(buffer.pcm.chunks_exact_mut(per_clip)) {
                    copy_or_pad(
                        self.dataset.waveform(position),
                        plan.hop * self.features.hop_length,
                        out,
                    );
                }
            }),
        }
        buffer.times = scratch.times;
    }

    fn plan(&self, excerpt: Excerpt, repeat: usize) -> ClipPlan {
        let row = &self.dataset.tracks()[excerpt.position];
        let samples = self.dataset.waveform(excerpt.position).len();
        let plan = match self.clips {
            Clips::Evaluation => ClipPlan::default(),
            Clips::Training { seed, epoch, augment } => {
                let key = excerpt.key(row.track_id, repeat);
                ClipPlan::training(augment, seed, epoch, key, samples, self.features)
            }
        };
        match excerpt.place {
            Some(place) => {
                // A clip that is sped up needs more samples than it has: at a track's end they are those before it.
                let spare = samples.saturating_sub(plan.source_samples(self.features.clip_samples));
                let hop = place.hop.min(spare / self.features.hop_length);
                ClipPlan { hop, ..plan }
            }
            None => plan,
        }
    }
}

/// Copies `out.len()` samples from `begin` on; zeros where the track has ended.
pub fn copy_or_pad(samples: &[i16], begin: usize, out: &mut [i16]) {
    let rest = &samples[begin.min(samples.len())..];
    let (copied, padding) = out.split_at_mut(rest.len().min(out.len()));
    copied.copy_from_slice(&rest[..copied.len()]);
    padding.fill(0);
}
