//! Groups of tracks that stay together: connected components of the table's rows.
//!
//! Tracks of the same recording are always connected. If requested, artists connect their tracks, and albums connect
//! artists (a compilation connects everybody on it).

use crate::build::ties::Ties;
use clap::ValueEnum;
use shared::dataset::manifest::TrackRow;
use std::collections::{BTreeMap, HashMap};

/// A column of the table; tracks with the same value are in one group.
pub(super) type Column = fn(&TrackRow) -> &String;

/// How tracks are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupBy {
    /// Tracks of one artist.
    Artist,
    /// Tracks of one artist, and artists that share an album, as they do on compilations.
    ArtistAlbum,
    /// Tracks of one recording. The other groupings keep these together too.
    Recording,
}

impl GroupBy {
    /// The name on the command line and in `split.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Artist => "artist",
            Self::ArtistAlbum => "artist-album",
            Self::Recording => "recording",
        }
    }

    /// The columns that connect tracks, in addition to `recording`.
    pub(super) fn columns(self) -> &'static [Column] {
        match self {
            Self::Artist => &[|row| &row.artist],
            Self::ArtistAlbum => &[|row| &row.artist, |row| &row.album],
            Self::Recording => &[],
        }
    }
}
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Indices of the rows of the table.
    pub(super) members: Vec<usize>,
    /// Classes and their numbers of members; a track with several labels counts for each.
    pub(super) classes: Vec<(usize, f64)>,
}

impl Group {
    pub(super) fn size(&self) -> f64 {
        self.members.len() as f64
    }
}

/// The groups, in the order of their first tracks.
pub(super) fn groups(tracks: &[TrackRow], by: GroupBy) -> Vec<Group> {
    let mut ties = Ties::new(tracks.len());
    for column in by.columns() {
        // An empty name is unknown and connects nothing.
        ties.tie(
            tracks
                .iter()
                .map(|row| Some(column(row)).filter(|name| !name.is_empty())),
        );
    }
    ties.tie(tracks.iter().map(|row| Some(row.recording)));
    let mut numbers = HashMap::new();
    let mut by_root: BTreeMap<usize, (Vec<usize>, BTreeMap<usize, f64>)> = BTreeMap::new();
    for (at, row) in tracks.iter().enumerate() {
        let (members, classes) = by_root.entry(ties.root(at)).or_default();
        members.push(at);
        for label in &row.labels {
            let next = numbers.len();
            *classes.entry(*numbers.entry(label).or_insert(next)).or_default() += 1.0;
        }
    }
    by_root
        .into_values()
        .map(|(members, classes)| Group {
            members,
            classes: classes.into_iter().collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::track_by;
    use super::*;

    fn members(tracks: &[TrackRow], by: GroupBy) -> Vec<Vec<usize>> {
        groups(tracks, by).into_iter().map(|group| group.members).collect()
    }

    #[test]
    fn albums_connect_artists_only_if_requested() {
        let tracks = [
            track_by(1, "Pop", "a", "x"),
            track_by(2, "Pop", "b", "x"),
            track_by(3, "Pop", "b", "y"),
            track_by(4, "Pop", "c", "y"),
            track_by(5, "Pop", "", ""),
            track_by(6, "Pop", "", ""),
        ];
        assert_eq!(
            members(&tracks, GroupBy::Artist),
            [vec![0], vec![1, 2], vec![3], vec![4], vec![5]]
        );
        assert_eq!(
            members(&tracks, GroupBy::ArtistAlbum),
            [vec![0, 1, 2, 3], vec![4], vec![5]]
        );
    }

    #[test]
    fn tracks_of_one_recording_always_stay_together() {
        let copy = |id, artist| TrackRow {
            recording: 1,
            ..track_by(id, "Pop", artist, "")
        };
        let tracks = [copy(1, "a"), track_by(2, "Pop", "b", ""), copy(3, "c"), copy(4, "b")];
        assert_eq!(members(&tracks[..3], GroupBy::Artist), [vec![0, 2], vec![1]]);
        assert_eq!(members(&tracks, GroupBy::Artist), [vec![0, 1, 2, 3]]);
        assert_eq!(members(&tracks, GroupBy::Recording), [vec![0, 2, 3], vec![1]]);
    }

    #[test]
    fn track_with_several_labels_counts_for_each() {
        let tracks = [TrackRow {
            labels: vec!["loud".into(), "fast".into()],
            ..track_by(1, "", "a", "")
        }];
        assert_eq!(groups(&tracks, GroupBy::Artist)[0].classes, [(0, 1.0), (1, 1.0)]);
    }
}
