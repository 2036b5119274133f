//! Samples of full scale 1 as 16-bit samples, and how many of them did not fit.

use crate::dsp::PCM_FULL_SCALE;

/// Appends `samples` as 16-bit PCM: times 32768, rounded to the nearest, halves to even as IEEE 754 has it, and cut to
/// what 16 bits hold. Returns how many were cut. NaN becomes 0; the decoder counts those.
pub fn quantize(samples: &[f32], pcm: &mut Vec<i16>) -> u64 {
    // Adding 1.5 * 2^23 leaves no room for a fraction in an f32's 24 bits, so the addition itself rounds, and the low 16
    // bits of the sum are the integer in two's complement. Unlike f32::round this is one instruction on every machine.
    const ROUNDER: f32 = 12_582_912.0;
    const LEAST: f32 = i16::MIN as f32;
    const MOST: f32 = i16::MAX as f32;
    pcm.extend(samples.iter().map(|sample| {
        let scaled = (sample * PCM_FULL_SCALE).clamp(LEAST, MOST);
        (scaled + ROUNDER).to_bits() as i16
    }));
    // Half a step beyond the last value still rounds to it.
    let clipped = |sample: &&f32| {
        let scaled = **sample * PCM_FULL_SCALE;
        let (above, below) = (scaled >= MOST + 0.5, scaled < LEAST - 0.5);
        above || below
    };
    // Most blocks hold none, which one pass without branches shows.
    if samples.iter().fold(false, |any, sample| any | clipped(&sample)) {
        samples.iter().filter(clipped).count() as u64
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(scaled: f32) -> (i16, u64) {
        let mut pcm = Vec::new();
        let clipped = quantize(&[scaled / PCM_FULL_SCALE], &mut pcm);
        (pcm[0], clipped)
    }

    #[test]
    fn values_are_rounded_cut_and_counted() {
        for (scaled, expected) in [
            (0.0, (0, 0)),
            (0.5, (0, 0)),
            (1.5, (2, 0)),
            (-0.5, (0, 0)),
            (-2.5, (-2, 0)),
            (32_767.0, (32_767, 0)),
            (32_767.4, (32_767, 0)),
            (32_767.5, (32_767, 1)),
            (32_768.0, (32_767, 1)),
            (-32_768.0, (-32_768, 0)),
            (-32_768.5, (-32_768, 0)),
            (-32_769.0, (-32_768, 1)),
            (f32::INFINITY, (32_767, 1)),
            (f32::NEG_INFINITY, (-32_768, 1)),
            (f32::NAN, (0, 0)),
        ] {
            assert_eq!(one(scaled), expected, "{scaled}");
        }
    }

    proptest! {
        #[test]
        fn it_is_rint_with_saturation(sample in -1.2f32..1.2) {
            let expected = (sample * PCM_FULL_SCALE).round_ties_even();
            let (value, clipped) = one(sample * PCM_FULL_SCALE);
            prop_assert_eq!(value, expected as i16);
            prop_assert_eq!(clipped == 1, expected != f32::from(value));
        }
    }
}
