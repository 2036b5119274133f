//! Sweeps: the same training with other settings, again and again, and which were best on the validation set.
//!
//! A [`Specification`] says what varies, [`search`] makes trials of it, [`schedule`] says which is trained for how long,
//! [`runner`] trains each as a program of its own, [`table`] and [`picture`] show the results. The test set is never looked
//! at: that is for the run that is chosen, once.

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
pub use runner::Sweep;
pub use specification::{Specification, SpecificationError};
