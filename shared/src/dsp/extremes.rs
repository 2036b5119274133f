//! The smallest and the largest of many values.

use pulp::{Arch, Simd, WithSimd};

/// Values that are compared at once. A single running maximum would take the latency of an instruction per value.
const LANES: usize = 32;

/// The largest value, and at least `least`. NaN is ignored.
pub fn maximum(values: &[f32], least: f32) -> f32 {
    Arch::new().dispatch(Extreme {
        values,
        start: least,
        beats: |value, best| value > best,
    })
}

/// The smallest value, and at most `most`. NaN is ignored.
pub fn minimum(values: &[f32], most: f32) -> f32 {
    Arch::new().dispatch(Extreme {
        values,
        start: most,
        beats: |value, best| value < best,
    })
}

struct Extreme<'a, F> {
    values: &'a [f32],
    start: f32,
    beats: F,
}

impl<F: Fn(f32, f32) -> bool> WithSimd for Extreme<'_, F> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        let better = |best: f32, value: f32| if (self.beats)(value, best) { value } else { best };
        let (chunks, rest) = self.values.as_chunks::<LANES>();
        let mut lanes = [self.start; LANES];
        for chunk in chunks {
            for lane in 0..LANES {
                lanes[lane] = better(lanes[lane], chunk[lane]);
            }
        }
        lanes.iter().chain(rest).copied().fold(self.start, better)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn extremes_match_a_fold_at_every_length(values in prop::collection::vec(any::<f32>(), 0..100), start: f32) {
            prop_assume!(!start.is_nan());
            prop_assert_eq!(maximum(&values, start), values.iter().copied().fold(start, f32::max));
            prop_assert_eq!(minimum(&values, start), values.iter().copied().fold(start, f32::min));
        }
    }
}
