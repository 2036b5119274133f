//! Gaussian noise, as audiomentations' `AddGaussianNoise`.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Adds independent normal noise of standard deviation `amplitude` (full scale 1) to every sample.
pub fn add_gaussian(samples: &mut [f32], amplitude: f32, rng: &mut impl Rng) {
    for sample in samples {
        let normal: f32 = StandardNormal.sample(rng);
        *sample += amplitude * normal;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::rng::{Purpose, stream};

    #[test]
    fn noise_has_the_requested_mean_and_standard_deviation() {
        let mut samples = vec![0.25f32; 100_000];
        add_gaussian(&mut samples, 0.01, &mut stream(3, 0, 0, Purpose::NoiseSamples));
        let count = samples.len() as f64;
        let mean = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / count;
        let std = (samples
            .iter()
            .map(|&sample| (f64::from(sample) - mean).powi(2))
            .sum::<f64>()
            / count)
            .sqrt();
        // Standard errors: 3.2e-5 of the mean, 2.2e-5 of the standard deviation.
        assert!(
            (mean - 0.25).abs() < 1.6e-4 && (std - 0.01).abs() < 1.2e-4,
            "{mean} {std}"
        );
    }
}
