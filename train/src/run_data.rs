//! A run's view of its data: the open data set, the three sets as positions in it, the front end.

use crate::frontend::HostFrontEnd;
use crate::models::InputKind;
use shared::dataset::{Dataset, DatasetError};
use shared::split::{Set, Split, SplitError};
use std::collections::BTreeMap;
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
