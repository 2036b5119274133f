//! A file or directory that the operating system refused.

use std::io;
use std::path::{Path, PathBuf};

/// The operating system refused.
#[derive(Debug, thiserror::Error)]
#[error("could not use {}: {source}", path.display())]
pub struct FileError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the operating system answered.
    pub r#source: io::Error,
}

impl FileError {
    /// For `map_err` of a call that is given this path.
    pub fn at(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self {
            path: path.as_ref().to_owned(),
            source,
        }
    }
}
