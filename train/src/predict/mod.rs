//! Classifies audio files with a run: its network, or the networks and the classifier that it combines.
//!
//! Each thread decodes a file and makes batches of model input while decoding; one thread runs the model on the
//! batches. Memory does not depend on the number or length of the files, except for models on track statistics and with
//! `--eval-clips N`, which need the whole file (up to a quarter of an hour).

mod cutter;
mod file_decoder;
mod files;
mod predictor;
mod run_predictor;

pub use files::{Named, expand};
pub use run_predictor::{FilePrediction, RunPredictor};
