//! Parts of a build become the data set that one process would have built, byte by byte. Parts are only read.

mod parts;
mod whole;

pub use whole::{MergeConfig, merge};

#[cfg(test)]
mod tests;
