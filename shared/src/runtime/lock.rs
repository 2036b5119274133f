//! Files that one process holds. The operating system releases them when the program ends, however it ends.

use super::file_error::FileError;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Makes the file and waits until no other process holds it. Held as long as the file is open.
///
/// # Errors
/// When the operating system refuses.
pub fn wait(path: &Path) -> Result<File, FileError> {
    let lock = File::create(path).map_err(FileError::at(path))?;
    lock.lock().map_err(FileError::at(path))?;
    Ok(lock)
}

/// The same without waiting: none where another process holds it.
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
