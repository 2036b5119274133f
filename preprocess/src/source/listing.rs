//! What a source lists: tracks, and files that are none of them.

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
    /// The genre or the tags that the source gives it, or those of them that were asked for.
    pub labels: Vec<String>,
    /// The source's number or name for the artist.
    pub artist: Option<String>,
    /// The source's number or name for the album.
    pub album: Option<String>,
    /// The set that the source's own split gives the track.
    pub official_split: Option<Set>,
}

/// Everything a source has for a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The tracks that were asked for, in the order of their ids.
    pub tracks: Vec<TrackSource>,
    /// Tracks that are left out because they have none of the labels that were asked for, in the order of their ids.
    pub unlabelled: Vec<TrackSource>,
    /// Files that are none of the source's tracks, in the order of their paths, then directories that were not read.
    pub unlisted: Vec<RejectedRow>,
    /// What was passed over in the audio directory, in sentences.
    pub notes: Vec<String>,
}

impl Listing {
    /// The positions of the tracks whose ids are not among these.
    pub fn without(&self, ids: &HashSet<u64>) -> Vec<usize> {
        let tracks = self.tracks.iter().enumerate();
        let missing = tracks.filter(|(_, track)| !ids.contains(&track.track_id));
        missing.map(|(at, _)| at).collect()
    }
}

/// What is wrong with a word as a label, if anything is.
pub(super) fn label_problem(label: &str) -> Option<String> {
    label
        .contains('|')
        .then(|| format!("`{label}` contains `|`, which separates labels in the data set's tables"))
}
