//! Finds leaks in a split: artists, albums and recordings in more than one set. Every split is audited, whatever its
//! strategy. Tracks whose artist or album is unknown are counted.

use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{Leak, LeakAudit, Set};
use shared::runtime::text::{counted, grouped};
use std::collections::BTreeMap;

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

/// Describes how many artists, albums and recordings are in more than one set, out of `tracks` tracks.
pub(crate) fn describe([artists, albums, recordings]: [usize; 3], unknown: [usize; 2], tracks: usize) -> String {
    format!(
        "{}, {}, {} in more than one set",
        describe_kind(artists, "artist", "artists", unknown[0], tracks),
        describe_kind(albums, "album", "albums", unknown[1], tracks),
        counted(recordings, "recording", "recordings")
    )
}

/// `2 artists`; `artists unknown`, if no track has one; `2 artists (unknown for 5 of 9 tracks)`.
fn describe_kind(leaks: usize, one: &str, more: &str, unknown: usize, tracks: usize) -> String {
    match unknown {
        0 => counted(leaks, one, more),
        _ if unknown == tracks => format!(
            "{more} unknown ({} of {})",
            grouped(unknown as u64),
            counted(tracks, "track", "tracks")
        ),
        _ => format!(
            "{} (unknown for {} of {})",
            counted(leaks, one, more),
            grouped(unknown as u64),
            counted(tracks, "track", "tracks")
        ),
    }
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
        assert_eq!(
            describe([0, 0, 1], [2000, 0], 2000),
            "artists unknown (2,000 of 2,000 tracks), 0 albums, 1 recording in more than one set"
        );
        assert_eq!(
            describe([1, 3, 0], [0, 5], 2000),
            "1 artist, 3 albums (unknown for 5 of 2,000 tracks), 0 recordings in more than one set"
        );
    }
}
