//! A lock: one process at a time creates or removes splits of a data set.

use shared::dataset::{Dataset, split};
use shared::runtime::file_error::FileError;
use shared::runtime::{atomic_file, lock};
use std::fs::{self, File};
use std::path::Path;

const LOCK_FILE: &str = ".lock";

/// Waits for other processes that create or remove splits, and removes temporary files that they left.
pub(super) fn lock(root: &Path) -> anyhow::Result<File> {
    Dataset::read_index(root)?;
    let splits = root.join(split::SPLITS_DIRECTORY);
    fs::create_dir_all(&splits).map_err(FileError::at(&splits))?;
    let lock = lock::wait(&splits.join(LOCK_FILE))?;
    atomic_file::remove_temporaries(&splits).map_err(FileError::at(&splits))?;
    Ok(lock)
}
