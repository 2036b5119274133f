//! What both programs agree on: the signal processing, the data set's format, and how an audio file becomes a waveform.
//!
//! The rooms, each of which imports only from those before it. Of a command line there is only what both programs have:
//! how it is parsed and how a command ends ([`runtime`]). This crate has no policy of where files are, and knows nothing
//! of neural networks.

#![warn(missing_docs)]

// Random streams, atomic files, guarded calls, the log, the end of a command.
#[forbid(unsafe_code)]
pub mod runtime;
// `s!` of ndarray, which the mel spectrogram and the PSD use, allows itself what `forbid` would not allow it.
// Samples in, numbers out.
pub mod dsp;
// Which tracks are the same recording.
#[forbid(unsafe_code)]
pub mod recordings;
// The memory map is in `dataset::shard`.
// The contract: index, tables, shards, splits, statistics.
pub mod dataset;
// One kit for everything that people look at: pages, tables, charts.
#[forbid(unsafe_code)]
pub mod page;
// A file in, a mono waveform out.
#[forbid(unsafe_code)]
pub mod audio;
