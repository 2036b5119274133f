//! The contract between the programs: a data set's index, tables, shards, splits and statistics.
//!
//! [`Dataset`] opens a directory and lends its tracks, checked, from memory-mapped shards. Splits are in [`split`]. Who
//! builds a data set, and from what, is not known here.

#[forbid(unsafe_code)]
#[expect(clippy::module_inception, reason = "the type that the room is named after")]
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
// The memory map is in there.
pub mod shard;
#[forbid(unsafe_code)]
pub mod split;
#[forbid(unsafe_code)]
pub mod statistics;
#[forbid(unsafe_code)]
mod tables;

pub use dataset::{Dataset, consistently};
pub use error::DatasetError;
pub use index::{DatasetIndex, FileRecord, ShardFileRecord, ShardRecord, SourceRecord, Task};
pub use layout::{FORMAT_VERSION, INDEX_FILE, PREVIOUS_DIRECTORY, REJECTED_FILE, SUMMARY_FILE, TRACKS_FILE};
pub use tables::{own_file, read_recorded, read_rejected, read_summary, read_table, read_tracks};

#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod tests;
