//! The format of a data set, which both programs share: index, tables, shards, splits and statistics.
//!
//! [`Dataset`] opens a directory and gives access to its tracks in memory-mapped shards. Splits are in [`split`].
//! `preprocess` decides what a data set is built from.

#[forbid(unsafe_code)]
#[expect(clippy::module_inception, reason = "the type that the module is named after")]
mod dataset;
#[forbid(unsafe_code)]
mod error;
#[forbid(unsafe_code)]
mod index;
#[forbid(unsafe_code)]
mod inside;
#[forbid(unsafe_code)]
pub mod integrity;
#[forbid(unsafe_code)]
mod layout;
#[forbid(unsafe_code)]
pub mod manifest;
// Has the memory map, which is unsafe.
pub mod shard;
#[forbid(unsafe_code)]
pub mod split;
#[forbid(unsafe_code)]
pub mod statistics;
#[forbid(unsafe_code)]
mod tables;

pub use dataset::{ClassDifference, Dataset, consistently};
pub use error::DatasetError;
pub use index::{DatasetIndex, FileRecord, ShardFileRecord, ShardRecord, SourceRecord, Task};
pub use layout::{FORMAT_VERSION, INDEX_FILE, PREVIOUS_DIRECTORY, REJECTED_FILE, SUMMARY_FILE, TRACKS_FILE};
pub use tables::{own_file, read_recorded, read_rejected, read_summary, read_table, read_tracks};

#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod tests;
