//! What both programs agree on: the data set's format, and the signal processing that makes and reads it.
//!
//! Data enters as samples or as files of a data set, and leaves as model input or as checked views. This crate
//! holds no command line, no progress, no policy of where files lie, and knows nothing of neural networks.

pub mod atomic_file;
pub mod dataset;
pub mod dsp;
pub mod features;
mod inside;
pub mod manifest;
pub mod rng;
pub mod shard;
pub mod split;
pub mod stats;
