//! Finds leaks in a split: artists, albums and recordings in more than one set. Every split is audited, whatever its
//! strategy. Tracks whose artist or album is unknown are counted.

use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{Leak, LeakAudit, Set, Split};
use shared::runtime::text::{counted, grouped};
use std::collections::{BTreeMap, BTreeSet};

/// Artists, albums and recordings in more than one set.
pub(crate) fn leaks(tracks: &[TrackRow], sets: &[Set]) -> LeakAudit {
    LeakAudit {
        artists: leaks_by(tracks, sets, |row| row.artist.clone()),
        albums: leaks_by(tracks, sets, |row| row.album.clone()),
        recordings: leaks_by(tracks, sets, |row| row.recording.to_string()),
        unknown_artists: tracks.iter().filter(|row| row.artist.is_empty()).count(),
        unknown_albums: tracks.iter().filter(|row| row.album.is_empty()).count(),
    }
}

/// The artists, albums and recordings in more than one set, of one split or of any fold.
pub(crate) fn leaking<'a>(splits: impl Iterator<Item = &'a Split> + Clone) -> [BTreeSet<&'a str>; 3] {
    let kinds: [fn(&LeakAudit) -> &Vec<Leak>; 3] =
        [|leaks| &leaks.artists, |leaks| &leaks.albums, |leaks| &leaks.recordings];
    kinds.map(|kind| {
        let leaks = splits.clone().flat_map(|split| kind(&split.index.leaks));
        leaks.map(|leak| leak.name.as_str()).collect()
    })
}

/// Describes how many artists, albums and recordings are in more than one set. A kind is left out if it is unknown for
/// all of the `tracks` tracks.
pub(crate) fn describe(leaks: [usize; 3], unknown: [usize; 2], tracks: usize) -> String {
    let kinds = [("artist", "artists"), ("album", "albums"), ("recording", "recordings")];
    let known = [unknown[0] < tracks, unknown[1] < tracks, true];
    let counts = leaks.into_iter().zip(kinds).zip(known).filter(|(_, known)| *known);
    let counts: Vec<String> = counts
        .map(|((leaks, (one, more)), _)| counted(leaks, one, more))
        .collect();
    format!("{} in more than one set", counts.join(", "))
}

/// Describes which tracks have no artist or album; `None` if all have both.
pub(crate) fn describe_unknown(unknown: [usize; 2], tracks: usize) -> Option<String> {
    let of = |unknown: usize| match unknown {
        _ if unknown == tracks => "of all tracks".to_owned(),
        _ => format!(
            "of {} of {}",
            grouped(unknown as u64),
            counted(tracks, "track", "tracks")
        ),
    };
    let kinds = unknown
        .into_iter()
        .zip(["artists", "albums"])
        .filter(|(unknown, _)| *unknown > 0);
    let kinds: Vec<String> = kinds.map(|(unknown, kind)| format!("{kind} {}", of(unknown))).collect();
    (!kinds.is_empty()).then(|| kinds.join(", "))
}

fn leaks_by(tracks: &[TrackRow], sets: &[Set], name: fn(&TrackRow) -> String) -> Vec<Leak> {
    let mut places: BTreeMap<String, BTreeMap<Set, Vec<u64>>> = BTreeMap::new();
    for (row, set) in tracks.iter().zip(sets) {
        let own = places.entry(name(row)).or_default();
        own.entry(*set).or_default().push(row.track_id);
    }
    places
        .into_iter()
        .filter(|(name, tracks)| !name.is_empty() && tracks.len() > 1)
        .map(|(name, tracks)| Leak { name, tracks })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;

    #[test]
    fn artists_albums_and_recordings_in_two_sets_are_named() {
        let track = |id, artist: &str, album: &str, recording| TrackRow {
            artist: artist.into(),
            album: album.into(),
            recording,
            ..row(id, "Pop")
        };
        let tracks = [
            track(1, "a", "x", 1),
            track(2, "a", "y", 2),
            track(3, "b", "", 1),
            track(4, "c", "", 4),
        ];
        let audit = leaks(&tracks, &[Set::Train, Set::Val, Set::Test, Set::Test]);
        let names = |leaks: &[Leak]| leaks.iter().map(|leak| leak.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&audit.artists), ["a"]);
        assert_eq!(names(&audit.albums), [""; 0]);
        assert_eq!(names(&audit.recordings), ["1"]);
        let places = &audit.recordings[0].tracks;
        assert_eq!(
            (places[&Set::Train].as_slice(), places[&Set::Test].as_slice()),
            ([1].as_slice(), [3].as_slice())
        );
        assert_eq!((audit.unknown_artists, audit.unknown_albums), (0, 2));
        let one_set = leaks(&tracks, &[Set::Train; 4]);
        assert!(one_set.artists.is_empty() && one_set.albums.is_empty() && one_set.recordings.is_empty());
    }

    #[test]
    fn unknown_artists_are_counted_and_are_not_leaks() {
        let nameless = [row(1, "Pop"), row(2, "Pop")];
        let audit = leaks(&nameless, &[Set::Train, Set::Test]);
        assert_eq!((audit.artists.len(), audit.unknown_artists), (0, 2));
        let described = |leaks, unknown| (describe(leaks, unknown, 2000), describe_unknown(unknown, 2000));
        let (leaks, unknown) = described([0, 0, 1], [2000, 0]);
        assert_eq!(leaks, "0 albums, 1 recording in more than one set");
        assert_eq!(unknown.unwrap(), "artists of all tracks");
        let (leaks, unknown) = described([1, 3, 0], [1, 5]);
        assert_eq!(leaks, "1 artist, 3 albums, 0 recordings in more than one set");
        assert_eq!(
            unknown.unwrap(),
            "artists of 1 of 2,000 tracks, albums of 5 of 2,000 tracks"
        );
        assert_eq!(described([0; 3], [0; 2]).1, None);
    }
}
