//! Errors of reading or writing a split.

use crate::runtime::atomic_file::WriteError;
use crate::runtime::file_error::FileError;
use std::path::{Path, PathBuf};

/// A split that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// The data set has no split.
    #[error("{} has no split yet; make one with `preprocess split {}`", dataset.display(), dataset.display())]
    NoSplit {
        /// The data set.
        dataset: PathBuf,
    },
    /// No split has that name.
    #[error("{} has no split `{name}`; it has {}", dataset.display(), list(existing))]
    Unknown {
        /// The data set.
        dataset: PathBuf,
        /// The requested name.
        name: String,
        /// The existing names.
        existing: Vec<String>,
    },
    /// There are no folds with that name, or some are missing.
    #[error(
        "{} {problem}; make all folds with `preprocess split {} {options} --name {name}`",
        dataset.display(), dataset.display()
    )]
    Folds {
        /// The data set.
        dataset: PathBuf,
        /// The name of the set of folds.
        name: String,
        /// The problem, to be read after the data set's name.
        problem: String,
        /// The options that make the folds.
        options: String,
    },
    /// A name that would lead out of the directory, or be hidden in it.
    #[error(
        "`{0}` is not a valid name; use letters, digits, `-`, `_` and `.`, do not begin with `.`, and \
             do not use `current`"
    )]
    BadName(String),
    /// A file is missing, or does not match `split.json`.
    #[error("{} is damaged: {detail}; make the split again under another name", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem.
        detail: String,
    },
    /// The split was made for another build of the data set.
    #[error("{} was made for another build of this data set; make a new split", path.display())]
    Stale {
        /// The split's directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The split could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

impl SplitError {
    pub(super) fn damaged(path: &Path, detail: impl ToString) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            detail: detail.to_string(),
        }
    }
}
