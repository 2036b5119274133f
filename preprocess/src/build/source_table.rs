//! `sources.csv`: the source's description of each track, and its file size, when the data set was built.
//!
//! A merge reads the source of each part from it, and a build that adds tracks compares the source with it.

use crate::source::{AudioDirectory, Listing, TrackSource};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use shared::dataset::manifest::{Columns, RejectedRow};
use shared::dataset::split::Set;
use std::fs;
use std::path::Path;

/// The table's file name, in the data set.
pub const SOURCES_FILE: &str = "sources.csv";

/// A track of the source. Field names are the column names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRow {
    pub track_id: u64,
    /// The audio file, relative to the audio directory.
    pub path: String,
    /// The source's labels, joined by `|`.
    #[serde(with = "shared::dataset::manifest::joined")]
    pub labels: Vec<String>,
    pub artist: String,
    pub album: String,
    /// `train`, `val`, `test`, or empty.
    pub official_split: String,
    /// Whether the track is requested; false if it has none of the requested labels.
    pub wanted: bool,
    /// File size; empty if the file did not exist.
    pub bytes: Option<u64>,
}

impl Columns for SourceRow {
    const COLUMNS: &'static [&'static str] = &[
        "track_id",
        "path",
        "labels",
        "artist",
        "album",
        "official_split",
        "wanted",
        "bytes",
    ];
}

impl SourceRow {
    fn new(track: &TrackSource, wanted: bool, bytes: Option<u64>) -> Self {
        Self {
            track_id: track.track_id,
            path: track.path.clone(),
            labels: track.labels.clone(),
            artist: track.artist.clone().unwrap_or_default(),
            album: track.album.clone().unwrap_or_default(),
            official_split: track.official_split.map_or("", Set::name).into(),
            wanted,
            bytes,
        }
    }

    fn track(&self) -> TrackSource {
        let filled = |cell: &String| Some(cell.clone()).filter(|cell| !cell.is_empty());
        TrackSource {
            track_id: self.track_id,
            path: self.path.clone(),
            labels: self.labels.clone(),
            artist: filled(&self.artist),
            album: filled(&self.album),
            official_split: Set::named(&self.official_split),
        }
    }
}

/// The rows of a listing: wanted tracks in order, then the others. `sizes` are the file sizes of the wanted tracks.
pub fn rows(listing: &Listing, sizes: &[Option<u64>]) -> Vec<SourceRow> {
    let wanted = listing.tracks.iter().zip(sizes);
    let others = listing.unlabelled.iter();
    wanted
        .map(|(track, &bytes)| SourceRow::new(track, true, bytes))
        .chain(others.map(|track| SourceRow::new(track, false, None)))
        .collect()
}

/// Restores the listing from its rows and its unlisted files.
pub fn listing(rows: &[SourceRow], unlisted: Vec<RejectedRow>) -> Listing {
    let tracks = |wanted: bool| {
        let rows = rows.iter().filter(|row| row.wanted == wanted);
        rows.map(SourceRow::track).collect()
    };
    Listing {
        tracks: tracks(true),
        unlabelled: tracks(false),
        unlisted,
        notes: Vec::new(),
    }
}

/// File sizes of tracks; `None` for a missing file. Files are queried in parallel because a network file system is slow
/// one by one.
pub fn file_sizes(tracks: &[TrackSource], audio: &Path) -> Vec<Option<u64>> {
    let audio = AudioDirectory::new(audio);
    let size = |track: &TrackSource| Some(fs::metadata(audio.file(&track.path).ok()?).ok()?.len());
    tracks.par_iter().map(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::audio::validate::Rejection;
    use shared::dataset::manifest;

    fn track() -> impl Strategy<Value = TrackSource> {
        let name = || prop::option::of("[a-zA-Z0-9 ,\"'\n\u{e9}-]{1,12}");
        let official = prop::option::of(prop::sample::select(Set::ALL.to_vec()));
        (
            any::<u64>(),
            ".{1,20}",
            prop::collection::vec("[^|]{1,8}", 0..3),
            name(),
            name(),
            official,
        )
            .prop_map(|(track_id, path, labels, artist, album, official_split)| TrackSource {
                track_id,
                path,
                labels,
                artist,
                album,
                official_split,
            })
    }

    proptest! {
        #[test]
        fn listing_is_restored_from_its_rows(
            tracks in prop::collection::vec((track(), prop::option::of(any::<u64>())), 0..6),
            unlabelled in prop::collection::vec(track(), 0..3),
        ) {
            let (tracks, sizes): (Vec<_>, Vec<_>) = tracks.into_iter().unzip();
            let unlisted = vec![Rejection::Unlisted.row(None, "stray.mp3")];
            let before = Listing { tracks, unlabelled, unlisted: unlisted.clone(), notes: Vec::new() };
            let csv = manifest::to_csv(&rows(&before, &sizes));
            let read: Vec<SourceRow> = manifest::from_csv(&csv).unwrap();
            prop_assert_eq!(&read, &rows(&before, &sizes));
            prop_assert_eq!(listing(&read, unlisted), before);
        }
    }
}
