//! A folder of music with one directory per class.
//!
//! Paths are `class/artist/album/track.flac`. Artist and album are optional, and files may be nested deeper; what the
//! path does not name, a build takes from the tags of the file. Every audio file is listed, even if it cannot be
//! decoded.

use super::files::{self, Found, FoundFile};
use super::listing::{Listing, TrackSource, label_problem, path_id};
use anyhow::{bail, ensure};
use shared::audio::validate::Rejection;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Lists the tracks below `audio`, and the audio files outside the class directories.
pub(super) fn list(audio: &Path) -> anyhow::Result<Listing> {
    tracks(audio, files::audio_files(audio)?, path_id)
}

fn tracks(audio: &Path, found: Found, track_id: impl Fn(&str) -> u64) -> anyhow::Result<Listing> {
    check_formats(audio, &found.files)?;
    let mut tracks: BTreeMap<u64, TrackSource> = BTreeMap::new();
    let mut unlisted = Vec::new();
    for file in found.files {
        // Two such names may become equal by replacement and would then get the same id.
        if file.bad_name {
            unlisted.push(file.unlisted(None));
            continue;
        }
        let path = file.path;
        let mut directories: Vec<&str> = path.split('/').collect();
        directories.pop();
        let mut directories = directories.into_iter().map(str::to_owned);
        let Some(class) = directories.next() else {
            unlisted.push(Rejection::Unlisted.row(None, &path));
            continue;
        };
        if let Some(problem) = label_problem(&class) {
            bail!("the directory {problem}; rename it in {}", audio.display());
        }
        let (artist, album) = (directories.next(), directories.next());
        let track_id = track_id(&path);
        // Expected in one of a thousand collections of 750,000 files.
        if let Some(TrackSource { path: first, .. }) = tracks.get(&track_id) {
            let audio = audio.display();
            bail!("{first} and {path} in {audio} have the same track id {track_id}; rename one of them");
        }
        let track = TrackSource {
            track_id,
            path,
            labels: vec![class],
            artist,
            album,
            official_split: None,
        };
        tracks.insert(track_id, track);
    }
    ensure!(
        !tracks.is_empty(),
        "{} has no audio file in a subdirectory; give a directory with a subdirectory for each class",
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

/// Fails if no file has a supported format, because a build would drop all of them.
fn check_formats(audio: &Path, files: &[FoundFile]) -> anyhow::Result<()> {
    let formats: BTreeSet<_> = files.iter().filter_map(|file| file.unsupported).collect();
    match files {
        [first, ..] if files.iter().all(|file| file.unsupported.is_some()) => bail!(
            "all audio files below {} are {}, which is not supported; convert them, for example with `ffmpeg -i \"{}\" \
             \"{}\"`",
            audio.display(),
            formats.into_iter().collect::<Vec<_>>().join(", "),
            audio.join(&first.path).display(),
            audio.join(&first.path).with_extension("flac").display()
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        root
    }

    fn by_path(listing: Listing) -> BTreeMap<String, TrackSource> {
        let tracks = listing.tracks.into_iter();
        tracks.map(|track| (track.path.clone(), track)).collect()
    }

    #[test]
    fn directories_are_class_artist_and_album() {
        let root = folder(&[
            "Jazz/solo.flac",
            "Jazz/Trio/live.OGG",
            "Rock/Band/First/01.mp3",
            "Rock/Band/First/CD 2/02.m4a",
            "Rock/cover.jpg",
            "loose.wav",
        ]);
        let listing = list(root.path()).unwrap();
        assert!(listing.tracks.is_sorted_by_key(|track| track.track_id));
        assert_eq!(listing.unlisted[0].path, "loose.wav");
        let tracks = by_path(listing);
        let facts = |path: &str| {
            let track = &tracks[path];
            (
                track.labels[0].as_str(),
                track.artist.as_deref(),
                track.album.as_deref(),
            )
        };
        assert_eq!(tracks.len(), 4);
        assert_eq!(facts("Jazz/solo.flac"), ("Jazz", None, None));
        assert_eq!(facts("Jazz/Trio/live.OGG"), ("Jazz", Some("Trio"), None));
        assert_eq!(facts("Rock/Band/First/01.mp3"), ("Rock", Some("Band"), Some("First")));
        assert_eq!(
            facts("Rock/Band/First/CD 2/02.m4a"),
            ("Rock", Some("Band"), Some("First"))
        );
    }

    #[test]
    fn added_files_do_not_change_the_ids_of_others() {
        let root = folder(&["a/1.mp3", "b/2.mp3"]);
        let before = by_path(list(root.path()).unwrap());
        fs::write(root.path().join("a/0.mp3"), b"x").unwrap();
        let after = by_path(list(root.path()).unwrap());
        assert_eq!(after.len(), 3);
        for (path, track) in before {
            assert!(track.track_id < 1 << 48);
            assert_eq!(after[&path], track);
        }
    }

    #[test]
    fn folder_of_an_unsupported_format_is_refused_with_a_conversion_command() {
        const OPUS: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0\x47\xd6\xe7\xfd\0\0\0\0\0\0\0\0\x01\x13OpusHead";
        let root = folder(&["Jazz/1.opus", "Jazz/2.opus", "Jazz/cover.jpg"]);
        for name in ["Jazz/1.opus", "Jazz/2.opus"] {
            fs::write(root.path().join(name), OPUS).unwrap();
        }
        let error = list(root.path()).unwrap_err().to_string();
        assert!(error.starts_with("all audio files below "), "{error}");
        let [opus, flac] = ["Jazz/1.opus", "Jazz/1.flac"].map(|file| root.path().join(file));
        let command = format!("`ffmpeg -i \"{}\" \"{}\"`", opus.display(), flac.display());
        assert!(
            error.ends_with(&format!(
                "are Opus, which is not supported; convert them, for example with {command}"
            )),
            "{error}"
        );
        // One file that may be decoded is enough; the others are listed too.
        fs::write(root.path().join("Jazz/3.mp3"), b"x").unwrap();
        assert_eq!(list(root.path()).unwrap().tracks.len(), 3);
    }

    #[test]
    fn two_files_with_the_same_id_are_refused() {
        let files = ["a/1.mp3", "a/2.mp3"].map(|path| FoundFile {
            path: path.into(),
            bad_name: false,
            unsupported: None,
        });
        let found = Found {
            files: files.into(),
            ..Found::default()
        };
        let error = tracks(Path::new("music"), found, |_| 7).unwrap_err().to_string();
        assert!(
            error.contains("a/1.mp3 and a/2.mp3 in music have the same track id 7"),
            "{error}"
        );
    }

    #[test]
    fn invalid_folders_are_refused() {
        let error = list(folder(&["Rock|Pop/1.mp3"]).path()).unwrap_err().to_string();
        assert!(error.contains("the directory `Rock|Pop` contains"), "{error}");
        let error = list(folder(&["loose.mp3", "a/notes.txt"]).path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("has no audio file"), "{error}");
    }
}
