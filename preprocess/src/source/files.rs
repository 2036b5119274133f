//! The files below a directory, by extension. Nothing is known here of what they mean.

use crate::decode::EXTENSIONS;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A directory that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read {}: {source}", path.display())]
pub struct UnreadableDirectory {
    path: PathBuf,
    source: io::Error,
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

/// Paths of the MP3 files below `audio` that a source's table does not list.
pub(super) fn unlisted_mp3s(
    audio: &Path,
    listed: &HashSet<String>,
) -> Result<impl Iterator<Item = String>, UnreadableDirectory> {
    let is_mp3 = |path: &str| extension(path).is_some_and(|extension| extension == "mp3");
    let found = below(audio, is_mp3)?.into_iter();
    Ok(found.filter(|path| !listed.contains(path)))
}

/// Paths of the files below `audio` that are wanted, relative to it, in alphabetical order. Links to directories are not
/// followed: one that leads upwards would never end.
pub(super) fn below(audio: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, UnreadableDirectory> {
    let mut files = Vec::new();
    let mut waiting = vec![String::new()];
    while let Some(inside) = waiting.pop() {
        let directory = audio.join(&inside);
        let failed = |source| UnreadableDirectory {
            path: directory.clone(),
            source,
        };
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if inside.is_empty() {
                name
            } else {
                format!("{inside}/{name}")
            };
            if entry.file_type().map_err(failed)?.is_dir() {
                waiting.push(path);
            } else if is_wanted(&path) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
