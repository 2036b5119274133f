//! The files of a data set.

/// The version of the directory's layout that this code writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// The index's file name. It is written last: a directory without it is not a data set yet.
pub const INDEX_FILE: &str = "dataset.json";
/// The kept tracks' table.
pub const TRACKS_FILE: &str = "tracks.csv";
/// The dropped tracks' table.
pub const REJECTED_FILE: &str = "rejected.csv";
/// Where the tables of a data set are while it grows, from when the first of them is replaced until the index is. A reader
/// looks here for a table that does not fit the index.
pub const PREVIOUS_DIRECTORY: &str = ".build/previous";
/// The per-track sums.
pub const SUMMARY_FILE: &str = "shards/summary.safetensors";
