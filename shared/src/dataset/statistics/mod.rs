//! Per-track sums and statistics, and the normalization that any set of tracks gets from the sums.
//!
//! A track is summed up once, when the data set is built, into `shards/summary.safetensors`. A new split adds up the rows
//! of its training tracks, so it never touches a shard. Models of whole tracks read the statistics.

mod normalization;
mod summary_file;
mod track_summary;

pub use normalization::{Normalization, NothingToNormalize};
pub use summary_file::{SummaryError, summary_from_bytes, summary_to_bytes};
pub use track_summary::{CHROMA_STATISTICS, MFCC_STATISTICS, TrackSummary};
