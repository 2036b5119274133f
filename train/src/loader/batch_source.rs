//! Fills one batch: cuts, augments and transforms each clip, or copies the samples from which the device does so.

use super::{BatchBuffer, Batches, Excerpt};
use crate::augment::{Augment, ClipPlan, mixup_lambda};
use crate::frontend::{ClipOutput, HostFrontEnd, HostScratch, StageTimes, timed};
use bytemuck::cast_slice_mut;
use shared::dataset::Dataset;
use shared::dsp::features::FeatureConfig;

/// How clips are cut out of tracks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clips {
    /// At the excerpt's position or a random one, with augmentations. Both are drawn from (seed, epoch, track).
    Training {
        seed: u64,
        epoch: u64,
        augment: Augment,
        /// Hops at each end of a track where no random clip begins or ends.
        skipped: usize,
        /// Mixup's alpha; 0 without mixup.
        mixup: f64,
    },
    /// At the excerpt's position, unchanged.
    Evaluation,
}

/// What a batch is filled with.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Model input, computed by the loader's threads.
    ModelInput(&'a HostFrontEnd),
    /// Raw samples of each track, starting at its clip, for the front end on the device.
    Samples {
        /// The same number for each clip, even if one needs fewer.
        per_clip: usize,
    },
}

/// Everything that determines a batch, except its number.
#[derive(Debug)]
pub struct BatchSource<'a> {
    pub dataset: &'a Dataset,
    pub excerpts: &'a [Excerpt],
    /// The data set's feature settings, with the clip length of the run.
    pub features: &'a FeatureConfig,
    pub target: Target<'a>,
    /// Which excerpts are in which batch.
    pub batches: Batches,
    pub clips: Clips,
}

impl BatchSource<'_> {
    /// Fills `buffer` with batch `number`.
    pub fn fill(&self, number: usize, buffer: &mut BatchBuffer, scratch: &mut HostScratch) {
        let excerpts = self.batches.batch(number);
        scratch.times = StageTimes::default();
        match self.target {
            Target::ModelInput(front_end) => buffer.reset(excerpts.len(), front_end.shape()),
            Target::Samples { per_clip } => buffer.reset_pcm(excerpts.len(), per_clip),
        }
        for (&excerpt, &repeat) in excerpts.iter().zip(self.batches.repeats(number)) {
            buffer.excerpts.push(excerpt);
            let plan = self.plan(self.excerpts[excerpt], repeat);
            buffer.labels.push(self.dataset, self.excerpts[excerpt].position);
            match self.clips {
                Clips::Training { mixup, .. } if mixup > 0.0 => {
                    buffer.labels.push_lambda(mixup_lambda(mixup, plan.key));
                }
                Clips::Training { .. } | Clips::Evaluation => {}
            }
            buffer.plans.push(plan);
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
                let samples: &mut [i16] = cast_slice_mut(&mut buffer.pcm);
                for ((position, plan), out) in clips.zip(samples.chunks_exact_mut(per_clip)) {
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
            Clips::Training {
                seed,
                epoch,
                augment,
                skipped,
                ..
            } => {
                let key = excerpt.key(row.track_id, repeat);
                ClipPlan::training(augment, seed, epoch, key, samples, skipped, self.features)
            }
        };
        match excerpt.hop {
            Some(hop) => {
                // A faster clip needs more samples than its length. Near the track's end, it begins earlier.
                let last_start = samples.saturating_sub(plan.source_samples(self.features.clip_samples));
                let hop = hop.min(last_start / self.features.hop_length);
                ClipPlan { hop, ..plan }
            }
            None => plan,
        }
    }
}

/// Copies `out.len()` samples from `begin` on. Samples after the track's end are zeros.
pub fn copy_or_pad(samples: &[i16], begin: usize, out: &mut [i16]) {
    let available = &samples[begin.min(samples.len())..];
    let (copied, padding) = out.split_at_mut(available.len().min(out.len()));
    copied.copy_from_slice(&available[..copied.len()]);
    padding.fill(0);
}
