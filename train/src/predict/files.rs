//! Which files are heard: those that were named, and the audio files below directories that were.

use shared::audio::decode::EXTENSIONS;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A directory that cannot be looked through.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The operating system refused.
    #[error("could not look through {}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What it answered.
        source: io::Error,
    },
    /// Nothing to hear.
    #[error(
        "{} has no audio files: none of their names ends with {}; name the files themselves if their names differ",
        path.display(), EXTENSIONS.join(", ")
    )]
    Nothing {
        /// The directory.
        path: PathBuf,
    },
}

/// Files in the order in which they were named; those of a directory, at any depth, by their paths. Links to
/// directories are not followed below a directory, so that there is an end.
pub fn expand(named: &[PathBuf]) -> Result<Vec<PathBuf>, FilesError> {
    let mut files = Vec::new();
    for path in named {
        if path.is_dir() {
            let before = files.len();
            below(path, &mut files)?;
            if files.len() == before {
                return Err(FilesError::Nothing { path: path.clone() });
            }
            files[before..].sort();
        } else {
            // Whether it exists is found out when it is heard, so that one that does not costs its row only.
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn below(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), FilesError> {
    let failed = |source| FilesError::Io {
        path: directory.to_owned(),
        source,
    };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            below(&path, files)?;
        } else if is_audio(&path) && !path.is_dir() {
            files.push(path);
        }
    }
    Ok(())
}

fn is_audio(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_stand_for_the_audio_files_in_them() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("b/inner")).unwrap();
        for name in ["b/2.MP3", "b/1.flac", "b/notes.txt", "b/inner/0.wav", "b/noname"] {
            fs::write(path(name), "").unwrap();
        }
        let named = [path("missing.mp3"), path("b"), path("b/noname")];
        let expected = ["missing.mp3", "b/1.flac", "b/2.MP3", "b/inner/0.wav", "b/noname"];
        assert_eq!(expand(&named).unwrap(), expected.map(path));
        fs::create_dir(path("empty")).unwrap();
        let error = expand(&[path("empty")]).unwrap_err().to_string();
        assert!(error.contains("has no audio files") && error.contains("mp3"), "{error}");
    }
}
