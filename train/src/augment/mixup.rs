//! Draws how much of a mixed clip is the clip itself (mixup, Zhang et al. 2018).

use rand_distr::{Beta, Distribution};
use shared::runtime::rng::{Purpose, stream};

/// The fraction of the clip itself in a mixed clip, from 0.5 to 1: the larger of `lambda` and `1 - lambda`, where
/// `lambda` is drawn from Beta(alpha, alpha). The rest is another clip, so a clip's own label always dominates. `key` is
/// that of the clip's [`ClipPlan`](super::ClipPlan).
///
/// # Panics
/// Panics if `alpha` is not above 0.
pub fn mixup_lambda(alpha: f64, [seed, epoch, track]: [u64; 3]) -> f32 {
    let beta = Beta::new(alpha, alpha).expect("mixup's alpha is above 0");
    let lambda = beta.sample(&mut stream(seed, epoch, track, Purpose::Mixup));
    // For an alpha near the smallest number, `lambda` is 0, 1 or NaN.
    if lambda.is_nan() {
        return 1.0;
    }
    lambda.max(1.0 - lambda) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_have_the_variance_of_the_beta_distribution() {
        for alpha in [0.2, 1.0, 8.0] {
            let lambdas: Vec<f64> = (0..20_000)
                .map(|track| f64::from(mixup_lambda(alpha, [1, 0, track])))
                .collect();
            assert!(lambdas.iter().all(|lambda| (0.5..=1.0).contains(lambda)));
            // The distribution is symmetric, so the larger of lambda and 1 - lambda has the same squared distance from
            // 0.5. Its mean is the variance of Beta(a, a), 1 / (4 (2 a + 1)), with a standard error below 0.0007.
            let squares = lambdas.iter().map(|lambda| (lambda - 0.5).powi(2)).sum::<f64>() / 20_000.0;
            let variance = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!(
                (squares - variance).abs() < 0.003,
                "alpha {alpha}: {squares} {variance}"
            );
        }
    }

    #[test]
    fn any_allowed_alpha_gives_a_fraction() {
        for alpha in [5e-324, 1e-300, 1e-9, 100.0] {
            for track in 0..200 {
                let lambda = mixup_lambda(alpha, [3, 1, track]);
                assert!((0.5..=1.0).contains(&lambda), "alpha {alpha}: {lambda}");
            }
        }
    }

    #[test]
    fn lambda_depends_on_seed_epoch_and_track() {
        let lambda = |key| mixup_lambda(1.0, key);
        assert_eq!(lambda([1, 2, 3]), lambda([1, 2, 3]));
        for other in [[0, 2, 3], [1, 0, 3], [1, 2, 0]] {
            assert_ne!(lambda(other), lambda([1, 2, 3]));
        }
    }
}
