//! The files below a directory, by extension. Nothing is known here of what they mean.

use super::UnlistedFile;
use shared::audio::decode::EXTENSIONS;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A directory that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read {}: {source}", path.display())]
pub struct UnreadableDirectory {
    path: PathBuf,
    r#source: io::Error,
}

/// The extension of a path with `/` between names, in lower case.
fn extension(path: &str) -> Option<String> {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let (_, extension) = name.rsplit_once('.')?;
    Some(extension.to_ascii_lowercase())
}

/// Whether a file of that name may hold audio that can be decoded.
pub(super) fn is_audio(path: &str) -> bool {
    extension(path).is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// A file below the audio directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FoundFile {
    /// Relative to the directory, with `/` between names, and a replacement for what is not UTF-8.
    pub(super) path: String,
    /// Whether something was replaced.
    pub(super) bad_name: bool,
}

impl FoundFile {
    /// It is none of the source's tracks.
    pub(super) fn unlisted(self, track_id: Option<u64>) -> UnlistedFile {
        UnlistedFile {
            track_id,
            path: self.path,
            bad_name: self.bad_name,
        }
    }
}

/// The MP3 files below `audio` that a source's table does not list.
pub(super) fn unlisted_mp3s(
    audio: &Path,
    listed: &HashSet<String>,
) -> Result<impl Iterator<Item = FoundFile>, UnreadableDirectory> {
    let is_mp3 = |path: &str| extension(path).is_some_and(|extension| extension == "mp3");
    let found = below(audio, is_mp3)?.into_iter();
    Ok(found.filter(|file| file.bad_name || !listed.contains(&file.path)))
}

/// The files below `audio` that are wanted, in alphabetical order. Links to directories are not followed: one that leads
/// upwards would never end, and one that leads out has no business here.
pub(super) fn below(audio: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<FoundFile>, UnreadableDirectory> {
    let mut files = Vec::new();
    let mut waiting = vec![(audio.to_owned(), String::new(), false)];
    while let Some((directory, inside, bad_directory)) = waiting.pop() {
        let failed = |source| UnreadableDirectory {
            path: directory.clone(),
            source,
        };
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let bad_name = bad_directory || name.to_str().is_none();
            let name = name.to_string_lossy();
            let path = if inside.is_empty() {
                name.into_owned()
            } else {
                format!("{inside}/{name}")
            };
            if entry.file_type().map_err(failed)?.is_dir() {
                waiting.push((entry.path(), path, bad_name));
            } else if is_wanted(&path) {
                files.push(FoundFile { path, bad_name });
            }
        }
    }
    files.sort();
    Ok(files)
}
