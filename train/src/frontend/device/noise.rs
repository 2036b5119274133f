//! Standard normal noise, computed on the device. Sample `t` of a clip is a function of the clip's key and `t` only.
//!
//! A 32-bit block cipher in counter mode generates the bits: Philox's network (Salmon et al., "Parallel random numbers:
//! as easy as 1, 2, 3", 2011) on two 16-bit halves. Its multiplier has 15 bits, so no product reaches 2³¹. Signed
//! overflow would wrap on one backend, be undefined in CUDA C++ and could panic on a third. Each of the 2 · 8 rounds is
//! five kernels, which pass through memory.
//!
//! The Box-Muller transform makes a normal number of two words. Only the cosine is used: the sine would be the noise of
//! another sample, which would then depend on how samples are paired. The integers are the same on every backend;
//! logarithm and cosine may differ in their last bit.

use super::{positions, upload};
use burn::tensor::{Device, FloatDType, Int, Tensor};
use rand::RngExt;
use shared::runtime::rng::{Purpose, stream};
use std::f64::consts::TAU;

/// With fewer rounds, single bits of the key are visible in the output.
const ROUNDS: usize = 8;
/// Odd, so a round is invertible and no two counters give the same word; below 2^15 to avoid overflow, see above.
const MULTIPLIER: i32 = 0x6d2b;
/// 16-bit words in the key of one cipher.
const KEY_WORDS: usize = 4;

/// The key of a clip's noise: the keys of two ciphers, 16 bits in each number.
pub(super) type NoiseKey = [i32; 2 * KEY_WORDS];

/// Draws the key of a clip from its (seed, epoch, track).
pub(super) fn noise_key([seed, epoch, track]: [u64; 3]) -> NoiseKey {
    let mut rng = stream(seed, epoch, track, Purpose::NoiseSamples);
    std::array::from_fn(|_| i32::from(rng.random::<u16>()))
}

/// Standard normal numbers, `[keys, samples]`.
pub(super) fn standard_normal(keys: &[NoiseKey], samples: usize, device: &Device) -> Tensor<2> {
    // Grouped by word, so each word's slice is contiguous.
    let words: Vec<i32> = (0..2 * KEY_WORDS)
        .flat_map(|word| keys.iter().map(move |key| key[word]))
        .collect();
    let words: Tensor<2, Int> = upload(words, [2 * KEY_WORDS * keys.len(), 1], device);
    let key = |cipher: usize| -> [Tensor<2, Int>; KEY_WORDS] {
        std::array::from_fn(|word| {
            let first = (cipher * KEY_WORDS + word) * keys.len();
            words.clone().narrow(0, first, keys.len())
        })
    };
    let counter = positions(samples, device);
    // In (0, 1]: the logarithm is finite, and the largest noise value is 6.7 standard deviations.
    let radius = uniform(counter.clone(), &key(0)).add_scalar(0.5f64.powi(32));
    let angle = uniform(counter, &key(1));
    radius.log().mul_scalar(-2.0).sqrt() * angle.mul_scalar(TAU).cos()
}

