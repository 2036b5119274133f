//! The listing of a source: its tracks, and the files that are not tracks.

use shared::dataset::manifest::RejectedRow;
use shared::dataset::split::Set;
use std::collections::HashSet;

/// A track as its source describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackSource {
    /// The source's number for the track; unique in the source.
    pub track_id: u64,
    /// The audio file, relative to the audio directory, with `/` between names: `000/000123.mp3`.
    pub path: String,
    /// The genre or the tags in the source; only the requested ones if labels were selected.
    pub labels: Vec<String>,
    /// The source's number or name for the artist.
    pub artist: Option<String>,
    /// The source's number or name for the album.
    pub album: Option<String>,
    /// The track's set in the source's own split.
    pub official_split: Option<Set>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The requested tracks, in the order of their ids.
    pub tracks: Vec<TrackSource>,
    /// Tracks that are left out because they have none of the requested labels, in the order of their ids.
    pub unlabelled: Vec<TrackSource>,
    /// Files that are not tracks of the source, in the order of their paths, then directories that were not read.
    pub unlisted: Vec<RejectedRow>,
    /// Notes about what was skipped in the audio directory.
    pub notes: Vec<String>,
}

impl Listing {
    /// The positions of the tracks whose ids are not in `ids`.
    pub fn without(&self, ids: &HashSet<u64>) -> Vec<usize> {
        let tracks = self.tracks.iter().enumerate();
        let missing = tracks.filter(|(_, track)| !ids.contains(&track.track_id));
        missing.map(|(at, _)| at).collect()
    }
}

/// The id of a track of a source that has no ids: the first 48 bits of the path's BLAKE3. Ids do not change when other
/// files are added or removed, and 48 bits are exact even if JSON numbers are read as floating point.
pub(super) fn path_id(path: &str) -> u64 {
    let hash = blake3::hash(path.as_bytes());
    hash.as_bytes()[..6]
        .iter()
        .fold(0, |id, &byte| id << 8 | u64::from(byte))
}

/// Why `label` cannot be a label; `None` if it can.
pub(super) fn label_problem(label: &str) -> Option<String> {
    label
        .contains('|')
        .then(|| format!("`{label}` contains `|`, which separates labels in the data set's tables"))
}
