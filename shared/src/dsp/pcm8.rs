//! Samples of 8 bits: the input of a network for small devices.
//!
//! Samples of full scale 1 or of 16 bits become whole numbers from −128 to 127, and values of full scale 1 again.

use super::stft::Sample;

/// A sample of full scale 1 is this many 8-bit steps.
pub const PCM8_FULL_SCALE: f32 = 128.0;

/// `clip(round(128 x), −128, 127)`, halves to even as numpy rounds them; NaN becomes 0. Writes as many as both hold.
pub fn quantize<S: Sample>(samples: &[S], pcm8: &mut [i8]) {
    for (step, sample) in pcm8.iter_mut().zip(samples) {
        // A float that is cut to what the integer holds: `as` saturates and gives 0 for NaN.
        *step = (sample.value() * PCM8_FULL_SCALE).round_ties_even() as i8;
    }
}

/// The values in [−1, 1) that 8-bit samples mean. Writes as many as both hold.
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
    fn values_are_rounded_to_even_and_cut() {
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
        fn sixteen_bits_are_rounded_as_whole_numbers_are(sample in any::<i16>()) {
            // 256 steps of 16 bits are one of 8: the nearest, and of two as near the even one.
            let (below, rest) = (sample.div_euclid(256), sample.rem_euclid(256));
            let up = rest > 128 || (rest == 128 && below % 2 != 0);
            prop_assert_eq!(i16::from(one(sample)), (below + i16::from(up)).min(127));
        }

        #[test]
        fn eight_bits_come_back(steps in prop::collection::vec(any::<i8>(), 0..50)) {
            let mut samples = vec![f32::NAN; steps.len()];
            dequantize(&steps, &mut samples);
            prop_assert!(samples.iter().all(|sample| (-1.0..1.0).contains(sample)));
            let mut again = vec![1; steps.len()];
            quantize(&samples, &mut again);
            prop_assert_eq!(again, steps);
        }
    }
}
