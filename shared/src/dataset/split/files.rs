//! The paths of splits: `splits/<name>/`, and `splits/current`, a text file that names the current one.

use super::error::SplitError;
use crate::dataset::inside::inside;
use crate::runtime::atomic_file;
use crate::runtime::file_error::FileError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of all splits, below the data set's.
pub const SPLITS_DIRECTORY: &str = "splits";
/// The file in it that names the current split.
pub const CURRENT_FILE: &str = "current";
/// A split's index.
pub const SPLIT_FILE: &str = "split.json";
/// A split's normalization.
pub const NORMALIZATION_FILE: &str = "normalization.json";

/// The name in `splits/current`, if there is one.
pub fn current(dataset: &Path) -> Result<Option<String>, SplitError> {
    let path = own_file(dataset, &Path::new(SPLITS_DIRECTORY).join(CURRENT_FILE))?;
    match fs::read_to_string(&path) {
        Ok(name) => Ok(Some(name.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::at(path)(error).into()),
    }
}

/// Makes `name`, whose directory is complete, the current split.
pub fn set_current(dataset: &Path, name: &str) -> Result<(), SplitError> {
    let path = dataset.join(SPLITS_DIRECTORY).join(CURRENT_FILE);
    Ok(atomic_file::write_bytes(&path, format!("{name}\n").as_bytes())?)
}

/// The directory of the split `name`.
pub fn directory(dataset: &Path, name: &str) -> Result<PathBuf, SplitError> {
    check_name(name)?;
    Ok(dataset.join(SPLITS_DIRECTORY).join(name))
}

/// Checks the name of a split or of a feature set: it must not lead out of its directory or be hidden in it.
pub fn check_name(name: &str) -> Result<(), SplitError> {
    if name.is_empty() || name.starts_with('.') || name == CURRENT_FILE || !name.chars().all(is_allowed_in_name) {
        return Err(SplitError::BadName(name.to_owned()));
    }
    Ok(())
}

/// Whether the name of a split or of a feature set may have this character.
#[must_use]
pub fn is_allowed_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// The names of the complete splits, in alphabetical order.
pub fn names(dataset: &Path) -> Result<Vec<String>, SplitError> {
    let path = dataset.join(SPLITS_DIRECTORY);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::at(path)(error).into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(FileError::at(&path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if directory(dataset, &name).is_ok() && entry.path().join(SPLIT_FILE).is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The path of a file of the data set. Refuses links out of the data set.
pub(super) fn own_file(dataset: &Path, file: &Path) -> Result<PathBuf, SplitError> {
    inside(dataset, file).map_err(|detail| SplitError::damaged(&dataset.join(file), detail))
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, SplitError> {
    match fs::read(path) {
        Ok(content) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SplitError::damaged(path, "it is missing")),
        Err(error) => Err(FileError::at(path)(error).into()),
    }
}
