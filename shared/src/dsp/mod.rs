//! Signal processing on slices. The caller owns all input and output memory.
//!
//! Each type plans once. It can then run any number of times, from any number of threads, with one scratch per thread.
//! Formulas and defaults are those of librosa, or of scipy if librosa has no equivalent; the golden tests compare with
//! both.

#[forbid(unsafe_code)]
pub mod chroma;
#[forbid(unsafe_code)]
pub mod decibel;
#[forbid(unsafe_code)]
pub(crate) mod dot;
#[forbid(unsafe_code)]
pub mod extremes;
#[forbid(unsafe_code)]
pub mod feature_preset;
#[forbid(unsafe_code)]
pub mod features;
#[forbid(unsafe_code)]
pub mod frame_pair;
pub mod mel;
#[forbid(unsafe_code)]
pub mod mfcc;
#[forbid(unsafe_code)]
pub mod moments;
#[forbid(unsafe_code)]
pub mod noise;
#[forbid(unsafe_code)]
pub mod pcm8;
#[forbid(unsafe_code)]
pub mod phase_vocoder;
#[forbid(unsafe_code)]
pub mod pitch_shift;
#[forbid(unsafe_code)]
pub(crate) mod polar;
pub mod psd;
#[forbid(unsafe_code)]
pub mod resample;
#[forbid(unsafe_code)]
pub mod stft;
#[forbid(unsafe_code)]
pub mod track_statistics;
#[forbid(unsafe_code)]
pub mod window;

pub use stft::Sample;

/// Full scale of 16-bit PCM: a stored sample divided by this is a value in `[-1, 1)`.
pub const PCM_FULL_SCALE: f32 = 32_768.0;
