//! What every end-to-end test needs: the two programs, built once, and small collections of music to run them on.
//!
//! Programs are run as a user runs them and evaluated by what they print, what they leave on disk and their exit status.
//! Nothing here asserts what a result should be; that is for the tests.

mod collection;
mod dataset;
mod interruption;
mod programs;
mod small_disk;
mod tree;

pub use collection::Collection;
pub use dataset::BuiltDataset;
pub use interruption::{Ended, Killer, end, send, undisturbed, wait_for};
pub use programs::{Program, json_line, stderr, stderr_text, stdout_text};
pub use small_disk::on_a_small_disk;
pub use tree::{Tree, copy as copy_directory};
