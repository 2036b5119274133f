//! The directory of a run, `RUN/`, and its files: settings, history, environment, split, predictions.
//!
//! Files are written atomically. [`crate::report`] turns them into pages and tables.

pub mod directory;
pub mod embedding_map;
pub mod calibration;
pub mod ending;
pub mod environment;
pub mod history;
pub mod evaluations;
pub mod predictions;
pub mod set;
pub mod split_copy;
