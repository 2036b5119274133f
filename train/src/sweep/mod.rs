//! Sweeps: train with many combinations of settings and find the best on the validation set.
//!
//! A [`Specification`] lists the settings to vary, [`search`] derives the trials, [`schedule`] decides how long each is
//! trained, [`runner`] trains each in its own process, and [`table`] and [`picture`] show the results. The test set is
//! never used: evaluate only the chosen run on it.

mod axis;
pub mod child;
pub mod directory;
mod picture;
pub mod progress;
mod record;
mod runner;
pub mod schedule;
pub mod search;
pub mod setting_table;
mod specification;
pub mod table;
#[cfg(test)]
mod testing;

pub use axis::{GridAxis, Range};
pub use runner::{Ended, Sweep};
pub use specification::{Specification, SpecificationError};
