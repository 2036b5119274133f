//! What classifiers are trained with.

use crate::frontend::{VectorError, check_vectors};

/// Training data or vectors that a classifier cannot use.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClassicalError {
    #[error(transparent)]
    Vectors(#[from] VectorError),
    /// Each training vector has one class.
    #[error("{labels} classes are given for {vectors} training vectors; give one for each")]
    Labels { vectors: usize, labels: usize },
    #[error("training vector {row} (counted from 0) is of class {label}, and there are {classes} classes, from 0 on")]
    Label { row: usize, label: usize, classes: usize },
    #[error("{k} neighbours cannot be found among {vectors} training vectors; choose between 1 and {vectors}")]
    Neighbours { k: usize, vectors: usize },
}

/// Whether a classifier can be trained with these.
pub(super) fn check_training(
    vectors: &[f32],
    dimension: usize,
    labels: &[usize],
    classes: usize,
) -> Result<(), ClassicalError> {
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
