//! Decides whether a track is good enough for a data set, or returns a [`Rejection`] with a code and a message.
//!
//! No file is read here. The thresholds are in [`ValidateConfig`], which is saved with the data set.

mod config;
mod flags;
mod format;
mod rejection;

pub use config::{Decoding, ValidateConfig};
pub use flags::{flags, peak};
pub use format::check_format;
pub use rejection::{ReasonCounts, Rejection, describe_reasons};
