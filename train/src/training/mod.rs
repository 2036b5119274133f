//! The loop: epochs, evaluation, checkpoints, resume, early stopping.

pub mod checkpoint;
pub mod fit;
pub mod start;
