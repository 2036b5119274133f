//! The directory of a run, `RUN/`, and the records in it: settings, history, environment, split, predictions.
//!
//! Records are written whole or not at all. What is made of them for people is made in [`crate::report`].

pub mod directory;
pub mod ending;
pub mod environment;
pub mod history;
pub mod evaluations;
pub mod predictions;
pub mod set;
pub mod split_copy;
