//! Decodes an audio file into the waveform, mel spectrogram and statistics that a data set stores.
//!
//! `preprocess` and `train predict` both decode with this module, so a model sees bit-identical samples in training and
//! in prediction.

pub mod decode;
pub mod extract;
pub mod quantize;
pub mod resample;
pub mod validate;
pub mod watchdog;
pub mod waveform;