/// The cipher's output as a multiple of 2⁻³¹ in [0, 1). Scaling by a power of two is exact.
fn uniform(counter: Tensor<2, Int>, key: &[Tensor<2, Int>; KEY_WORDS]) -> Tensor<2> {
    let mut low = counter.clone().bitwise_and_scalar(0xffff);
    let mut high = counter.bitwise_right_shift_scalar(16);
    for round in 0..ROUNDS {
        let product = low.mul_scalar(MULTIPLIER);
        low = product
            .clone()
            .bitwise_right_shift_scalar(16)
            .bitwise_xor(high)
            .bitwise_xor(key[round % KEY_WORDS].clone());
        high = product.bitwise_and_scalar(0xffff);
    }
    low.bitwise_right_shift_scalar(1)
        .bitwise_left_shift_scalar(16)
        .bitwise_or(high)
        .cast(FloatDType::F32)
        .mul_scalar(0.5f64.powi(31))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: usize = 1 << 18;

    fn clips(keys: &[NoiseKey], samples: usize) -> Vec<f32> {
        let device = crate::testing::named_device().unwrap_or_else(Device::flex);
        let made = standard_normal(keys, samples, &device);
        made.into_data().try_to_vec().unwrap()
    }

    fn key(track: u64) -> NoiseKey {
        noise_key([3, 1, track])
    }

    /// Correlation in units of the standard error of the mean of `count` products of independent standard normal
    /// numbers.
    fn correlation(a: &[f32], b: &[f32]) -> f64 {
        let products = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
        products.sum::<f64>() / (a.len().min(b.len()) as f64).sqrt()
    }

    #[test]
    fn the_first_four_moments_match_the_normal_distribution() {
        let noise = clips(&[key(10)], SAMPLES);
        let count = SAMPLES as f64;
        let moment = |power| noise.iter().map(|&value| f64::from(value).powi(power)).sum::<f64>() / count;
        // The variances of z, z², z³, z⁴ are 1, 2, 15, 96. The tolerance is four standard errors.
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0f64)] {
            let error = (moment(power) - expected) / (variance / count).sqrt();
            assert!(error.abs() < 4.0, "moment {power}: {error} standard errors");
        }
        let beyond = noise.iter().filter(|value| value.abs() > 3.0).count() as f64;
        let expected = 0.002_699_8 * count;
        assert!(
            (beyond - expected).abs() < 4.0 * expected.sqrt(),
            "{beyond} values beyond three standard deviations"
        );
        assert!(noise.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn neighbouring_samples_and_tracks_are_uncorrelated() {
        let noise = clips(&[key(10), key(11), key(12)], SAMPLES);
        let [a, b, c] = [0, 1, 2].map(|row| &noise[row * SAMPLES..][..SAMPLES]);
        // At lag 2^16 the counter's other half changes.
        for lag in [1, 2, 3, 7, 64, 512, 1024, 1 << 16] {
            let error = correlation(&a[lag..], a);
            assert!(error.abs() < 4.0, "lag {lag}: {error}");
        }
        for (first, second) in [(a, b), (b, c), (a, c)] {
            assert!(correlation(first, second).abs() < 4.0);
            assert!(correlation(&first[1..], second).abs() < 4.0);
        }
    }

    #[test]
    fn keys_that_differ_in_one_bit_give_different_noise() {
        let base = key(10);
        let keys: Vec<NoiseKey> = (0..2 * KEY_WORDS)
            .map(|word| std::array::from_fn(|at| base[at] ^ i32::from(at == word)))
            .collect();
        let samples = 1 << 15;
        let truth = clips(&[base], samples);
        let others = clips(&keys, samples);
        for (word, other) in others.chunks_exact(samples).enumerate() {
            // The first half of the key sets the radius, the second the angle. If only the radius differs, signals
            // correlate.
            let error = correlation(&truth, other);
            assert!(error.abs() < 4.0 || word < KEY_WORDS, "word {word}: {error}");
            let equal = truth.iter().zip(other).filter(|(a, b)| a == b).count();
            assert!(equal < 10, "word {word}: {equal} equal samples");
        }
    }

    #[test]
    fn a_sample_depends_on_its_key_and_index_only() {
        let long = clips(&[key(1), key(2)], 5000);
        let short = clips(&[key(2)], 3000);
        assert_eq!(long[5000..8000], short);
    }

    /// Computes the cipher in 64-bit integers, to check that nothing overflows.
    #[test]
    fn noise_matches_the_cipher_in_64_bit_integers() {
        let key = key(77);
        let ours = clips(&[key], 70_000);
        let uniform = |t: i64, words: &[i32]| {
            let (mut low, mut high) = (t & 0xffff, t >> 16);
            for round in 0..ROUNDS {
                let product = low * i64::from(MULTIPLIER);
                low = (product >> 16) ^ high ^ i64::from(words[round % KEY_WORDS]);
                high = product & 0xffff;
            }
            f64::from(((low >> 1 << 16) | high) as f32) / 2f64.powi(31)
        };
        for (t, value) in ours.iter().enumerate() {
            let radius = (-2.0 * (uniform(t as i64, &key[..4]) + 2f64.powi(-32)).ln())
                .max(0.0)
                .sqrt();
            let truth = radius * (TAU * uniform(t as i64, &key[4..])).cos();
            assert!((f64::from(*value) - truth).abs() < 1e-5, "{t}: {value} {truth}");
        }
    }
}
