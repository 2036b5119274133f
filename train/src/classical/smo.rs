//! Sequential minimal optimization of a support vector machine of two classes, with libsvm's second-order choice of the
//! pair: Fan, Chen and Lin (2005), working set selection 2. No shrinking.
//!
//! It minimises `½ αᵀQα - Σα` for `0 ≤ α ≤ C` and `Σ yα = 0`, where `Q = y yᵀ K` and the kernel `K` has a diagonal of 1.

use std::collections::VecDeque;

/// Memory of the cached kernel rows of one problem.
const CACHE_BYTES: usize = 64 << 20;
/// Least curvature of a step, for vectors that are equal. libsvm's value.
const LEAST_CURVATURE: f64 = 1e-12;

/// The decision value of `x` is `Σ coefficient · K(vector, x) + bias`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Solution {
    /// `yα` of each vector; 0 if it is no support vector.
    pub coefficients: Vec<f64>,
    pub bias: f64,
    /// Whether the optimality conditions hold within the tolerance.
    pub converged: bool,
}

/// Computed rows of the kernel; the oldest are dropped.
struct Rows<F> {
    compute: F,
    rows: Vec<Option<Vec<f32>>>,
    order: VecDeque<usize>,
    most: usize,
}

impl<F: Fn(usize, &mut Vec<f32>)> Rows<F> {
    fn new(vectors: usize, compute: F) -> Self {
        Self {
            compute,
            rows: vec![None; vectors],
            order: VecDeque::new(),
            // A step needs two rows at once.
            most: (CACHE_BYTES / (4 * vectors).max(1)).max(2),
        }
    }

    fn ensure(&mut self, row: usize) {
        if self.rows[row].is_some() {
            return;
        }
        let mut values = if self.order.len() < self.most {
            Vec::new()
        } else {
            let oldest = self.order.pop_front().expect("the cache is full");
            self.rows[oldest].take().expect("a listed row is cached")
        };
        values.clear();
        (self.compute)(row, &mut values);
        self.rows[row] = Some(values);
        self.order.push_back(row);
    }

    /// `row` must have been ensured last or last but one.
    fn get(&self, row: usize) -> &[f32] {
        self.rows[row].as_deref().expect("the row was computed")
    }
}

/// Solves the problem with labels `signs`, 1 or -1. `compute_row` fills a vector with a row of the kernel.
pub(super) fn solve(
    signs: &[f64],
    c: f64,
    tolerance: f64,
    max_iterations: usize,
    compute_row: impl Fn(usize, &mut Vec<f32>),
) -> Solution {
    let count = signs.len();
    let mut alphas = vec![0.0f64; count];
    // -y times the gradient of the dual objective, which is -1 at the start.
    let mut slopes = signs.to_vec();
    let mut rows = Rows::new(count, compute_row);
    let can_rise = |alphas: &[f64], at: usize| {
        if signs[at] > 0.0 {
            alphas[at] < c
        } else {
            alphas[at] > 0.0
        }
    };
    let can_fall = |alphas: &[f64], at: usize| {
        if signs[at] > 0.0 {
            alphas[at] > 0.0
        } else {
            alphas[at] < c
        }
    };
    let mut converged = false;
    for _ in 0..max_iterations {
        let (mut first, mut highest) = (None, f64::NEG_INFINITY);
        let mut lowest = f64::INFINITY;
        for (at, &slope) in slopes.iter().enumerate() {
            if slope > highest && can_rise(&alphas, at) {
                (first, highest) = (Some(at), slope);
            }
            if slope < lowest && can_fall(&alphas, at) {
                lowest = slope;
            }
        }
        let Some(first) = first.filter(|_| highest - lowest >= tolerance) else {
            converged = true;
            break;
        };
        rows.ensure(first);
        let row = rows.get(first);
        // The second of the pair lowers the objective most.
        let (mut second, mut gain) = (first, 0.0);
        for (at, &slope) in slopes.iter().enumerate() {
            let difference = highest - slope;
            if difference > 0.0 && can_fall(&alphas, at) {
                let this_gain = difference * difference / curvature(row[at]);
                if this_gain > gain {
                    (second, gain) = (at, this_gain);
                }
            }
        }
        let newton_step = (highest - slopes[second]) / curvature(row[second]);
        rows.ensure(second);
        if rows.rows[first].is_none() {
            rows.ensure(first);
        }
        // One multiplier moves by `step` towards its class, the other away from it, until one is at a bound.
        let room = |at: usize, rises: bool| {
            if rises == (signs[at] > 0.0) {
                c - alphas[at]
            } else {
                alphas[at]
            }
        };
        let (first_room, second_room) = (room(first, true), room(second, false));
        let step = newton_step.min(first_room).min(second_room);
        let bound = |at: usize, rises: bool| if rises == (signs[at] > 0.0) { c } else { 0.0 };
        // Exactly the bound, which a sum may miss by a rounding error.
        alphas[first] = if step == first_room {
            bound(first, true)
        } else {
            alphas[first] + signs[first] * step
        };
        alphas[second] = if step == second_room {
            bound(second, false)
        } else {
            alphas[second] - signs[second] * step
        };
        for ((slope, &a), &b) in slopes.iter_mut().zip(rows.get(first)).zip(rows.get(second)) {
            *slope -= step * (f64::from(a) - f64::from(b));
        }
    }
    Solution {
        bias: bias(&slopes, &alphas, c, |at| can_rise(&alphas, at)),
        coefficients: alphas.iter().zip(signs).map(|(alpha, sign)| alpha * sign).collect(),
        converged,
    }
}

