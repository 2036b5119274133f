//! What every end-to-end test needs: the two programs, built once, and small collections of music to run them on.
//!
//! Programs are run as a user runs them and judged by what they print, what they leave on disk and their exit status.
//! Nothing here asserts what a result should be; that is for the tests.

mod collection;
mod dataset;
mod programs;
mod tree;

pub use collection::Collection;
pub use dataset::BuiltDataset;
pub use programs::{Program, json_line};
pub use tree::Tree;
