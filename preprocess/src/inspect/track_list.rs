//! The tracks of a data set, with their sets of the current split.

use super::InspectError;
use shared::dataset;
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{Set, Split};
use std::collections::HashMap;
use std::path::Path;

/// The rows of `tracks.csv`, and the current split.
#[derive(Clone, Debug, Default)]
pub struct TrackList {
    pub(super) rows: Vec<TrackRow>,
    /// Each track's set. Empty if there is no current split, or it cannot be read; the section on splits reports that.
    pub(super) sets: HashMap<u64, Set>,
}

impl TrackList {
    pub fn read(root: &Path) -> Result<Self, InspectError> {
        dataset::consistently(root, |index| {
            let split = Split::read(root, index, None);
            let sets = split.into_iter().flat_map(|split| split.tracks);
            let sets = sets.flat_map(|(set, ids)| ids.into_iter().map(move |id| (id, set)));
            Ok(Self {
                rows: dataset::read_tracks(root, index)?,
                sets: sets.collect(),
            })
        })
    }

    /// Labels by track id, for the colours of a projection.
    pub(super) fn labels(&self) -> HashMap<u64, Vec<String>> {
        let labels = self.rows.iter().map(|row| (row.track_id, row.labels.clone()));
        labels.collect()
    }
}
