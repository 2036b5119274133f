//! Affine functions, one for each class: what the linear SVM and the logistic regression score vectors with.

use crate::frontend::{VectorError, check_vectors};

/// Sums computed in parallel, which lets the compiler vectorise them.
const LANES: usize = 8;

/// `w·x + bias`; the bias is the last of the weights.
#[inline(always)]
pub(super) fn affine(weights: &[f64], vector: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    for (weights, vector) in weights.chunks(LANES).zip(vector.chunks(LANES)) {
        for ((sum, weight), &x) in sums.iter_mut().zip(weights).zip(vector) {
            *sum += weight * f64::from(x);
        }
    }
    sums.iter().sum::<f64>() + weights[vector.len()]
}

/// The value of each class's function, whose weights are `[classes, dimension + 1]`, for each of `vectors`, `[n,
/// dimension]` row by row: `[n, classes]` row by row.
pub(super) fn scores(weights: &[f64], dimension: usize, vectors: &[f32]) -> Result<Vec<f32>, VectorError> {
    check_vectors(vectors, dimension)?;
    let of_vector = |vector| {
        let functions = weights.chunks_exact(dimension + 1);
        functions.map(move |weights| affine(weights, vector) as f32)
    };
    Ok(vectors.chunks_exact(dimension).flat_map(of_vector).collect())
}
