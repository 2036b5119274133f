//! Classifiers on feature vectors, such as statistics of MFCCs: baselines for the neural networks.
//!
//! They are trained with vectors `[n, dimension]`, row by row, and classes, and give scores for other vectors. Both
//! depend on distances, so columns should have one scale: see [`Normalize::ZScore`](crate::frontend::Normalize).
//!
//! `linfa` 0.8.1, the existing library, is not used. Its SVM is binary and fills an n × n kernel matrix even for a
//! linear kernel (330 MB for 6,400 tracks). Its nearest neighbours do not define ties and do not vote. It also brings
//! 21 crates, among them older versions of `ndarray` and `rand`.

mod knn;
mod linear_svm;
mod training_set;

pub use knn::KNearest;
pub use linear_svm::{LinearSvm, SvmConfig};
pub use training_set::TrainingSet;
