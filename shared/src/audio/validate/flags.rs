//! Flags for oddities of a track that do not reject it, computed from its samples.

use super::config::Decoding;
use crate::dataset::manifest::Flag;

/// The highest absolute value among 16-bit samples, at most 32768.
pub fn peak(samples: &[i16]) -> u16 {
    let range = samples.iter().fold((0, 0), |(min, max): (i16, i16), &sample| {
        (min.min(sample), max.max(sample))
    });
    range.0.unsigned_abs().max(range.1.unsigned_abs())
}

/// Flags a track whose channels cancel, whose samples are constant, or of which more than 1 % of the samples are
/// clipped.
pub fn flags(decoding: &Decoding, samples: &[i16], clipped: u64) -> Vec<Flag> {
    let is_clipped = clipped.saturating_mul(100) > samples.len() as u64;
    [
        (decoding.channels_cancel, Flag::CancellingChannels),
        (is_constant(samples), Flag::Constant),
        (is_clipped, Flag::Clipped),
    ]
    .into_iter()
    .filter_map(|(is_so, flag)| is_so.then_some(flag))
    .collect()
}

/// Whether 99 % of the samples are within two steps of the middle one, which is not silent: a constant voltage, with
/// dither noise and the ringing of the resampler at both ends.
fn is_constant(samples: &[i16]) -> bool {
    const STEPS: i16 = 2;
    let value = samples.get(samples.len() / 2).copied().unwrap_or(0);
    let range = value.saturating_sub(STEPS)..=value.saturating_add(STEPS);
    if range.contains(&0) {
        return false;
    }
    // Branch-free, with a 16-bit counter per block and without overflow checks, so the compiler vectorises it.
    let count = |count: u16, &sample: &i16| {
        let (below, above) = (sample < *range.start(), sample > *range.end());
        count.wrapping_add(u16::from(below | above))
    };
    let others: usize = samples
        .chunks(1 << 14)
        .map(|block| usize::from(block.iter().fold(0, count)))
        .sum();
    others * 100 <= samples.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_is_the_highest_absolute_value() {
        assert_eq!(peak(&[]), 0);
        assert_eq!(peak(&[3, -7, 2]), 7);
        assert_eq!(peak(&[5, i16::MIN, 5]), 32_768);
    }

    #[test]
    fn constant_and_clipped_flags_have_a_threshold_of_one_percent() {
        let tone = |at: usize| (9000.0 * (at as f64 / 20.0).sin()) as i16;
        let with_constant = |constant: usize, value: i16| -> Vec<i16> {
            let sample = |at: usize| {
                if at < constant {
                    value + (at % 3) as i16
                } else {
                    tone(at)
                }
            };
            // The constant part is in the middle.
            let mut samples: Vec<i16> = (0..100_000).map(sample).collect();
            samples.rotate_right((100_000 - constant) / 2);
            samples
        };
        let flagged = |samples: &[i16], clipped| flags(&Decoding::undamaged(), samples, clipped);
        assert_eq!(flagged(&with_constant(99_100, 5000), 0), [Flag::Constant]);
        assert_eq!(flagged(&with_constant(99_100, -3000), 0), [Flag::Constant]);
        assert_eq!(flagged(&with_constant(99_100, 0), 0), []);
        assert_eq!(flagged(&with_constant(98_000, 5000), 0), []);
        assert_eq!(flagged(&[i16::MIN; 3], 3), [Flag::Constant, Flag::Clipped]);
        let music = with_constant(0, 0);
        assert_eq!(flagged(&music, 1000), []);
        assert_eq!(flagged(&music, 1001), [Flag::Clipped]);
        let cancelling = Decoding {
            channels_cancel: true,
            ..Decoding::undamaged()
        };
        assert_eq!(flags(&cancelling, &music, 0), [Flag::CancellingChannels]);
        assert_eq!(flags(&Decoding::undamaged(), &[], 0), []);
    }
}
