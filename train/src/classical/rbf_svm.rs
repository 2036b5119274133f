//! Support vector machine with a radial basis function kernel, `exp(-gamma |a - b|²)`: libsvm's and so scikit-learn's
//! `SVC`. Each pair of classes has a machine, and all machines vote.

use super::distance::squared_distance;
use super::smo::{Solution, solve};
use super::training_set::TrainingSet;
use crate::frontend::{VectorError, check_vectors};
use pulp::Arch;
use rayon::prelude::*;
use tracing::warn;

/// Kernels of up to this many training vectors are computed once and kept, in 1 GiB at most. All pairs of classes and
/// all values of C share them.
const KEPT_VECTORS: usize = 1 << 14;

/// Settings of [`RbfSvm`]. The defaults are scikit-learn's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RbfSvmConfig {
    /// Inverse regularisation strength: larger values fit the training set more closely.
    pub c: f64,
    /// Training of a pair stops when its optimality conditions hold within this.
    pub tolerance: f64,
    /// Maximum number of steps per class pair.
    pub max_iterations: usize,
}

impl Default for RbfSvmConfig {
    fn default() -> Self {
        Self {
            c: 1.0,
            tolerance: 1e-3,
            max_iterations: 10_000_000,
        }
    }
}

/// The kernel of a training set with itself.
#[derive(Debug)]
pub struct RbfKernel<'a> {
    set: TrainingSet<'a>,
    gamma: f64,
    /// `[n, n]`, row by row; `None` if it is too large.
    values: Option<Vec<f32>>,
}

impl<'a> RbfKernel<'a> {
    /// The kernel with scikit-learn's `gamma="scale"`: 1 / (dimension · variance of all values).
    ///
    /// # Errors
    /// If vectors are not whole rows or a value is not finite.
    pub fn scaled(set: &TrainingSet<'a>) -> Result<Self, VectorError> {
        set.check()?;
        let count = set.vectors.len().max(1) as f64;
        let mean = set.vectors.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let variance = set.vectors.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
        // Equal vectors have any gamma.
        let gamma = if variance > 0.0 {
            1.0 / (set.dimension as f64 * variance)
        } else {
            1.0
        };
        let count = set.labels.len();
        let values = (count <= KEPT_VECTORS).then(|| {
            let rows = set.vectors.par_chunks_exact(set.dimension);
            let row = |vector| kernel_row(vector, set.vectors, set.dimension, gamma);
            rows.flat_map_iter(row).collect()
        });
        Ok(Self {
            set: *set,
            gamma,
            values,
        })
    }

    /// Fills `values` with the kernel of vector `row` and those of `others`.
    fn row(&self, row: usize, others: &[usize], values: &mut Vec<f32>) {
        let TrainingSet { vectors, dimension, .. } = self.set;
        match &self.values {
            Some(all) => {
                let all = &all[row * self.set.labels.len()..][..self.set.labels.len()];
                values.extend(others.iter().map(|&other| all[other]));
            }
            None => {
                let vector = |row: usize| &vectors[row * dimension..][..dimension];
                let kernel = |&other: &usize| kernel(vector(row), vector(other), self.gamma);
                Arch::new().dispatch(|| values.extend(others.iter().map(kernel)));
            }
        }
    }
}

#[inline(always)]
fn kernel(a: &[f32], b: &[f32], gamma: f64) -> f32 {
    (-gamma * f64::from(squared_distance(a, b))).exp() as f32
}

/// The kernel of a vector with each of `vectors`.
fn kernel_row(vector: &[f32], vectors: &[f32], dimension: usize, gamma: f64) -> Vec<f32> {
    let others = vectors.chunks_exact(dimension);
    Arch::new().dispatch(|| others.map(|other| kernel(vector, other, gamma)).collect())
}

