//! Finds the runs and the sets of runs below a directory.

use crate::run::directory::RunDirectory;
use crate::run::set::RunSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The content of a directory.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Directories with a run or a set of runs.
    pub runs: Vec<PathBuf>,
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// Searches `root`, but not inside of runs, nor hidden directories, nor behind links, which may form a circle.
///
/// # Errors
/// If `root` itself cannot be read.
pub(super) fn find(root: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        if RunSet::is_at(&directory) || RunDirectory::is_at(&directory) {
            found.runs.push(directory);
            continue;
        }
        match directories(&directory) {
            Ok(inside) => open.extend(inside),
            Err(error) if directory == root => return Err(error),
            Err(error) => found.unreadable.push((directory, error)),
        }
    }
    found.runs.sort();
    Ok(found)
}

fn directories(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut inside = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.file_type()?.is_dir() {
            inside.push(entry.path());
        }
    }
    Ok(inside)
}
