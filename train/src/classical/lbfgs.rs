//! Limited-memory BFGS for smooth convex functions: Nocedal and Wright (2006), Algorithm 7.5, with a line search for the
//! Wolfe conditions by bisection.

use std::collections::VecDeque;

/// Steps that approximate the curvature; scipy's default.
const MEMORY: usize = 10;
/// Fractions of the slope in the Wolfe conditions.
const DECREASE: f64 = 1e-4;
const FLATTENING: f64 = 0.9;
/// Trials of a line search. More only change digits that rounding loses.
const MOST_TRIALS: usize = 50;

struct Step {
    change: Vec<f64>,
    gradient_change: Vec<f64>,
    /// Their product, above zero.
    product: f64,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, values: &[f64]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += factor * value);
}

/// Minimises `objective`, which returns its value and fills the gradient. Also returns whether every derivative is at
/// most `tolerance` in the end.
pub(super) fn minimize(
    mut point: Vec<f64>,
    objective: impl Fn(&[f64], &mut [f64]) -> f64,
    tolerance: f64,
    max_iterations: usize,
) -> (Vec<f64>, bool) {
    let mut gradient = vec![0.0; point.len()];
    let mut value = objective(&point, &mut gradient);
    let is_flat = |gradient: &[f64]| gradient.iter().all(|slope| slope.abs() <= tolerance);
    let mut steps: VecDeque<Step> = VecDeque::new();
    for _ in 0..max_iterations {
        if is_flat(&gradient) {
            return (point, true);
        }
        let direction = direction(&gradient, &steps);
        // The first step has no curvature to know its length from.
        let length = if steps.is_empty() {
            1.0 / dot(&gradient, &gradient).sqrt().max(1.0)
        } else {
            1.0
        };
        let Some(next) = line_search(&point, value, &gradient, &direction, length, &objective) else {
            // Rounding errors hide any further decrease.
            break;
        };
        let change: Vec<f64> = next.point.iter().zip(&point).map(|(new, old)| new - old).collect();
        let gradient_change: Vec<f64> = next
            .gradient
            .iter()
            .zip(&gradient)
            .map(|(new, old)| new - old)
            .collect();
        let product = dot(&change, &gradient_change);
        if product > 0.0 {
            if steps.len() == MEMORY {
                steps.pop_front();
            }
            steps.push_back(Step {
                change,
                gradient_change,
                product,
            });
        }
        (point, value, gradient) = (next.point, next.value, next.gradient);
    }
    let flat = is_flat(&gradient);
    (point, flat)
}

/// The approximate inverse curvature times the negative gradient.
fn direction(gradient: &[f64], steps: &VecDeque<Step>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut factors = Vec::with_capacity(steps.len());
    for step in steps.iter().rev() {
        let factor = dot(&step.change, &direction) / step.product;
        add(&mut direction, -factor, &step.gradient_change);
        factors.push(factor);
    }
    if let Some(last) = steps.back() {
        let scale = last.product / dot(&last.gradient_change, &last.gradient_change);
        direction.iter_mut().for_each(|value| *value *= scale);
    }
    for (step, factor) in steps.iter().zip(factors.into_iter().rev()) {
        let correction = factor - dot(&step.gradient_change, &direction) / step.product;
        add(&mut direction, correction, &step.change);
    }
    direction
}

struct Place {
    point: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// A place along the direction where the value is lower and the slope flatter; `None` if none was found.
fn line_search(
    point: &[f64],
    value: f64,
    gradient: &[f64],
    direction: &[f64],
    mut length: f64,
    objective: &impl Fn(&[f64], &mut [f64]) -> f64,
) -> Option<Place> {
    let slope = dot(gradient, direction);
    let (mut low, mut high) = (0.0, f64::INFINITY);
    for _ in 0..MOST_TRIALS {
        let mut next = Place {
            point: point.to_vec(),
            value: 0.0,
            gradient: vec![0.0; point.len()],
        };
        add(&mut next.point, length, direction);
        next.value = objective(&next.point, &mut next.gradient);
        if next.value.is_nan() || next.value > value + DECREASE * length * slope {
            high = length;
        } else if dot(&next.gradient, direction) < FLATTENING * slope {
            low = length;
        } else {
            return Some(next);
        }
        length = if high.is_finite() {
            f64::midpoint(low, high)
        } else {
            2.0 * low
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ill_conditioned_quadratic_is_minimised() {
        let scales = [1.0, 10.0, 1000.0, 0.01];
        let objective = |x: &[f64], gradient: &mut [f64]| {
            let mut value = 0.0;
            for (at, scale) in scales.iter().enumerate() {
                let distance = x[at] - at as f64;
                gradient[at] = scale * distance;
                value += scale * distance * distance / 2.0;
            }
            value
        };
        let (point, converged) = minimize(vec![5.0; 4], objective, 1e-9, 1000);
        assert!(converged, "{point:?}");
        point
            .iter()
            .enumerate()
            .for_each(|(at, x)| assert!((x - at as f64).abs() < 1e-6, "{point:?}"));
        assert!(!minimize(vec![5.0; 4], objective, 1e-9, 1).1);
    }

    #[test]
    fn function_that_falls_without_end_is_reported() {
        let (_, converged) = minimize(
            vec![0.0],
            |x, gradient| {
                gradient[0] = -1.0;
                -x[0]
            },
            1e-6,
            20,
        );
        assert!(!converged);
    }
}
