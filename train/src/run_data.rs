//! A run's view of its data: the open data set, the three sets as positions in it, the front end.

use crate::augment::Augment;
use crate::config::{Cache, RunConfig};
use crate::frontend::{FrontEndPlace, HostFrontEnd};
use crate::models::InputKind;
use shared::dataset::{Dataset, DatasetError};
use shared::shard::ShardKind;
use shared::split::{Set, Split, SplitError};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// What batches are made of.
#[derive(Debug)]
pub struct RunData {
    /// The data set.
    pub dataset: Dataset,
    /// The split.
    pub split: Split,
    /// What turns clips into model input.
    pub front_end: HostFrontEnd,
    positions: BTreeMap<Set, Vec<usize>>,
}

/// Data that cannot be trained on.
#[derive(Debug, thiserror::Error)]
pub enum RunDataError {
    /// The data set cannot be opened.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The split cannot be opened.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The split names a track that the data set does not have.
    #[error("split `{split}` names track {track_id}, which the data set does not have; make a new split")]
    UnknownTrack {
        /// The split.
        split: String,
        /// The track.
        track_id: u64,
    },
    /// A track without exactly one label.
    #[error("track {track_id} has {labels} labels; a genre classifier needs exactly one on every track")]
    NotSingleLabel {
        /// The track.
        track_id: u64,
        /// How many it has.
        labels: usize,
    },
    /// A set without tracks.
    #[error("split `{split}` has no {set} tracks; make one with other ratios")]
    EmptySet {
        /// The split.
        split: String,
        /// The set.
        set: &'static str,
    },
    /// The data set's clips are not what the models are made for.
    #[error(
        "the data set's clips are [{n_mels}, {frames}] and the models take [128, 512]; build it with the default \
             feature settings"
    )]
    ClipShape {
        /// Mel bands.
        n_mels: usize,
        /// Frames.
        frames: usize,
    },
}

/// The shape of a clip's mel spectrogram that the papers' pools are made for.
const CLIP_SHAPE: (usize, usize) = (128, 512);

impl RunData {
    /// Opens the data set in `root` and its split `name`, or the live one.
    pub fn open(root: &Path, name: Option<&str>, input: InputKind) -> Result<Self, RunDataError> {
        let dataset = Dataset::open(root)?;
        let features = dataset.features();
        let (n_mels, frames) = (features.n_mels, features.clip_frames());
        if (n_mels, frames) != CLIP_SHAPE {
            return Err(RunDataError::ClipShape { n_mels, frames });
        }
        let split = Split::read(root, dataset.index(), name)?;
        let mut positions = BTreeMap::new();
        for (&set, ids) in &split.tracks {
            let found = ids.iter().map(|&track_id| {
                let position = dataset.position(track_id).ok_or_else(|| RunDataError::UnknownTrack {
                    split: split.index.name.clone(),
                    track_id,
                })?;
                match dataset.class(position) {
                    Some(_) => Ok(position),
                    None => Err(RunDataError::NotSingleLabel {
                        track_id,
                        labels: dataset.tracks()[position].labels.len(),
                    }),
                }
            });
            positions.insert(set, found.collect::<Result<Vec<_>, _>>()?);
        }
        let front_end = HostFrontEnd::new(input, features, &split.normalization);
        Ok(Self {
            dataset,
            split,
            front_end,
            positions,
        })
    }

    /// Brings the shards that training with `config` reads into memory, or asks the system to, where they fit.
    pub fn prepare(&mut self, config: &RunConfig) -> io::Result<()> {
        let kinds = training_kinds(config);
        match config.cache {
            Cache::Ram => kinds.into_iter().try_for_each(|kind| self.dataset.load(kind)),
            Cache::Mapped if config.shuffle_window == 0 => {
                let shards = 0..self.dataset.index().shards.len();
                let all = kinds
                    .into_iter()
                    .flat_map(|kind| shards.clone().map(move |shard| (kind, shard)));
                // Advice only: without it the same bytes are read later.
                all.for_each(|(kind, shard)| drop(self.dataset.shard(kind, shard).will_need()));
                Ok(())
            }
            Cache::Mapped => Ok(()),
        }
    }

    /// Bytes of the shards that training with `config` reads.
    pub fn training_bytes(&self, config: &RunConfig) -> u64 {
        let shards = &self.dataset.index().shards;
        let bytes = training_kinds(config)
            .into_iter()
            .flat_map(|kind| shards.iter().map(move |shard| shard.file(kind).bytes));
        bytes.sum()
    }

    /// The tracks of a set, as positions in the data set.
    pub fn positions(&self, set: Set) -> Result<&[usize], RunDataError> {
        match self.positions.get(&set) {
            Some(positions) if !positions.is_empty() => Ok(positions),
            _ => Err(RunDataError::EmptySet {
                split: self.split.index.name.clone(),
                set: set.name(),
            }),
        }
    }
}

/// The shards that training clips are cut out of: an augmented clip's mel spectrogram is computed from its samples.
pub fn training_kinds(config: &RunConfig) -> Vec<ShardKind> {
    let InputKind { waveform, mel } = config.model.input();
    let plain = config.augment == Augment::None;
    let mut kinds = Vec::new();
    if waveform || !plain || config.front_end == FrontEndPlace::Device {
        kinds.push(ShardKind::Waveform);
    }
    // Stored spectrograms are read for clips that are not augmented, a quarter of them with both augmentations.
    if mel {
        kinds.push(ShardKind::Mel);
    }
    kinds
}
