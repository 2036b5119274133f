//! `preprocess inspect`: a data set enters; a text about it or about its labels, pictures of it, or a page with all of that
//! leaves.

pub mod analysis;
mod charts;
pub mod distribution;
mod drawings;
pub mod duplicates;
pub mod files;
pub mod labels;
mod labels_picture;
pub mod overview;
mod overview_text;
pub mod page;
pub mod picture;
pub mod splits;

pub use analysis::{Analysis, AnalysisConfig, SampleTracks};
pub use overview::Overview;

use shared::dataset::DatasetError;
use shared::dataset::shard::ShardError;
use shared::dataset::split::SplitError;
use shared::runtime::atomic_file::WriteError;

/// A data set that cannot be described, or a description that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Its files cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Its splits cannot be read.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// One of its shards cannot be read.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// A file of ours cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}
