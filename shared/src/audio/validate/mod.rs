//! Whether a track is fit for a data set, or a [`Rejection`] with its code and its sentence.
//!
//! No file is read here. Thresholds are in [`ValidateConfig`], which is saved with the data set.

mod config;
mod flags;
mod format;
mod rejection;

pub use config::{Decoding, ValidateConfig};
pub use flags::{flags, peak};
pub use format::check_format;
pub use rejection::{ReasonCounts, Rejection, describe_reasons};
