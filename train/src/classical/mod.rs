//! Classifiers on feature vectors, such as statistics of MFCCs or the embeddings of a network.
//!
//! They are trained with vectors `[n, dimension]`, row by row, and classes, and give scores for other vectors.
//! [`VectorClassifier`] scales the columns, chooses C on a validation set and gives probabilities.
//!
//! `linfa` 0.8.1, the existing library, is not used. Its SVM is binary and fills an n × n kernel matrix even for a
//! linear kernel (330 MB for 6,400 tracks). Its nearest neighbours do not define ties and do not vote. Its logistic
//! regression cannot be stored without its own types and adds `argmin`. It also brings 21 crates, among them older
//! versions of `ndarray` and `rand`.

mod affine;
mod calibration;
mod classifier;
mod distance;
mod golden_section;
mod knn;
mod lbfgs;
mod linear_svm;
mod logistic;
mod rbf_svm;
mod smo;
mod storage;
#[cfg(test)]
mod testing;
mod training_set;

pub use classifier::{ClassifierConfig, ClassifierKind, VectorClassifier};
pub use golden_section::golden_section;
pub use training_set::TrainingSet;
