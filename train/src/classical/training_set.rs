//! The data that classifiers are trained with.

use crate::frontend::{VectorError, check_vectors};

#[derive(Clone, Copy, Debug)]
pub struct TrainingSet<'a> {
    /// `[n, dimension]`, row by row.
    pub vectors: &'a [f32],
    pub dimension: usize,
    /// The class of each vector, below `classes`.
    pub labels: &'a [usize],
    pub classes: usize,
}

impl TrainingSet<'_> {
    /// # Errors
    /// If vectors are not whole rows or a value is not finite.
    ///
    /// # Panics
    /// Panics if there is not one label per vector, or a label is not below `classes`.
    pub(super) fn check(&self) -> Result<(), VectorError> {
        check_vectors(self.vectors, self.dimension)?;
        assert_eq!(
            self.labels.len() * self.dimension,
            self.vectors.len(),
            "one label per vector"
        );
        assert!(
            self.labels.iter().all(|&label| label < self.classes),
            "every label is below the number of classes"
        );
        Ok(())
    }
}
