//! One-vs-rest linear support vector machine, like liblinear's and so scikit-learn's `LinearSVC`.
//!
//! For each class, dual coordinate descent minimises `|w|² / 2 + C Σ max(0, 1 - y w·x)²`: Hsieh, Chang, Lin, Keerthi
//! and Sundararajan (2008), Algorithm 3, with its shrinking. Each vector has a 1 appended, whose weight is the bias, so
//! the bias is regularised as well.

use super::affine::{self, affine};
use super::training_set::TrainingSet;
use crate::frontend::VectorError;
use pulp::Arch;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use shared::runtime::rng::{Purpose, stream};
use tracing::warn;

/// Smaller gradients are skipped; liblinear's limit.
const SMALLEST_GRADIENT: f64 = 1e-12;

/// Settings of [`LinearSvm`]. The defaults are scikit-learn's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SvmConfig {
    /// Inverse regularisation strength: larger values fit the training set more closely.
    pub c: f64,
    /// Training stops when the projected gradients of the dual problem span less than this.
    pub tolerance: f64,
    /// Maximum number of passes over the training set.
    pub max_iterations: usize,
}

impl Default for SvmConfig {
    fn default() -> Self {
        Self {
            c: 1.0,
            tolerance: 1e-4,
            max_iterations: 1000,
        }
    }
}

/// A hyperplane for each class.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearSvm {
    /// `[classes, dimension + 1]`, the bias last.
    pub(super) weights: Vec<f64>,
    dimension: usize,
    /// Whether every class came within the tolerance.
    converged: bool,
}

impl LinearSvm {
    /// Trains. The same data and settings give the same weights, for any number of threads.
    ///
    /// # Errors
    /// If vectors are not whole rows or a value is not finite.
    pub fn fit(set: &TrainingSet<'_>, config: &SvmConfig) -> Result<Self, VectorError> {
        set.check()?;
        let TrainingSet {
            vectors,
            dimension,
            labels,
            classes,
        } = *set;
        let arch = Arch::new();
        let fit = |class| {
            let is_positive = |row: usize| labels[row] == class;
            arch.dispatch(|| Plane::fit(vectors, dimension, is_positive, config, class as u64))
        };
        let planes: Vec<Plane> = (0..classes).into_par_iter().map(fit).collect();
        let converged = planes.iter().all(|plane| plane.converged);
        if !converged {
            warn!(
                "the linear SVM with C = {} did not converge in {} passes; give a smaller --c",
                config.c, config.max_iterations
            );
        }
        Ok(Self {
            converged,
            weights: planes.into_iter().flat_map(|plane| plane.weights).collect(),
            dimension,
        })
    }

