//! `preprocess inspect`: describes a data set, its labels, its duplicates, a track or an audio file, as text, pictures
//! or an HTML page.

pub mod analysis;
pub mod audio_file;
mod charts;
pub mod distribution;
mod drawings;
pub mod duplicates;
pub mod files;
pub mod labels;
mod labels_picture;
pub mod normalization;
pub mod overview;
mod overview_text;
pub mod page;
pub mod picture;
pub mod splits;
pub mod track;
pub mod track_list;

pub use analysis::{Analysis, AnalysisConfig, SampleTracks};
pub use overview::Overview;

use shared::dataset::DatasetError;
use shared::dataset::shard::ShardError;
use shared::dataset::split::SplitError;
use shared::runtime::atomic_file::WriteError;

/// A data set cannot be read, or its description cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Split(#[from] SplitError),
    #[error(transparent)]
    Shard(#[from] ShardError),
    #[error(transparent)]
    Write(#[from] WriteError),
}
