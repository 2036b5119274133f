//! What both programs agree on: the data set's format, how an audio file is heard, and the signal processing between.
//!
//! Data enters as samples or as files of a data set, and leaves as model input or as checked views. This crate
//! holds no command line, no progress, no policy of where files lie, and knows nothing of neural networks.

#[forbid(unsafe_code)]
pub mod atomic_file;
#[forbid(unsafe_code)]
pub mod audio;
#[forbid(unsafe_code)]
pub mod dataset;
// `s!` of ndarray, which the mel spectrogram and the PSD use, allows itself what `forbid` would not allow it.
pub mod dsp;
#[forbid(unsafe_code)]
pub mod failure;
#[forbid(unsafe_code)]
pub mod features;
#[forbid(unsafe_code)]
pub mod guard;
#[forbid(unsafe_code)]
mod inside;
#[forbid(unsafe_code)]
pub mod log;
#[forbid(unsafe_code)]
pub mod manifest;
#[forbid(unsafe_code)]
pub mod recordings;
#[forbid(unsafe_code)]
pub mod rng;
// The memory map is in there.
pub mod shard;
#[forbid(unsafe_code)]
pub mod split;
#[forbid(unsafe_code)]
pub mod stats;
