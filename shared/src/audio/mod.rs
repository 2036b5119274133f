//! From an audio file of any kind to what a data set holds of a track.
//!
//! Both programs hear files through this, `preprocess` those of a collection and `train` those whose genre is asked for, so
//! that a file sounds to a trained model as it would have sounded in its training set, to the last bit.

pub mod decode;
pub mod extract;
pub mod quantize;
pub mod resample;
pub mod validate;
pub mod watchdog;
pub mod waveform;
