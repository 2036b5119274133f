//! Merges the parts of a build into the data set that one process would have built, byte for byte. Parts are only read.

mod parts;
mod whole;

pub use whole::{MergeConfig, merge};

#[cfg(test)]
mod tests;
