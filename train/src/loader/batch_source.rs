//! Fills one batch: cuts, augments and transforms each of its clips, or only copies what the device makes them of.

use super::{BatchBuffer, Batches};
use crate::augment::{Augment, ClipPlan};
use crate::frontend::{HostFrontEnd, HostScratch, StageTimes, timed};
use shared::dataset::Dataset;

/// How clips are cut out of tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clips {
    /// At a place and with augmentations drawn from (seed, epoch, track).
    Training {
        /// The run's seed.
        seed: u64,
        /// The epoch.
        epoch: u64,
        /// Which augmentations.
        augment: Augment,
    },
    /// From the middle, unchanged.
    Centre,
}

/// What a batch holds.
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
    /// The tracks.
    pub dataset: &'a Dataset,
    /// What becomes of the clips here.
    pub target: Target<'a>,
    /// Which tracks make up which batch.
    pub batches: Batches,
    /// How clips are cut.
    pub clips: Clips,
}

impl BatchSource<'_> {
    /// Makes batch `number`.
    pub fn fill(&self, number: usize, buffer: &mut BatchBuffer, scratch: &mut HostScratch) {
        let features = self.dataset.features();
        let positions = self.batches.batch(number);
        scratch.times = StageTimes::default();
        match self.target {
            Target::ModelInput(front_end) => buffer.reset(positions.len(), front_end.input(), features),
            Target::Samples { per_clip } => buffer.reset_pcm(positions.len(), per_clip),
        }
        for &position in positions {
            buffer.positions.push(position);
            buffer.plans.push(self.plan(position));
            let class = self.dataset.class(position);
            buffer
                .labels
                .push(class.expect("the run was refused if a track of its split has no single class"));
        }
        let clips = positions.iter().zip(&buffer.plans);
        match self.target {
            Target::ModelInput(front_end) => {
                let mut waveforms = buffer.waveform.chunks_exact_mut(features.clip_samples);
                let mut mels = buffer.mel.chunks_exact_mut(features.n_mels * features.clip_frames());
                for (&position, plan) in clips {
                    front_end.run(self.dataset, position, plan, scratch, waveforms.next(), mels.next());
                }
            }
            Target::Samples { per_clip } => timed(&mut scratch.times.read, || {
                for ((&position, plan), out) in clips.zip(buffer.pcm.chunks_exact_mut(per_clip)) {
                    copy_or_pad(self.dataset.waveform(position), plan.hop * features.hop_length, out);
                }
            }),
        }
        buffer.times = scratch.times;
    }

    fn plan(&self, position: usize) -> ClipPlan {
        let features = self.dataset.features();
        let samples = self.dataset.waveform(position).len();
        match self.clips {
            Clips::Centre => ClipPlan::centre(samples, features),
            Clips::Training { seed, epoch, augment } => {
                let track_id = self.dataset.tracks()[position].track_id;
                ClipPlan::training(augment, seed, epoch, track_id, samples, features)
            }
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
