//! From an audio file of any kind to what a data set holds of a track.
//!
//! Both programs decode with this, `preprocess` the files of a collection and `train` those that it classifies, so a trained
//! model gets the samples that it would have been trained on, to the last bit.

pub mod decode;
pub mod extract;
pub mod quantize;
pub mod resample;
pub mod validate;
pub mod watchdog;
pub mod waveform;
