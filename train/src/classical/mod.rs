//! Classifiers on feature vectors, such as statistics of MFCCs: what a neural network has to beat.
//!
//! Training vectors `[n, dimension]`, row by row, and their classes in; scores of other vectors out. Both classifiers measure lengths, so columns should have one scale: see
//! [`Normalize::ZScore`](crate::frontend::Normalize).
//!
//! Written here rather than taken from `linfa` 0.8.1, the library there is: its SVM is binary and fills an n × n kernel
//! matrix even where the kernel is linear (330 MB for 6,400 tracks); its nearest neighbours say nothing of ties and do
//! not vote; and the two bring 21 crates, among them older versions of `ndarray` and `rand` beside those used here.

mod knn;
mod linear_svm;
mod training_set;

pub use knn::KNearest;
pub use linear_svm::{LinearSvm, SvmConfig};
pub use training_set::TrainingSet;