/// Second derivative of the objective along a pair of vectors with this kernel value.
fn curvature(kernel: f32) -> f64 {
    (2.0 - 2.0 * f64::from(kernel)).max(LEAST_CURVATURE)
}

/// The mean slope of the vectors with multipliers between the bounds, or the middle of what the others allow.
fn bias(slopes: &[f64], alphas: &[f64], c: f64, can_rise: impl Fn(usize) -> bool) -> f64 {
    let free = || {
        slopes
            .iter()
            .zip(alphas)
            .filter(|&(_, &alpha)| alpha > 0.0 && alpha < c)
    };
    let count = free().count();
    if count > 0 {
        return free().map(|(slope, _)| slope).sum::<f64>() / count as f64;
    }
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    for (at, &slope) in slopes.iter().enumerate() {
        if can_rise(at) {
            low = low.max(slope);
        } else {
            high = high.min(slope);
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gaussian kernel of points on a line.
    fn kernel(points: &[f32]) -> impl Fn(usize, &mut Vec<f32>) {
        |row, values| values.extend(points.iter().map(|point| (-(point - points[row]).powi(2)).exp()))
    }

    #[test]
    fn two_vectors_have_the_closed_form_solution() {
        let points = [0.0, 1.0];
        let solution = solve(&[1.0, -1.0], 10.0, 1e-9, 100, kernel(&points));
        // Both multipliers are 1 / (1 - K), which is below C.
        let expected = 1.0 / (1.0 - (-1.0f64).exp());
        assert!(solution.converged);
        assert!(
            (solution.coefficients[0] - expected).abs() < 1e-6 && solution.bias.abs() < 1e-6,
            "{solution:?}"
        );
        let bounded = solve(&[1.0, -1.0], 0.5, 1e-9, 100, kernel(&points));
        assert_eq!((bounded.coefficients, bounded.converged), (vec![0.5, -0.5], true));
        assert!(!solve(&[1.0, -1.0], 10.0, 1e-9, 0, kernel(&points)).converged);
    }

    #[test]
    fn dropped_rows_are_computed_again() {
        let points: Vec<f32> = (0..40).map(|at| at as f32 * 0.37).collect();
        let signs: Vec<f64> = (0..40).map(|at| if at % 3 == 0 { 1.0 } else { -1.0 }).collect();
        let expected = solve(&signs, 5.0, 1e-6, 100_000, kernel(&points));
        let mut rows = Rows::new(40, kernel(&points));
        rows.most = 2;
        for row in [3, 7, 9, 3] {
            rows.ensure(row);
            assert_eq!(rows.get(row)[row], 1.0);
            assert!(rows.rows.iter().flatten().count() <= 2);
        }
        assert!(expected.converged && expected.coefficients.iter().sum::<f64>().abs() < 1e-9);
    }
}
