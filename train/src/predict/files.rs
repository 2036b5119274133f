//! Lists the files to classify: the given files, and the audio files in given directories.

use shared::audio::decode::has_audio_extension;
use shared::audio::validate::Rejection;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file to classify, or a directory without such files and the reason.
pub type Named = (PathBuf, Option<Rejection>);

/// Files in the given order; those of a directory, at any depth, sorted by path. Links to directories inside a
/// directory are not followed, because they may form a cycle.
pub fn expand(named: &[PathBuf]) -> Vec<Named> {
    let mut files = Vec::new();
    for path in named {
        if path.is_dir() {
            let before = files.len();
            collect_audio(path, &mut files);
            if files.len() == before {
                let message = "it has no audio file, such as .mp3, .flac, .ogg or .wav; give the files themselves";
                files.push(failed(path, message.into()));
            }
            files[before..].sort_by(|a, b| a.0.cmp(&b.0));
        } else {
            // Existence is checked when it is decoded, so a missing file only fails its own row.
            files.push((path.clone(), None));
        }
    }
    files
}

fn failed(path: &Path, message: String) -> Named {
    (path.to_owned(), Some(Rejection::IoError { message }))
}

fn collect_audio(directory: &Path, files: &mut Vec<Named>) {
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => return files.push(failed(directory, error.to_string())),
    };
    for entry in entries {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect_audio(&path, files);
        } else if is_audio(&path) && !path.is_dir() {
            files.push((path, None));
        }
    }
}

fn is_audio(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(has_audio_extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_expand_to_their_audio_files() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("b/inner")).unwrap();
        for name in [
            "b/2.MP3",
            "b/1.flac",
            "b/3.opus",
            "b/notes.txt",
            "b/inner/0.wav",
            "b/noname",
        ] {
            fs::write(path(name), "").unwrap();
        }
        let named = [path("missing.mp3"), path("b"), path("b/noname")];
        // Opus cannot be decoded; its row reports that.
        let expected = [
            "missing.mp3",
            "b/1.flac",
            "b/2.MP3",
            "b/3.opus",
            "b/inner/0.wav",
            "b/noname",
        ];
        assert_eq!(expand(&named), expected.map(|name| (path(name), None)));
        fs::create_dir(path("empty")).unwrap();
        let [(directory, Some(problem)), (file, None)] = &expand(&[path("empty"), path("b/1.flac")])[..] else {
            panic!("a directory without audio files has a row with a problem")
        };
        assert_eq!((directory, file), (&path("empty"), &path("b/1.flac")));
        assert!(
            problem
                .to_string()
                .ends_with("it has no audio file, such as .mp3, .flac, .ogg or .wav; give the files themselves"),
            "{problem}"
        );
    }
}
