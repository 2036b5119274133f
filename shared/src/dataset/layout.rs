//! The files of a data set.

/// The version of the directory's layout that this code writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// The index's file name. It is written last: a directory without it is not a data set yet.
pub const INDEX_FILE: &str = "dataset.json";
/// Table of kept tracks.
pub const TRACKS_FILE: &str = "tracks.csv";
/// Table of dropped tracks.
pub const REJECTED_FILE: &str = "rejected.csv";
/// While a data set grows, its old tables are here from when the first of them is replaced until the index is. A reader
/// looks here for a table if the one in place does not match the index.
pub const PREVIOUS_DIRECTORY: &str = ".build/previous";
/// Sums and statistics per track.
pub const SUMMARY_FILE: &str = "shards/summary.safetensors";
