//! Quantization to 8 bits: the input of a network for small devices.
//!
//! Samples of full scale 1 or of 16 bits become integers from −128 to 127; [`dequantize`] converts these to full scale
//! 1.

use super::stft::Sample;

/// Number of 8-bit steps in full scale 1.
pub const PCM8_FULL_SCALE: f32 = 128.0;

/// `clip(round(128 x), −128, 127)`. Halves are rounded to even, as in numpy; NaN becomes 0. Stops at the end of the
/// shorter slice.
pub fn quantize<S: Sample>(samples: &[S], pcm8: &mut [i8]) {
    for (step, sample) in pcm8.iter_mut().zip(samples) {
        // `as` saturates and converts NaN to 0.
        *step = (sample.value() * PCM8_FULL_SCALE).round_ties_even() as i8;
    }
}

/// Converts 8-bit samples to values in [−1, 1). Stops at the end of the shorter slice.
pub fn dequantize(pcm8: &[i8], samples: &mut [f32]) {
    for (sample, &step) in samples.iter_mut().zip(pcm8) {
        *sample = f32::from(step) / PCM8_FULL_SCALE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one<S: Sample>(sample: S) -> i8 {
        let mut step = [1];
        quantize(&[sample], &mut step);
        step[0]
    }

    #[test]
    fn values_are_rounded_half_to_even_and_clipped() {
        for (steps, expected) in [
            (0.0, 0),
            (0.5, 0),
            (1.5, 2),
            (-0.5, 0),
            (-2.5, -2),
            (126.5, 126),
            (127.0, 127),
            (127.5, 127),
            (128.0, 127),
            (-128.0, -128),
            (-128.5, -128),
            (-1000.0, -128),
            (f32::INFINITY, 127),
            (f32::NEG_INFINITY, -128),
            (f32::NAN, 0),
        ] {
            assert_eq!(one(steps / PCM8_FULL_SCALE), expected, "{steps}");
        }
    }

    proptest! {
        #[test]
        fn sixteen_bit_samples_are_rounded_half_to_even(sample in any::<i16>()) {
            // One 8-bit step is 256 16-bit steps: rounded to the nearest, ties to even.
            let (below, rest) = (sample.div_euclid(256), sample.rem_euclid(256));
            let up = rest > 128 || (rest == 128 && below % 2 != 0);
            prop_assert_eq!(i16::from(one(sample)), (below + i16::from(up)).min(127));
        }

        #[test]
        fn eight_bit_samples_round_trip(steps in prop::collection::vec(any::<i8>(), 0..50)) {
            let mut samples = vec![f32::NAN; steps.len()];
            dequantize(&steps, &mut samples);
            prop_assert!(samples.iter().all(|sample| (-1.0..1.0).contains(sample)));
            let mut again = vec![1; steps.len()];
            quantize(&samples, &mut again);
            prop_assert_eq!(again, steps);
        }
    }
}