    /// `w·x + bias` for each of `vectors`, `[n, dimension]` row by row, and each class, `[n, classes]` row by row. This
    /// is scikit-learn's `decision_function`, which for two classes returns only the second's.
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

struct Plane {
    weights: Vec<f64>,
    converged: bool,
}

impl Plane {
    #[inline(always)]
    fn fit(
        vectors: &[f32],
        dimension: usize,
        is_positive: impl Fn(usize) -> bool,
        config: &SvmConfig,
        class: u64,
    ) -> Self {
        let mut rng = stream(0, 0, class, Purpose::Model);
        let vector = |row: usize| &vectors[row * dimension..][..dimension];
        // The squared hinge loss adds this to the diagonal of the dual problem. The multipliers then have no upper
        // bound.
        let ridge = 0.5 / config.c;
        let curvature = |vector: &[f32]| ridge + 1.0 + vector.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        let curvatures: Vec<f64> = vectors.chunks_exact(dimension).map(curvature).collect();
        let mut multipliers = vec![0.0; curvatures.len()];
        let mut plane = Self {
            weights: vec![0.0; dimension + 1],
            converged: false,
        };
        let mut order: Vec<usize> = (0..curvatures.len()).collect();
        // Vectors from this index in the order on are well on their side, and skipped until the others have converged.
        let mut active = order.len();
        let mut highest_before = f64::INFINITY;
        for _ in 0..config.max_iterations {
            if plane.converged {
                break;
            }
            order[..active].shuffle(&mut rng);
            let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
            let mut at = 0;
            while at < active {
                let row = order[at];
                let (vector, sign) = (vector(row), if is_positive(row) { 1.0 } else { -1.0 });
                let multiplier = &mut multipliers[row];
                let gradient = sign * affine(&plane.weights, vector) - 1.0 + ridge * *multiplier;
                if *multiplier == 0.0 && gradient > highest_before {
                    active -= 1;
                    order.swap(at, active);
                    continue;
                }
                // A multiplier of 0 cannot decrease.
                let projected = if *multiplier == 0.0 {
                    gradient.min(0.0)
                } else {
                    gradient
                };
                (lowest, highest) = (lowest.min(projected), highest.max(projected));
                if projected.abs() > SMALLEST_GRADIENT {
                    let before = *multiplier;
                    *multiplier = (before - gradient / curvatures[row]).max(0.0);
                    add(&mut plane.weights, (*multiplier - before) * sign, vector);
                }
                at += 1;
            }
            if highest - lowest <= config.tolerance {
                plane.converged = active == order.len();
                active = order.len();
                highest_before = f64::INFINITY;
            } else {
                highest_before = if highest <= 0.0 { f64::INFINITY } else { highest };
            }
        }
        plane
    }
}

/// Adds `factor` times the vector and its appended 1.
#[inline(always)]
fn add(weights: &mut [f64], factor: f64, vector: &[f32]) {
    for (weight, &x) in weights.iter_mut().zip(vector) {
        *weight += factor * f64::from(x);
    }
    weights[vector.len()] += factor;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROWS: usize = 36;
    const DIMENSION: usize = 4;

    /// Three overlapping classes in multiples of a sixteenth, as in the Python script that computed the values below:
    /// `((37 i + 101 j + 13 i j) % 64) / 16 - 2`, plus 1.5 if column j is the class, i mod 3.
    fn training_set() -> (Vec<f32>, Vec<usize>) {
        let labels: Vec<usize> = (0..ROWS).map(|row| row % 3).collect();
        let value = |at: usize| {
            let (row, column) = (at / DIMENSION, at % DIMENSION);
            let offset = if column == labels[row] { 1.5 } else { 0.0 };
            ((row * 37 + column * 101 + row * column * 13) % 64) as f32 / 16.0 - 2.0 + offset
        };
        ((0..ROWS * DIMENSION).map(value).collect(), labels)
    }

    fn train(vectors: &[f32], dimension: usize, labels: &[usize], classes: usize, config: SvmConfig) -> LinearSvm {
        let set = TrainingSet {
            vectors,
            dimension,
            labels,
            classes,
        };
        LinearSvm::fit(&set, &config).unwrap()
    }

    fn fit(config: SvmConfig) -> LinearSvm {
        let (vectors, labels) = training_set();
        train(&vectors, DIMENSION, &labels, 3, config)
    }

    /// Close enough to the optimum that two solvers agree to nine decimals.
    fn exact(c: f64) -> SvmConfig {
        SvmConfig {
            c,
            tolerance: 1e-10,
            max_iterations: 100_000,
        }
    }

    #[test]
    fn weights_and_scores_match_scikit_learn() {
        // scikit-learn 1.9.1, `LinearSVC(C=C, dual=True, tol=1e-10, max_iter=1000000, random_state=0)` fitted to the
        // same set: `coef_` with `intercept_` as last column, then `decision_function` of the first four vectors.
        const WEIGHTS: [f64; 15] = [
            0.407457623,
            -0.255754707,
            -0.194966925,
            0.159246493,
            -0.311200801,
            -0.155744013,
            0.336960153,
            -0.167885821,
            -0.029649380,
            -0.334749517,
            -0.220411699,
            -0.114712855,
            0.352964388,
            -0.090220593,
            -0.534251725,
        ];
        const SCORES: [f64; 12] = [
            -0.177479850,
            0.051469247,
            -1.029801482,
            0.125353079,
            0.123783162,
            -1.370307240,
            -0.752630287,
            -0.558654564,
            0.074683765,
            0.425639130,
            0.140656426,
            -1.743285807,
        ];
        const WEIGHTS_OF_SMALL_C: [f64; 15] = [
            0.303594299,
            -0.190252038,
            -0.159696932,
            0.103636098,
            -0.214225142,
            -0.128310923,
            0.231841480,
            -0.153851552,
            -0.019733432,
            -0.211721630,
            -0.200895302,
            -0.126577759,
            0.241806824,
            -0.061150329,
            -0.307740955,
        ];
        const SCORES_OF_SMALL_C: [f64; 12] = [
            -0.108733930,
            0.117930085,
            -0.636661671,
            0.106737047,
            0.153394032,
            -0.939975876,
            -0.520111403,
            -0.337732749,
            0.245993003,
            0.370057776,
            0.123179456,
            -1.339161741,
        ];
        for (c, weights, scores) in [(1.0, WEIGHTS, SCORES), (0.05, WEIGHTS_OF_SMALL_C, SCORES_OF_SMALL_C)] {
            let svm = fit(exact(c));
            assert!(svm.converged);
            let error = |(ours, expected): (&f64, &f64)| (ours - expected).abs();
            let weights = svm.weights.iter().zip(&weights).map(error).fold(0.0, f64::max);
            let ours = svm.scores(&training_set().0[..4 * DIMENSION]).unwrap();
            let ours: Vec<f64> = ours.into_iter().map(f64::from).collect();
            assert_eq!(ours.len(), scores.len());
            let scores = ours.iter().zip(&scores).map(error).fold(0.0, f64::max);
            println!("linear SVM, C = {c}: largest error of weights {weights:.2e}, of scores {scores:.2e}");
            // Expected weights have nine decimals; scores are f32.
            assert!(weights <= 2e-9 && scores <= 2e-7, "{weights} {scores}");
        }
    }

    #[test]
    fn default_settings_come_near_the_optimum_and_are_deterministic() {
        let (default, optimum) = (fit(SvmConfig::default()), fit(exact(1.0)));
        assert!(default.converged);
        let pairs = default.weights.iter().zip(&optimum.weights);
        assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) < 1e-3);
        assert_eq!(fit(SvmConfig::default()), default);
        let hasty = SvmConfig {
            max_iterations: 1,
            ..SvmConfig::default()
        };
        assert!(!fit(hasty).converged);
    }

    #[test]
    fn separable_classes_are_separated() {
        let vectors = [0.0, 0.0, 0.5, 0.0, 9.0, 0.0, 9.5, 0.0, 0.0, 9.0, 0.5, 9.5];
        let labels = [0, 0, 1, 1, 3, 3];
        let svm = train(&vectors, 2, &labels, 4, SvmConfig::default());
        // Class 2 has no vectors and never has the highest score.
        for (scores, label) in svm.scores(&vectors).unwrap().chunks_exact(4).zip(labels) {
            assert!(
                (0..4).all(|class| class == label || scores[class] < scores[label]),
                "{scores:?}"
            );
        }
        assert_eq!(svm.scores(&[]), Ok(Vec::new()));
        assert!(svm.scores(&[1.0; 3]).is_err() && svm.scores(&[f32::NAN; 2]).is_err());
    }

    proptest! {
        #[test]
        fn no_step_from_the_solution_lowers_the_cost(
            values in prop::collection::vec((-3.0f32..3.0, -3.0f32..3.0, any::<bool>()), 2..30),
            c in 0.01f64..4.0,
        ) {
            let vectors: Vec<f32> = values.iter().flat_map(|&(x, y, _)| [x, y]).collect();
            let labels: Vec<usize> = values.iter().map(|&(.., label)| usize::from(label)).collect();
            let svm = train(&vectors, 2, &labels, 2, exact(c));
            prop_assert!(svm.converged);
            for (class, weights) in svm.weights.chunks_exact(3).enumerate() {
                let cost = |weights: &[f64]| -> f64 {
                    let hinge = |(vector, &label): (&[f32], &usize)| {
                        let sign = if label == class { 1.0 } else { -1.0 };
                        (1.0 - sign * affine(weights, vector)).max(0.0).powi(2)
                    };
                    let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
                    squares / 2.0 + c * vectors.chunks_exact(2).zip(&labels).map(hinge).sum::<f64>()
                };
                for (at, step) in [(0, 1e-3), (0, -1e-3), (1, 1e-3), (1, -1e-3), (2, 1e-3), (2, -1e-3)] {
                    let mut other = weights.to_vec();
                    other[at] += step;
                    prop_assert!(cost(&other) > cost(weights));
                }
            }
        }
    }
}
