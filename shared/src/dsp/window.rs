//! Window functions.

use std::f64::consts::{PI, TAU};

/// The periodic Hann window, `0.5 − 0.5 cos(2πt / length)`: `scipy.signal.get_window("hann", length)`.
pub fn hann(length: usize) -> Vec<f32> {
    (0..length)
        .map(|t| (0.5 - 0.5 * (TAU * t as f64 / length as f64).cos()) as f32)
        .collect()
}

/// The periodic Tukey window: flat, except for a fraction `alpha` of its length, half at each end, which is a cosine
/// slope. `scipy.signal.get_window(("tukey", alpha), length)`, `alpha` above 0 and at most 1.
pub fn tukey(length: usize, alpha: f64) -> Vec<f32> {
    let slope = alpha * length as f64 / 2.0;
    (0..length)
        .map(|t| {
            // The window is symmetric about length / 2, because its last sample, which mirrors the first, is left out.
            let from_end = t.min(length - t) as f64;
            if from_end >= slope {
                1.0
            } else {
                (0.5 - 0.5 * (PI * from_end / slope).cos()) as f32
            }
        })
        .collect()
}

/// The Kaiser window of shape `beta` at `position`: 1 at the centre, which is 0, and 0 outside [−1, 1].
pub fn kaiser(position: f64, beta: f64) -> f64 {
    let inside = 1.0 - position * position;
    if inside < 0.0 {
        return 0.0;
    }
    bessel_i0(beta * inside.sqrt()) / bessel_i0(beta)
}

/// Kaiser's `beta` for a stop-band attenuation in dB, above 50 dB: `scipy.signal.kaiser_beta`.
pub fn kaiser_beta(attenuation: f64) -> f64 {
    0.1102 * (attenuation - 8.7)
}

/// The modified Bessel function of the first kind and order 0, by its power series, whose terms are all positive.
fn bessel_i0(x: f64) -> f64 {
    let quarter_square = x * x / 4.0;
    let (mut sum, mut term, mut order) = (1.0, 1.0, 1.0);
    while term > sum * f64::EPSILON {
        term *= quarter_square / (order * order);
        sum += term;
        order += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hann_window_is_periodic() {
        assert_eq!(hann(4), [0.0, 0.5, 1.0, 0.5]);
        assert!(hann(0).is_empty());
        assert_eq!(hann(1), [0.0]);
    }

    #[test]
    fn squared_hann_windows_at_quarter_hops_sum_to_a_constant() {
        // This makes overlap-add with a hop of a quarter of the length invertible: 4 · 3/8.
        let window = hann(2048);
        for t in 0..512 {
            let sum: f32 = (0..4).map(|shift| window[t + 512 * shift].powi(2)).sum();
            assert!((sum - 1.5).abs() < 1e-6, "{t}: {sum}");
        }
    }

    #[test]
    fn tukey_window_matches_scipy() {
        // scipy.signal.get_window(("tukey", 0.5), n) of an even and an odd length.
        let even = [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5];
        let odd = [
            0.0,
            0.413_175_9,
            0.969_846_3,
            1.0,
            1.0,
            1.0,
            1.0,
            0.969_846_3,
            0.413_175_9,
        ];
        for (ours, scipy) in [(tukey(8, 0.5), &even[..]), (tukey(9, 0.5), &odd[..])] {
            assert_eq!(ours.len(), scipy.len());
            for (ours, scipy) in ours.iter().zip(scipy) {
                assert!((ours - scipy).abs() < 1e-7, "{ours} {scipy}");
            }
        }
        // With `alpha` 1 it is the Hann window.
        let worst = tukey(64, 1.0)
            .iter()
            .zip(hann(64))
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst < 1e-7, "{worst}");
    }

    #[test]
    fn kaiser_window_matches_scipy() {
        // scipy.special.i0 and scipy.signal.kaiser_beta.
        let i0 = [
            (0.0, 1.0),
            (0.5, 1.063_483_370_741_323_4),
            (3.0, 4.880_792_585_865_024),
            (10.0, 2_815.716_628_466_254),
        ];
        for (x, truth) in i0 {
            assert!((bessel_i0(x) / truth - 1.0).abs() < 1e-13, "{x}");
        }
        assert!((kaiser_beta(100.0) - 10.061_26).abs() < 1e-9);
        assert_eq!(
            (kaiser(0.0, 10.0), kaiser(1.01, 10.0), kaiser(-2.0, 10.0)),
            (1.0, 0.0, 0.0)
        );
        assert_eq!(kaiser(0.3, 10.0), kaiser(-0.3, 10.0));
    }
}
