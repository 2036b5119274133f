//! Builds the two programs once and provides small music collections to run them on.
//!
//! Tests check what the programs print, the files they write and their exit status. The harness itself does not assert
//! results.

mod collection;
mod dataset;
mod interruption;
mod programs;
mod small_disk;
mod tree;

pub use collection::Collection;
pub use dataset::BuiltDataset;
pub use interruption::{Ended, Killer, end, send, timed_run, wait_for};
pub use programs::{Program, json_file, json_line, stderr, stderr_text, stdout_text, test_device};
pub use small_disk::on_a_small_disk;
pub use tree::{Tree, copy as copy_directory};