/// The support vectors of all class pairs, in the layout of scikit-learn.
#[derive(Clone, Debug, PartialEq)]
pub struct RbfSvm {
    pub(super) gamma: f64,
    pub(super) dimension: usize,
    pub(super) classes: usize,
    /// `[n, dimension]`, row by row.
    pub(super) support_vectors: Vec<f32>,
    /// The class of each support vector.
    pub(super) labels: Vec<usize>,
    /// `[classes - 1, n]`, row by row: the coefficients of a vector against each other class.
    pub(super) coefficients: Vec<f64>,
    /// One per pair: (0, 1), (0, 2), …, (1, 2), ….
    pub(super) biases: Vec<f64>,
}

impl RbfSvm {
    /// Trains on the kernel's set. The same data and settings give the same machine, for any number of threads.
    pub fn fit(kernel: &RbfKernel<'_>, config: &RbfSvmConfig) -> Self {
        let TrainingSet {
            vectors,
            dimension,
            labels,
            classes,
        } = kernel.set;
        let members = |class: usize| (0..labels.len()).filter(move |&row| labels[row] == class);
        let fit = |(a, b): (usize, usize)| {
            let rows: Vec<usize> = members(a).chain(members(b)).collect();
            let signs: Vec<f64> = rows
                .iter()
                .map(|&row| if labels[row] == a { 1.0 } else { -1.0 })
                .collect();
            let fill = |row: usize, values: &mut Vec<f32>| kernel.row(rows[row], &rows, values);
            let solution = solve(&signs, config.c, config.tolerance, config.max_iterations, fill);
            ((a, b), rows, solution)
        };
        let pairs: Vec<(usize, usize)> = pairs(classes).collect();
        let solved: Vec<_> = pairs.into_par_iter().map(fit).collect();
        if solved.iter().any(|(.., solution)| !solution.converged) {
            warn!(
                "the RBF SVM with C = {} did not converge in {} steps; give a smaller --c",
                config.c, config.max_iterations
            );
        }
        let mut is_support = vec![false; labels.len()];
        for (_, rows, Solution { coefficients, .. }) in &solved {
            rows.iter()
                .zip(coefficients)
                .for_each(|(&row, &value)| is_support[row] |= value != 0.0);
        }
        let support: Vec<usize> = (0..labels.len()).filter(|&row| is_support[row]).collect();
        let mut place = vec![usize::MAX; labels.len()];
        support.iter().enumerate().for_each(|(at, &row)| place[row] = at);
        let mut coefficients = vec![0.0; (classes - 1) * support.len()];
        for (pair, rows, solution) in &solved {
            for (&row, &value) in rows
                .iter()
                .zip(&solution.coefficients)
                .filter(|(_, value)| **value != 0.0)
            {
                coefficients[coefficient_row(*pair, labels[row]) * support.len() + place[row]] = value;
            }
        }
        Self {
            gamma: kernel.gamma,
            dimension,
            classes,
            support_vectors: support
                .iter()
                .flat_map(|&row| &vectors[row * dimension..][..dimension])
                .copied()
                .collect(),
            labels: support.iter().map(|&row| labels[row]).collect(),
            coefficients,
            biases: solved.iter().map(|(.., solution)| solution.bias).collect(),
        }
    }

    /// For each of `vectors`, the decision values of all class pairs; above zero means the first of the pair.
    fn decisions(&self, vectors: &[f32]) -> Result<Vec<Vec<f64>>, VectorError> {
        check_vectors(vectors, self.dimension)?;
        let count = self.labels.len();
        let rows = vectors.par_chunks_exact(self.dimension);
        let decide = |vector| {
            let kernel = kernel_row(vector, &self.support_vectors, self.dimension, self.gamma);
            let decision = |(pair, bias): ((usize, usize), &f64)| {
                let terms = self
                    .labels
                    .iter()
                    .enumerate()
                    .filter(|&(_, &class)| class == pair.0 || class == pair.1);
                let sum: f64 = terms
                    .map(|(at, &class)| {
                        self.coefficients[coefficient_row(pair, class) * count + at] * f64::from(kernel[at])
                    })
                    .sum();
                sum + bias
            };
            pairs(self.classes).zip(&self.biases).map(decision).collect()
        };
        Ok(rows.map(decide).collect())
    }

