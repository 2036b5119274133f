//! Counts the artists that a build found in the tags of audio files, for its summary.

use crate::source::Listing;
use shared::dataset::{self, DatasetError, DatasetIndex};
use shared::runtime::text::counted;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

/// A sentence about the tracks of the data set in `root` whose artist the source does not name; `None` if it names all.
pub fn describe(root: &Path, index: &DatasetIndex, listing: &Listing) -> Result<Option<String>, DatasetError> {
    let named = listing.tracks.iter().filter(|track| track.artist.is_some());
    let named: HashSet<u64> = named.map(|track| track.track_id).collect();
    let (mut artists, mut tracks, mut unknown) = (BTreeSet::new(), 0, 0);
    for row in dataset::read_tracks(root, index)? {
        if named.contains(&row.track_id) {
            continue;
        }
        if row.artist.is_empty() {
            unknown += 1;
        } else {
            artists.insert(row.artist);
            tracks += 1;
        }
    }
    let found = match artists.len() {
        0 if unknown == 0 => return Ok(None),
        0 => "no artist was found in the tags of the files".to_owned(),
        count => format!(
            "{} of {} found in the tags of the files",
            counted(count, "artist", "artists"),
            counted(tracks, "track", "tracks")
        ),
    };
    let rest = match unknown {
        0 => String::new(),
        _ => format!("; the artist of {} is unknown", counted(unknown, "track", "tracks")),
    };
    Ok(Some(found + &rest))
}
