//! Adds feature sets to a data set. A feature set has other mel spectrograms of the same tracks and is a data set of
//! its own in `features/<name>`.
//!
//! Spectrograms are computed from the stored waveforms; no audio file is read. Splits are copied, so models with
//! different features train on the same tracks.

mod addition;
mod feature_set;

pub use addition::{ExtendConfig, ExtendReport, extend};

#[cfg(test)]
mod tests;
