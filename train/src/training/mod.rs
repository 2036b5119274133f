//! The loop: epochs, evaluation, checkpoints, resume, early stopping.
//!
//! A run's settings and data in; weights, history and a checkpoint out, in the run's directory. Which pages and pictures
//! are made of them only the observer knows.

pub mod checkpoint;
pub mod epoch_source;
pub mod fit;
mod observer;
mod session;
pub mod start;
