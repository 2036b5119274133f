//! Lock files, each held by one process. The operating system releases them when the program ends, even after a crash.

use super::file_error::FileError;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Creates the file and waits until no other process holds it. The lock is held as long as the file is open.
///
/// # Errors
/// When the operating system refuses.
pub fn wait(path: &Path) -> Result<File, FileError> {
    let lock = File::create(path).map_err(FileError::at(path))?;
    lock.lock().map_err(FileError::at(path))?;
    Ok(lock)
}

/// Like [`wait`], but returns `None` at once if another process holds the file.
///
/// # Errors
/// When the operating system refuses.
pub fn attempt(path: &Path) -> Result<Option<File>, FileError> {
    let lock = File::create(path).map_err(FileError::at(path))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(FileError::at(path)(error)),
    }
}
