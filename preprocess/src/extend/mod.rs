//! A data set gets other features: the same tracks with other mel spectrograms, as a data set of its own in
//! `features/<name>` of the first.
//!
//! Spectrograms are made of the stored waveforms; no audio file is read. Splits are carried over, so models that see other
//! features learn from the same tracks.

mod addition;
mod feature_set;

pub use addition::{ExtendConfig, ExtendReport, extend};

#[cfg(test)]
mod tests;
