//! Quantizes float samples (full scale 1) to 16 bits and counts the clipped ones.

use crate::dsp::PCM_FULL_SCALE;

/// Appends `samples` as 16-bit PCM: scaled by 32768, rounded half to even and clipped to 16 bits. Returns the number of
/// clipped samples. NaN becomes 0; the decoder counts those.
pub fn quantize(samples: &[f32], pcm: &mut Vec<i16>) -> u64 {
    // Adding 1.5 * 2^23 leaves no room for a fraction in an f32's 24 bits, so the addition itself rounds, and the low
    // 16 bits of the sum are the integer in two's complement. Unlike f32::round this is one instruction on every
    // machine.
    const ROUNDER: f32 = 12_582_912.0;
    const MIN: f32 = i16::MIN as f32;
    const MAX: f32 = i16::MAX as f32;
    pcm.extend(samples.iter().map(|sample| {
        let scaled = (sample * PCM_FULL_SCALE).clamp(MIN, MAX);
        (scaled + ROUNDER).to_bits() as i16
    }));
    // Up to half a step beyond the last value, a sample still rounds to it.
    let clipped = |sample: &&f32| {
        let scaled = **sample * PCM_FULL_SCALE;
        let (above, below) = (scaled >= MAX + 0.5, scaled < MIN - 0.5);
        above || below
    };
    // Most blocks have no clipped sample, and one pass without branches shows that quickly.
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
    fn values_are_rounded_clipped_and_counted() {
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
        fn quantize_equals_rint_with_saturation(sample in -1.2f32..1.2) {
            let expected = (sample * PCM_FULL_SCALE).round_ties_even();
            let (value, clipped) = one(sample * PCM_FULL_SCALE);
            prop_assert_eq!(value, expected as i16);
            prop_assert_eq!(clipped == 1, expected != f32::from(value));
        }
    }
}
