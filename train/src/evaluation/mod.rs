//! Runs a model on a set: predictions, metrics and embeddings.

pub mod embeddings;
pub mod track_sample;
pub mod evaluate;
pub mod temperature;
