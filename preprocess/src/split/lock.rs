//! A lock: one process at a time creates or removes splits of a data set.

use shared::dataset::{Dataset, split};
use shared::runtime::file_error::FileError;
use shared::runtime::{atomic_file, lock};
use std::fs::{self, File};
use std::path::Path;
use tracing::info;

const LOCK_FILE: &str = ".lock";

/// Waits for other processes that create or remove splits, and removes temporary files that they left. Says so if it
/// waits.
pub(super) fn lock(root: &Path) -> anyhow::Result<File> {
    Dataset::read_index(root)?;
    let splits = root.join(split::SPLITS_DIRECTORY);
    fs::create_dir_all(&splits).map_err(FileError::at(&splits))?;
    let path = splits.join(LOCK_FILE);
    let lock = match lock::attempt(&path)? {
        Some(lock) => lock,
        None => {
            announce(root);
            lock::wait(&path)?
        }
    };
    atomic_file::remove_temporaries(&splits).map_err(FileError::at(&splits))?;
    Ok(lock)
}

/// Waits for processes that create or remove splits, and keeps others waiting until the returned file is dropped. `None`
/// if nobody ever did, or if the lock cannot be opened, as on a read-only medium.
pub(crate) fn lock_for_reading(root: &Path) -> Option<File> {
    let lock = File::open(root.join(split::SPLITS_DIRECTORY).join(LOCK_FILE)).ok()?;
    if lock.try_lock_shared().is_err() {
        announce(root);
        lock.lock_shared().ok()?;
    }
    Some(lock)
}

fn announce(root: &Path) {
    info!(
        "waiting for another process that works on the splits of {}",
        root.display()
    );
}
