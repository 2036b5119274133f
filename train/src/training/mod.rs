//! The training loop: epochs, evaluation, checkpoints, resume, early stopping.
//!
//! It writes weights, history and a checkpoint to the run's directory. The observer writes everything for people.

pub mod checkpoint;
pub mod epoch_source;
pub mod fit;
pub mod freezing;
mod observer;
mod session;
pub mod start;
