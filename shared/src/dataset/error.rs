//! Errors of opening or reading a data set.

use super::layout::{FORMAT_VERSION, INDEX_FILE};
use super::shard::ShardError;
use crate::runtime::file_error::FileError;
use std::path::{Path, PathBuf};

/// A data set that cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// There is no index: not a data set, or one that is not finished.
    #[error(
        "{} is not a data set: it has no {INDEX_FILE}; make it with `preprocess build`, or run the interrupted build \
         again to finish it", path.display()
    )]
    NotADataset {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another version of the format.
    #[error(
        "{} has format version {found} and this program reads version {FORMAT_VERSION}; use the program that made it, \
         or build the data set again", path.display()
    )]
    Version {
        /// The index.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A file does not match the index, or contradicts itself.
    #[error("{} is damaged: {detail}; run `preprocess verify` to list all problems", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem.
        detail: String,
    },
    /// A shard cannot be used.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

impl DatasetError {
    /// A file that does not match the index; `detail` says how.
    pub fn damaged(path: impl AsRef<Path>, detail: impl ToString) -> Self {
        Self::Damaged {
            path: path.as_ref().to_owned(),
            detail: detail.to_string(),
        }
    }
}
