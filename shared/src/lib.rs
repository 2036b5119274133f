//! Code that both programs use: signal processing, the format of a data set, audio decoding, HTML pages and the
//! runtime.
//!
//! Each module imports only from the modules listed before it. [`runtime`] has the parts of the command line that both
//! programs share. The crate does not decide where files are, and does not depend on a neural network library.

#![warn(missing_docs)]

// Random streams, atomic files, guarded calls, logging, exit codes.
#[forbid(unsafe_code)]
pub mod runtime;
// Signal processing on slices. Not `forbid(unsafe_code)` as a whole: ndarray's `s!`, which the mel spectrogram and the
// PSD use, expands to an `allow` that `forbid` rejects.
pub mod dsp;
// Principal components of tables.
#[forbid(unsafe_code)]
pub mod projection;
// Detection of tracks with the same recording.
#[forbid(unsafe_code)]
pub mod recordings;
// The format of a data set: index, tables, shards, splits, statistics. `dataset::shard` has the unsafe memory map.
pub mod dataset;
// HTML pages, tables and charts.
#[forbid(unsafe_code)]
pub mod page;
// Decoding of an audio file to a mono waveform.
#[forbid(unsafe_code)]
pub mod audio;
