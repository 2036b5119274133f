//! A model and a set in; predictions, metrics and embeddings out.

pub mod embeddings;
pub mod evaluate;
