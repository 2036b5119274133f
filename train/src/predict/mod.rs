//! A run and audio files in; probabilities of classes or tags out.
//!
//! Threads decode a file each and make model input of it while it is decoded; the thread that has the device takes their
//! batches as they come. Memory depends on neither the number of files nor their length, except for models of whole tracks'
//! statistics, which hold a file of a quarter of an hour at most.

mod cutter;
mod file_decoder;
mod files;
mod predictor;

pub use file_decoder::InputSetup;
pub use files::{Named, expand};
pub use predictor::{FilePrediction, Predictor};
