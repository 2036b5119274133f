//! A finished data set that grows: its tables enter; what is kept of it, or why it cannot grow, leaves.
//!
//! Kept tracks stay where they are in the shards, so each of them must still be what it was in the source, down to the
//! size of its file. Dropped ones are tried again, for the file may have come meanwhile.

use crate::build::source_table::{SOURCES_FILE, SourceRow};
use shared::dataset::manifest::{self, TrackRow};
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, DatasetError, DatasetIndex};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A data set that cannot grow. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum GrowthError {
    /// It cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// It was built before it could.
    #[error(
        "{} was built by an earlier version of this program, which did not note what its source was, so that it cannot \
         grow; choose another --out", path.display()
    )]
    Outdated {
        /// The data set.
        path: PathBuf,
    },
    /// Tracks that it has are no longer what they were.
    #[error(
        "of the tracks in {}, {count} changed in the source since: {examples}; new tracks can be added to a data set, but \
         not these replaced, so choose another --out", path.display()
    )]
    Changed {
        /// The data set.
        path: PathBuf,
        /// How many.
        count: usize,
        /// Some of them, and what has changed.
        examples: String,
    },
}

/// What a data set has before tracks are added; nothing where there is none.
#[derive(Debug, Default)]
pub struct Base {
    /// Its index.
    pub index: Option<DatasetIndex>,
    /// Its tracks.
    pub tracks: Vec<TrackRow>,
}

impl Base {
    /// Reads the data set in `root` and holds it against what its source is now.
    pub fn read(root: &Path, index: DatasetIndex, now: &[SourceRow]) -> Result<Self, GrowthError> {
        if !index.files.contains_key(SOURCES_FILE) {
            return Err(GrowthError::Outdated { path: root.to_owned() });
        }
        let table = dataset::read_recorded(root, &index, SOURCES_FILE)?;
        let then: Vec<SourceRow> = manifest::from_csv(&table).map_err(|error| DatasetError::Damaged {
            path: root.join(SOURCES_FILE),
            detail: error.to_string(),
        })?;
        let tracks = dataset::read_tracks(root, &index)?;
        let then: HashMap<u64, &SourceRow> = then.iter().map(|row| (row.track_id, row)).collect();
        let now: HashMap<u64, &SourceRow> = now.iter().map(|row| (row.track_id, row)).collect();
        let changes: Vec<String> = tracks
            .iter()
            .filter_map(|row| {
                let id = row.track_id;
                let change = change(then.get(&id).copied(), now.get(&id).copied())?;
                Some(format!("track {id} ({}) {change}", row.path))
            })
            .collect();
        if !changes.is_empty() {
            return Err(GrowthError::Changed {
                path: root.to_owned(),
                count: changes.len(),
                examples: changes[..changes.len().min(3)].join(", "),
            });
        }
        Ok(Self {
            index: Some(index),
            tracks,
        })
    }

    /// The tracks it has.
    pub fn ids(&self) -> HashSet<u64> {
        self.tracks.iter().map(|row| row.track_id).collect()
    }

    /// Pairs of shards it has.
    pub fn pairs(&self) -> usize {
        self.index.as_ref().map_or(0, |index| index.shards.len())
    }

    /// The sums and statistics of its tracks.
    pub fn summaries(&self, root: &Path) -> Result<Vec<TrackSummary>, DatasetError> {
        match &self.index {
            Some(index) => dataset::read_summary(root, index),
            None => Ok(Vec::new()),
        }
    }
}

fn change(then: Option<&SourceRow>, now: Option<&SourceRow>) -> Option<&'static str> {
    let (Some(then), Some(now)) = (then, now) else {
        return Some("is not in the source any more");
    };
    if then == now {
        return None;
    }
    Some(if then.path != now.path {
        "has another path"
    } else if then.bytes != now.bytes {
        "has a file of another size"
    } else if (&then.labels, then.wanted) != (&now.labels, now.wanted) {
        "has other labels"
    } else {
        "has another artist, album or official set"
    })
}

#[cfg(test)]
mod tests;
