//! Finds the feature sets of a data set: `features/<name>`, each a data set with the same tracks.

use shared::dataset::INDEX_FILE;
use shared::runtime::file_error::FileError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of all feature sets, inside the data set.
pub const FEATURES_DIRECTORY: &str = "features";

/// The feature sets of a data set, in alphabetical order.
pub fn feature_sets(root: &Path) -> Result<Vec<PathBuf>, FileError> {
    let directory = root.join(FEATURES_DIRECTORY);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::at(directory)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(FileError::at(&directory))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.join(INDEX_FILE).is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
