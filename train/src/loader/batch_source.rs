//! Fills one batch: cuts, augments and transforms each of its clips.

use super::{BatchBuffer, Batches};
use crate::augment::{Augment, ClipPlan};
use crate::frontend::{HostFrontEnd, HostScratch};
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

/// Everything that a batch is a function of, besides its number.
#[derive(Debug)]
pub struct BatchSource<'a> {
    /// The tracks.
    pub dataset: &'a Dataset,
    /// What turns a clip into model input.
    pub front_end: &'a HostFrontEnd,
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
        let input = self.front_end.input();
        buffer.reset(positions.len(), input, features);
        let mut waveforms = buffer.waveform.chunks_exact_mut(features.clip_samples);
        let mut mels = buffer.mel.chunks_exact_mut(features.n_mels * features.clip_frames());
        for &position in positions {
            let track = &self.dataset.tracks()[position];
            let samples = self.dataset.waveform(position).len();
            let plan = match self.clips {
                Clips::Centre => ClipPlan::centre(samples, features),
                Clips::Training { seed, epoch, augment } => {
                    ClipPlan::training(augment, seed, epoch, track.track_id, samples, features)
                }
            };
            self.front_end
                .run(self.dataset, position, &plan, scratch, waveforms.next(), mels.next());
            buffer.positions.push(position);
            let class = self.dataset.class(position);
            buffer
                .labels
                .push(class.expect("the run was refused if a track of its split has no single class"));
        }
    }
}
