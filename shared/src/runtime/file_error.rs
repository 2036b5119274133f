//! An error of the operating system, with the file or directory.

use std::io;
use std::path::{Path, PathBuf};

/// The operating system refused to use a file or directory.
#[derive(Debug, thiserror::Error)]
#[error("could not use {}: {source}", path.display())]
pub struct FileError {
    /// The file or directory.
    pub path: PathBuf,
    /// The error of the operating system.
    pub r#source: io::Error,
}

impl FileError {
    /// For `map_err` of a call that uses `path`.
    pub fn at(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self {
            path: path.as_ref().to_owned(),
            source,
        }
    }
}
