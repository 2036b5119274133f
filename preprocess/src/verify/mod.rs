//! Whether a data set is what its index says: everything that is wrong with it, file by file.
//!
//! Every byte is compared with a checksum: shards' headers and the other files with `dataset.json`, tensors with
//! `tracks.csv`, splits with their own `split.json`. Then the files are compared with each other. Nothing is changed, except
//! by [`repair`].

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