    /// For each of `vectors`, `[n, dimension]` row by row, a score of each class, `[n, classes]` row by row: the number
    /// of pairs that it wins, plus less than half for how clearly. scikit-learn's `decision_function` of shape `ovr`;
    /// its highest is the prediction of `SVC(break_ties=True)`.
    pub fn scores(&self, vectors: &[f32]) -> Result<Vec<f32>, VectorError> {
        let score = |decisions: Vec<f64>| {
            let (mut votes, mut confidence) = (vec![0.0; self.classes], vec![0.0; self.classes]);
            for ((a, b), decision) in pairs(self.classes).zip(decisions) {
                votes[if decision >= 0.0 { a } else { b }] += 1.0;
                confidence[a] += decision;
                confidence[b] -= decision;
            }
            let scores = votes.into_iter().zip(confidence);
            scores
                .map(|(votes, sum): (f64, f64)| (votes + sum / (3.0 * (sum.abs() + 1.0))) as f32)
                .collect::<Vec<_>>()
        };
        Ok(self.decisions(vectors)?.into_iter().flat_map(score).collect())
    }
}

/// All class pairs, in scikit-learn's order.
fn pairs(classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |a| (a + 1..classes).map(move |b| (a, b)))
}

/// The row of coefficients for a vector of `class` in a pair: the other class, counted without its own.
fn coefficient_row((a, b): (usize, usize), class: usize) -> usize {
    if class == a { b - 1 } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classical::testing::{PROBLEMS, Problem, largest_difference};
    use crate::metrics::first_highest;

    #[test]
    fn decisions_scores_and_predictions_match_scikit_learn() {
        let (mut of_pairs, mut of_scores) = (0.0f64, 0.0f64);
        for number in 0..PROBLEMS {
            let problem = Problem::read(number);
            let kernel = RbfKernel::scaled(&problem.set()).unwrap();
            let config = RbfSvmConfig {
                c: problem.c,
                tolerance: 1e-6,
                ..RbfSvmConfig::default()
            };
            let svm = RbfSvm::fit(&kernel, &config);
            let pairs: Vec<f32> = svm
                .decisions(&problem.queries)
                .unwrap()
                .concat()
                .into_iter()
                .map(|x| x as f32)
                .collect();
            of_pairs = of_pairs.max(largest_difference(&pairs, &problem.expected("pairs")));
            let scores = svm.scores(&problem.queries).unwrap();
            of_scores = of_scores.max(largest_difference(&scores, &problem.expected("scores")));
            let predicted: Vec<usize> = scores.chunks_exact(problem.classes).map(first_highest).collect();
            assert_eq!(predicted, problem.expected_classes("predicted"), "problem {number}");
        }
        println!("RBF SVM: largest difference of pairs' decisions {of_pairs:.2e}, of scores {of_scores:.2e}");
        assert!(of_pairs <= 1e-3 && of_scores <= 1e-3, "{of_pairs} {of_scores}");
    }

    #[test]
    fn kernel_that_is_not_kept_gives_the_same_machine() {
        let problem = Problem::read(3);
        let kept = RbfKernel::scaled(&problem.set()).unwrap();
        let computed = RbfKernel {
            values: None,
            set: problem.set(),
            gamma: kept.gamma,
        };
        let config = RbfSvmConfig::default();
        assert_eq!(RbfSvm::fit(&kept, &config), RbfSvm::fit(&computed, &config));
    }

    #[test]
    fn equal_vectors_and_invalid_values_are_handled() {
        let set = TrainingSet {
            vectors: &[1.0; 4],
            dimension: 1,
            labels: &[0, 1, 0, 0],
            classes: 2,
        };
        let svm = RbfSvm::fit(&RbfKernel::scaled(&set).unwrap(), &RbfSvmConfig::default());
        assert!(svm.scores(&[1.0, 3.0]).unwrap().into_iter().all(f32::is_finite));
        assert!(svm.scores(&[f32::NAN]).is_err());
        let invalid = TrainingSet {
            vectors: &[1.0, f32::INFINITY, 0.0, 0.0],
            ..set
        };
        assert!(RbfKernel::scaled(&invalid).is_err());
    }
}
