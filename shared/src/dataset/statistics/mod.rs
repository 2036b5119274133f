//! Per-track sums and statistics, and the normalization, which is computed from the sums of any set of tracks.
//!
//! A track is summed once, when the data set is built, into `shards/summary.safetensors`. A new split adds the sums of
//! its training tracks, so it reads no shard. Models of whole tracks use the statistics.

mod normalization;
mod published;
mod summary_file;
mod track_summary;

pub use normalization::{Normalization, NothingToNormalize};
pub use published::{PublishedError, PublishedNormalization};
pub use summary_file::{SummaryError, summary_from_bytes, summary_to_bytes};
pub use track_summary::{CHROMA_STATISTICS, MFCC_STATISTICS, TrackSummary, waveform_rms_dbfs};
