//! Classifiers on feature vectors, such as statistics of MFCCs: what a neural network has to beat.
//!
//! Training vectors `[n, dimension]`, row by row, and their classes enter; classes and scores of other vectors leave.
//! Both classifiers measure lengths, so columns should have one scale: see
//! [`Normalize::ZScore`](crate::frontend::Normalize).
//!
//! Written here rather than taken from `linfa` 0.8.1, the library there is: its SVM is binary and fills an n × n kernel
//! matrix even where the kernel is linear (330 MB for 6,400 tracks); its nearest neighbours say nothing of ties and do
//! not vote; and the two bring 21 crates, among them older versions of `ndarray` and `rand` beside those used here.

mod knn;
mod linear_svm;

pub use knn::KNearest;
pub use linear_svm::{LinearSvm, SvmConfig, SvmFit};

use crate::frontend::{VectorError, check_vectors};

/// Training data, settings or vectors that a classifier cannot use.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClassicalError {
    /// The vectors themselves.
    #[error(transparent)]
    Vectors(#[from] VectorError),
    /// Each training vector has one class.
    #[error("{labels} classes are given for {vectors} training vectors; give one for each")]
    Labels {
        /// Training vectors.
        vectors: usize,
        /// Classes given.
        labels: usize,
    },
    /// A class that there is not.
    #[error("training vector {row} (counted from 0) is of class {label}, and there are {classes} classes, from 0 on")]
    Label {
        /// The vector.
        row: usize,
        /// Its class.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// As many neighbours cannot be asked.
    #[error("{k} neighbours cannot be asked of {vectors} training vectors; choose between 1 and {vectors}")]
    Neighbours {
        /// Neighbours wanted.
        k: usize,
        /// Training vectors.
        vectors: usize,
    },
    /// A setting outside its range.
    #[error("{name} is {value}; it must be {range}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// Vectors of another feature than the classifier was trained on.
    #[error("{actual} weights are not those of {classes} classes and vectors of {dimension}, which are {expected}")]
    Weights {
        /// Number of classes.
        classes: usize,
        /// Values per vector.
        dimension: usize,
        /// Weights there must be.
        expected: usize,
        /// Weights given.
        actual: usize,
    },
}

/// Whether a classifier can be trained with these.
fn check_training(vectors: &[f32], dimension: usize, labels: &[usize], classes: usize) -> Result<(), ClassicalError> {
    check_vectors(vectors, dimension)?;
    let count = vectors.len() / dimension;
    if count == 0 {
        return Err(VectorError::Empty.into());
    }
    if labels.len() != count {
        return Err(ClassicalError::Labels {
            vectors: count,
            labels: labels.len(),
        });
    }
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(()),
        Some(row) => Err(ClassicalError::Label {
            row,
            label: labels[row],
            classes,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_data_that_do_not_fit_together_are_named() {
        let check = |values: usize, dimension, labels: &[usize]| {
            check_training(&vec![1.0; values], dimension, labels, 2).map_err(|error| error.to_string())
        };
        assert_eq!(check(6, 3, &[0, 1]), Ok(()));
        for (values, dimension, labels, sentence) in [
            (0, 3, &[][..], "not one training vector"),
            (5, 3, &[0], "5 values are not whole vectors of 3"),
            (6, 0, &[0, 1], "not whole vectors of 0"),
            (6, 3, &[0], "1 classes are given for 2 training vectors"),
            (6, 3, &[0, 2], "training vector 1 (counted from 0) is of class 2"),
        ] {
            let error = check(values, dimension, labels).unwrap_err();
            assert!(error.contains(sentence), "{error}");
        }
        let error = check_training(&[f32::NAN], 1, &[0], 1).unwrap_err();
        assert!(matches!(error, ClassicalError::Vectors(VectorError::NotFinite { .. })));
    }
}
