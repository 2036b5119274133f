//! `sources.csv`: what a source said of its tracks, and how large their files were, when a data set was built.
//!
//! Parts carry their source in it to where they are merged, and a data set that grows is compared with it.

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
    /// What the source calls it. Joined by `|`.
    #[serde(with = "shared::dataset::manifest::joined")]
    pub labels: Vec<String>,
    pub artist: String,
    pub album: String,
    /// `train`, `val`, `test`, or empty.
    pub official_split: String,
    /// Whether it was asked for; one that has none of the wanted labels was not.
    pub wanted: bool,
    /// Size of the file; empty where there was none.
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

/// The rows of a listing: wanted tracks in their order, then the others. `sizes` are those of the wanted ones' files.
pub fn rows(listing: &Listing, sizes: &[Option<u64>]) -> Vec<SourceRow> {
    let wanted = listing.tracks.iter().zip(sizes);
    let others = listing.unlabelled.iter();
    wanted
        .map(|(track, &bytes)| SourceRow::new(track, true, bytes))
        .chain(others.map(|track| SourceRow::new(track, false, None)))
        .collect()
}

/// The listing that rows, and the files that none of them mentions, came from.
pub fn listing(rows: &[SourceRow], unlisted: Vec<RejectedRow>) -> Listing {
    let of = |wanted: bool| {
        let rows = rows.iter().filter(|row| row.wanted == wanted);
        rows.map(SourceRow::track).collect()
    };
    Listing {
        tracks: of(true),
        unlabelled: of(false),
        unlisted,
        notes: Vec::new(),
    }
}

/// The sizes of tracks' files, none where there is no file. Many are asked for at once, because a network file system
/// answers one after the other slowly.
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
        fn a_listing_comes_back(
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
