//! Where the feature sets of a data set lie: `features/<name>`, each a data set of the same tracks.

use shared::dataset::INDEX_FILE;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of all feature sets, below the data set's.
pub const FEATURES_DIRECTORY: &str = "features";

/// The feature sets of a data set, in alphabetical order.
pub fn feature_sets(root: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(root.join(FEATURES_DIRECTORY)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
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
