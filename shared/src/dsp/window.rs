//! Window functions.

use std::f64::consts::TAU;

/// The periodic Hann window, `0.5 − 0.5 cos(2πt / length)`: `scipy.signal.get_window("hann", length)`.
pub fn hann(length: usize) -> Vec<f32> {
    (0..length)
        .map(|t| (0.5 - 0.5 * (TAU * t as f64 / length as f64).cos()) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_periodic_and_not_symmetric() {
        assert_eq!(hann(4), [0.0, 0.5, 1.0, 0.5]);
        assert!(hann(0).is_empty());
        assert_eq!(hann(1), [0.0]);
    }

    #[test]
    fn its_shifted_squares_sum_to_a_constant() {
        // What makes overlap-add at a quarter of the length invertible: 4 · 3/8.
        let window = hann(2048);
        for t in 0..512 {
            let sum: f32 = (0..4).map(|shift| window[t + 512 * shift].powi(2)).sum();
            assert!((sum - 1.5).abs() < 1e-6, "{t}: {sum}");
        }
    }
}
