//! The report and the progress of a verification.

use shared::dataset::DatasetError;
use shared::dataset::shard::ShardKind;
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the data set.
    pub file: String,
    /// The problem found in the file.
    pub detail: String,
    /// The shard that a repair would rebuild.
    pub shard: Option<(ShardKind, usize)>,
}

impl Problem {
    pub(super) fn new(file: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            detail: detail.into(),
            shard: None,
        }
    }
}

#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// In the order of files.
    pub problems: Vec<Problem>,
    pub files: usize,
    pub bytes: u64,
}

/// Receives the progress of a verification. The default methods do nothing.
pub trait VerifyProgress: Sync {
    /// There are this many bytes of shards to read.
    fn begin(&self, _bytes: u64) {}

    /// This many more bytes were read.
    fn read(&self, _bytes: u64) {}
    fn end(&self) {}
}

/// The message of an error without its path, which is shown separately.
pub(super) fn without_path(error: DatasetError) -> String {
    match error {
        DatasetError::Damaged { detail, .. } => detail,
        DatasetError::File(error) => format!("it cannot be read: {}", error.source),
        other => other.to_string(),
    }
}
