//! Multinomial logistic regression with an L2 penalty, trained with L-BFGS: scikit-learn's `LogisticRegression`.
//!
//! It minimises `mean cross-entropy + |W|² / (2 C n)`; biases have no penalty.

use super::affine::{self, affine};
use super::lbfgs::minimize;
use super::training_set::TrainingSet;
use crate::frontend::VectorError;
use pulp::Arch;
use rayon::prelude::*;
use tracing::warn;

/// Vectors whose gradients are summed by one thread. Sums of blocks are added in order, so the result does not depend on
/// the number of threads.
const BLOCK: usize = 256;

/// Settings of [`Logistic`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticConfig {
    /// Inverse regularisation strength: larger values fit the training set more closely.
    pub c: f64,
    /// Training stops when no derivative is larger than this.
    pub tolerance: f64,
    pub max_iterations: usize,
}

impl Default for LogisticConfig {
    fn default() -> Self {
        Self {
            c: 1.0,
            tolerance: 1e-4,
            max_iterations: 1000,
        }
    }
}

/// A linear function for each class, whose softmax is the probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    /// `[classes, dimension + 1]`, the bias last.
    pub(super) weights: Vec<f64>,
    pub(super) dimension: usize,
    converged: bool,
}

impl Logistic {
    /// Trains. The same data and settings give the same weights, for any number of threads. Every class must have
    /// vectors: the bias of one without has no minimum.
    ///
    /// # Errors
    /// If vectors are not whole rows or a value is not finite.
    pub fn fit(set: &TrainingSet<'_>, config: &LogisticConfig) -> Result<Self, VectorError> {
        set.check()?;
        let TrainingSet { dimension, classes, .. } = *set;
        let size = classes * (dimension + 1);
        // scikit-learn trains one function for two classes. Two opposite functions of half the size have half the
        // penalty.
        let c = if classes == 2 { config.c / 2.0 } else { config.c };
        let penalty = 1.0 / (c * set.labels.len().max(1) as f64);
        let (weights, converged) = minimize(
            vec![0.0; size],
            |weights, gradient| objective(set, weights, penalty, gradient),
            config.tolerance,
            config.max_iterations,
        );
        if !converged {
            warn!(
                "the logistic regression with C = {} did not converge in {} iterations; give a smaller --c",
                config.c, config.max_iterations
            );
        }
        Ok(Self {
            weights,
            dimension,
            converged,
        })
    }

    /// Logits of each of `vectors`, `[n, dimension]` row by row, and each class, `[n, classes]` row by row.
    pub fn scores(&self, vectors: &[f32]) -> Result<Vec<f32>, VectorError> {
        affine::scores(&self.weights, self.dimension, vectors)
    }

    pub(super) fn from_weights(weights: Vec<f64>, dimension: usize) -> Self {
        Self {
            weights,
            dimension,
            converged: true,
        }
    }
}

/// The minimised function; fills `gradient`.
fn objective(set: &TrainingSet<'_>, weights: &[f64], penalty: f64, gradient: &mut [f64]) -> f64 {
    let width = set.dimension + 1;
    let rows = set
        .vectors
        .par_chunks(BLOCK * set.dimension)
        .zip(set.labels.par_chunks(BLOCK));
    let arch = Arch::new();
    let blocks: Vec<(f64, Vec<f64>)> = rows
        .map(|(vectors, labels)| {
            let mut sums = vec![0.0; weights.len()];
            let loss = arch.dispatch(|| add_block(vectors, labels, width, weights, &mut sums));
            (loss, sums)
        })
        .collect();
    let count = set.labels.len().max(1) as f64;
    gradient.fill(0.0);
    let mut loss = 0.0;
    for (block_loss, sums) in &blocks {
        loss += block_loss;
        gradient.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    let mut squares = 0.0;
    for (at, (slope, weight)) in gradient.iter_mut().zip(weights).enumerate() {
        *slope /= count;
        if at % width != width - 1 {
            *slope += penalty * weight;
            squares += weight * weight;
        }
    }
    loss / count + penalty * squares / 2.0
}

/// Adds the gradients of some vectors to `sums` and returns the sum of their cross-entropies.
#[inline(always)]
fn add_block(vectors: &[f32], labels: &[usize], width: usize, weights: &[f64], sums: &mut [f64]) -> f64 {
    let mut loss = 0.0;
    let mut errors = vec![0.0; weights.len() / width];
    for (vector, &label) in vectors.chunks_exact(width - 1).zip(labels) {
        for (error, weights) in errors.iter_mut().zip(weights.chunks_exact(width)) {
            *error = affine(weights, vector);
        }
        let highest = errors.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = errors.iter().map(|logit| (logit - highest).exp()).sum();
        loss += highest + total.ln() - errors[label];
        errors
            .iter_mut()
            .for_each(|logit| *logit = (*logit - highest).exp() / total);
        errors[label] -= 1.0;
        for (&error, sums) in errors.iter().zip(sums.chunks_exact_mut(width)) {
            let (slopes, bias) = sums.split_at_mut(width - 1);
            slopes
                .iter_mut()
                .zip(vector)
                .for_each(|(slope, &x)| *slope += error * f64::from(x));
            bias[0] += error;
        }
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classical::calibration::softmax;
    use crate::classical::testing::{PROBLEMS, Problem, largest_difference};

    #[test]
    fn probabilities_match_scikit_learn() {
        let mut worst = 0.0f64;
        for number in 0..PROBLEMS {
            let problem = Problem::read(number);
            let config = LogisticConfig {
                c: problem.c,
                tolerance: 1e-8,
                max_iterations: 100_000,
            };
            let logistic = Logistic::fit(&problem.set(), &config).unwrap();
            assert!(logistic.converged, "problem {number}");
            let scores = logistic.scores(&problem.queries).unwrap();
            let rows = scores.chunks_exact(problem.classes);
            let found: Vec<f32> = rows.flat_map(|row| softmax(row, 1.0)).map(|p| p as f32).collect();
            worst = worst.max(largest_difference(&found, &problem.expected("probabilities")));
        }
        println!("logistic regression: largest difference of probabilities {worst:.2e}");
        assert!(worst <= 5e-5, "{worst}");
    }

    #[test]
    fn default_tolerance_comes_near_and_few_iterations_do_not_converge() {
        let problem = Problem::read(13);
        let fit = |max_iterations| {
            let config = LogisticConfig {
                c: problem.c,
                max_iterations,
                ..LogisticConfig::default()
            };
            Logistic::fit(&problem.set(), &config).unwrap()
        };
        assert!(fit(1000).converged && !fit(1).converged);
        assert_eq!(fit(1000), fit(1000));
    }
}
