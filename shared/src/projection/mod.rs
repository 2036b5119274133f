//! A table of numbers to its principal components, as in scikit-learn.
//!
//! The rows are tracks, but nothing here depends on what the columns mean.

mod eigen;
mod pca;
mod subspace;

pub use pca::{NoPca, Pca, Scaled, center, pca, standardize};
