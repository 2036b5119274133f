//! What a split lets a model recognise instead of generalise: artists, albums and recordings in more than one set. The
//! audit is made whatever the strategy, and judges nothing.

use shared::manifest::TrackRow;
use shared::split::{Leak, LeakAudit, Set};
use std::collections::BTreeMap;

/// Everything that stands in more than one set.
pub(crate) fn leaks(tracks: &[TrackRow], sets: &[Set]) -> LeakAudit {
    LeakAudit {
        artists: by(tracks, sets, |row| &row.artist),
        albums: by(tracks, sets, |row| &row.album),
        duplicates: by(tracks, sets, |row| &row.waveform_blake3),
    }
}

fn by(tracks: &[TrackRow], sets: &[Set], name: fn(&TrackRow) -> &String) -> Vec<Leak> {
    let mut places: BTreeMap<&String, BTreeMap<Set, Vec<u64>>> = BTreeMap::new();
    for (row, set) in tracks.iter().zip(sets).filter(|(row, _)| !name(row).is_empty()) {
        let own = places.entry(name(row)).or_default();
        own.entry(*set).or_default().push(row.track_id);
    }
    places
        .into_iter()
        .filter(|(_, tracks)| tracks.len() > 1)
        .map(|(name, tracks)| Leak {
            name: name.clone(),
            tracks,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;

    #[test]
    fn artists_albums_and_recordings_in_two_sets_are_named() {
        let track = |id, artist: &str, album: &str, samples: &str| TrackRow {
            artist: artist.into(),
            album: album.into(),
            waveform_blake3: samples.into(),
            ..row(id, "Pop")
        };
        let tracks = [
            track(1, "a", "x", "1"),
            track(2, "a", "y", "2"),
            track(3, "b", "", "1"),
            track(4, "c", "", "3"),
        ];
        let audit = leaks(&tracks, &[Set::Train, Set::Val, Set::Test, Set::Test]);
        let names = |leaks: &[Leak]| leaks.iter().map(|leak| leak.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&audit.artists), ["a"]);
        assert_eq!(names(&audit.albums), [""; 0]);
        assert_eq!(names(&audit.duplicates), ["1"]);
        let places = &audit.duplicates[0].tracks;
        assert_eq!(
            (places[&Set::Train].as_slice(), places[&Set::Test].as_slice()),
            ([1].as_slice(), [3].as_slice())
        );
        assert_eq!(leaks(&tracks, &[Set::Train; 4]), LeakAudit::default());
    }
}
