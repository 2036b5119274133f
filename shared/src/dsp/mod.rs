//! Signal processing on slices: samples in, values out, into memory that the caller owns.
//!
//! Each type plans once and then runs any number of times, from any number of threads, with a scratch per thread.
//! Formulas and defaults are librosa's, and scipy's where librosa has none; the golden tests hold them against both.

pub mod chroma;
pub mod decibel;
mod dot;
pub mod mel;
pub mod mfcc;
pub mod moments;
pub mod noise;
pub mod pcm8;
pub mod phase_vocoder;
pub mod pitch_shift;
pub mod psd;
pub mod resample;
pub mod stft;
pub mod track_statistics;
pub mod window;

pub use stft::Sample;
