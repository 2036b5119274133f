//! Classifies audio files with a run's model.
//!
//! Each thread decodes a file and makes batches of model input while decoding; one thread runs the model on the
//! batches. Memory does not depend on the number or length of the files, except for models on track statistics, which
//! need the whole file (up to a quarter of an hour).

mod cutter;
mod file_decoder;
mod files;
mod predictor;

pub use file_decoder::InputSetup;
pub use files::{Named, expand};
pub use predictor::{FilePrediction, Predictor};
