//! Compares a data set with its index and reports every problem, file by file.
//!
//! Every byte is covered by a checksum: headers of shards and other files by `dataset.json`, tensors by `tracks.csv`,
//! splits by their own `split.json`. Then the files are compared with each other. Only [`repair`] changes files.

mod check;
pub mod repair;
mod report;
mod shards;
mod splits;
mod tables;

pub use check::verify;
#[cfg(test)]
pub use report::Problem;
pub use report::{VerifyProgress, VerifyReport};

#[cfg(test)]
mod tests;
