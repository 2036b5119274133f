//! GTZAN (Tzanetakis and Cook, 2002): a directory per genre.
//!
//! There is no table. Files are named `blues/blues.00042.wav` or `.au`. The artists were not published.

use super::files;
use super::listing::{Listing, TrackSource};
use anyhow::{bail, ensure};
use std::collections::BTreeMap;
use std::path::Path;

/// GTZAN's genres, in alphabetical order.
pub const GENRES: [&str; 10] = [
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
];

/// A track's id is the index of its genre in [`GENRES`] times this, plus its number.
const IDS_PER_GENRE: u64 = 1000;

/// Lists the tracks below `audio`, and the audio files that are not tracks.
pub(super) fn list(audio: &Path) -> anyhow::Result<Listing> {
    let mut tracks: BTreeMap<u64, TrackSource> = BTreeMap::new();
    let mut unlisted = Vec::new();
    let found = files::audio_files(audio)?;
    for file in found.files {
        let Some((track_id, genre)) = track_of(&file.path) else {
            unlisted.push(file.unlisted(None));
            continue;
        };
        let track = TrackSource {
            track_id,
            path: file.path.clone(),
            labels: vec![genre.to_owned()],
            ..TrackSource::default()
        };
        if let Some(TrackSource { path: first, .. }) = tracks.insert(track_id, track) {
            let (second, audio) = (file.path, audio.display());
            bail!("{first} and {second} are the same track; remove one of them from {audio}");
        }
    }
    ensure!(
        !tracks.is_empty(),
        "{} contains no track of GTZAN; give the directory that contains blues/blues.00000.wav, or .au, and so on",
        audio.display()
    );
    unlisted.extend(found.unread);
    Ok(Listing {
        tracks: tracks.into_values().collect(),
        unlabelled: Vec::new(),
        unlisted,
        notes: found.notes,
    })
}

/// The id and the genre of `<genre>/<genre>.NNNNN.wav` or `.au`.
fn track_of(path: &str) -> Option<(u64, &'static str)> {
    let (directory, name) = path.split_once('/')?;
    let place = GENRES.iter().position(|genre| *genre == directory)?;
    let number = name.strip_prefix(GENRES[place])?.strip_prefix('.')?;
    let number = number.strip_suffix(".wav").or_else(|| number.strip_suffix(".au"))?;
    if number.len() != 5 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok().filter(|&number| number < IDS_PER_GENRE)?;
    Some((IDS_PER_GENRE * place as u64 + number, GENRES[place]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    #[test]
    fn track_id_is_the_genre_index_and_the_number() {
        assert_eq!(track_of("blues/blues.00000.wav"), Some((0, "blues")));
        assert_eq!(track_of("jazz/jazz.00054.au"), Some((5054, "jazz")));
        assert_eq!(track_of("rock/rock.00999.wav"), Some((9999, "rock")));
        for other in [
            "blues.00000.wav",
            "blues/rock.00000.wav",
            "polka/polka.00000.wav",
            "blues/blues.0.wav",
            "blues/blues.00000.mp3",
            "blues/blues.01000.wav",
            "blues/blues.+0001.wav",
            "blues/blues.00000.wav.wav",
            "blues/more/blues.00000.wav",
            "Blues/blues.00000.wav",
        ] {
            assert_eq!(track_of(other), None, "{other}");
        }
        assert!(GENRES.is_sorted());
    }

    fn genres(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        root
    }

    #[test]
    fn files_that_are_not_tracks_are_unlisted() {
        let root = genres(&[
            "rock/rock.00001.wav",
            "blues/blues.00007.au",
            "blues/blues.wav",
            "bextract_single.mf",
            "readme.mp3",
        ]);
        let listing = list(root.path()).unwrap();
        let tracks: Vec<_> = listing
            .tracks
            .iter()
            .map(|track| (track.track_id, track.path.as_str(), track.labels[0].as_str()))
            .collect();
        assert_eq!(
            tracks,
            [
                (7, "blues/blues.00007.au", "blues"),
                (9001, "rock/rock.00001.wav", "rock")
            ]
        );
        let unlisted: Vec<&str> = listing.unlisted.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(unlisted, ["blues/blues.wav", "readme.mp3"]);
    }

    #[test]
    fn invalid_directories_are_refused() {
        let both = genres(&["rock/rock.00001.wav", "rock/rock.00001.au"]);
        let error = list(both.path()).unwrap_err().to_string();
        assert!(error.contains("rock/rock.00001.au and rock/rock.00001.wav"), "{error}");
        let error = list(genres(&["a.wav"]).path()).unwrap_err().to_string();
        assert!(error.contains("contains no track of GTZAN"), "{error}");
    }

    proptest! {
        #[test]
        fn track_id_of_any_path_is_below_ten_thousand(path in "(blues|rock|[a-z]{0,5})/(blues|rock)\\.[0-9.]{0,7}\\.?(wav|au)?\\PC*") {
            if let Some((track_id, _)) = track_of(&path) {
                prop_assert!(track_id < 10_000);
            }
        }
    }
}
