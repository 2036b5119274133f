//! Draws the masks of SpecAugment (Park et al. 2019): rows and columns of a spectrogram that are hidden from the model.

use rand::{Rng, RngExt};
use std::ops::Range;

/// The largest mask is one over this of the rows or columns. PANNs (Kong et al. 2020) mask up to 8 of 64 bands and 64 of
/// 1,001 frames.
const ROWS: usize = 8;
const COLUMNS: usize = 16;

/// The masks of one clip. Independent of the spectrogram's shape. The default masks nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpecAugmentPlan {
    rows: [Mask; 2],
    columns: [Mask; 2],
}

/// Two fractions in [0, 1).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mask {
    /// Of the possible widths.
    width: f64,
    /// Of the possible positions.
    begin: f64,
}

impl SpecAugmentPlan {
    /// Draws two masks of rows and two of columns.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let mut masks = || [(); 2].map(|()| Mask::draw(rng));
        Self {
            rows: masks(),
            columns: masks(),
        }
    }

    /// The masked rows of a spectrogram with `rows` rows. Ranges can be empty or overlap.
    pub fn rows(&self, rows: usize) -> [Range<usize>; 2] {
        self.rows.map(|mask| mask.range(rows, rows / ROWS))
    }

    /// The masked columns of a spectrogram with `columns` columns.
    pub fn columns(&self, columns: usize) -> [Range<usize>; 2] {
        self.columns.map(|mask| mask.range(columns, columns / COLUMNS))
    }
}

impl Mask {
    fn draw(rng: &mut impl Rng) -> Self {
        Self {
            width: rng.random(),
            begin: rng.random(),
        }
    }

    /// A width from 0 to `widest`, then a position where it fits. Both are uniform.
    fn range(self, length: usize, widest: usize) -> Range<usize> {
        let uniform = |fraction: f64, largest: usize| ((fraction * (largest + 1) as f64) as usize).min(largest);
        let width = uniform(self.width, widest);
        let begin = uniform(self.begin, length - width);
        begin..begin + width
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::runtime::rng::{Purpose, stream};

    #[test]
    fn widths_and_positions_are_uniform_over_their_ranges() {
        let mut rng = stream(1, 0, 0, Purpose::SpecAugment);
        let plans: Vec<SpecAugmentPlan> = (0..4000).map(|_| SpecAugmentPlan::draw(&mut rng)).collect();
        for (get, length, widest) in [
            (
                SpecAugmentPlan::rows as fn(&SpecAugmentPlan, usize) -> [Range<usize>; 2],
                128,
                16,
            ),
            (SpecAugmentPlan::columns, 512, 32),
        ] {
            for which in 0..2 {
                let ranges: Vec<_> = plans.iter().map(|plan| get(plan, length)[which].clone()).collect();
                let mut counts = vec![0u32; widest + 1];
                ranges.iter().for_each(|range| counts[range.len()] += 1);
                // Each width has an expected count of at least 121, with a standard deviation below 16.
                let expected = 4000.0 / (widest + 1) as f64;
                assert!(
                    counts
                        .iter()
                        .all(|&count| (f64::from(count) - expected).abs() < 5.0 * expected.sqrt())
                );
                assert!(ranges.iter().all(|range| range.end <= length));
                let relative = |range: &Range<usize>| range.start as f64 / (length - range.len()) as f64;
                let mean = ranges.iter().map(relative).sum::<f64>() / 4000.0;
                // The standard deviation of this mean is 0.0046.
                assert!((mean - 0.5).abs() < 0.02, "{mean}");
                assert!(ranges.iter().any(|range| range.start == 0) && ranges.iter().any(|range| range.end == length));
            }
        }
    }

    #[test]
    fn small_spectrograms_are_not_masked() {
        let mut rng = stream(1, 0, 0, Purpose::SpecAugment);
        for _ in 0..100 {
            let plan = SpecAugmentPlan::draw(&mut rng);
            assert!(plan.rows(7).iter().chain(&plan.columns(15)).all(Range::is_empty));
            assert!(plan.rows(0).iter().all(Range::is_empty));
        }
        assert!(SpecAugmentPlan::default().rows(128).iter().all(Range::is_empty));
    }
}
