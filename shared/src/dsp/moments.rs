//! Seven summary statistics of a row of values, with the definitions of numpy and scipy.
//!
//! Values are f32. Central moments are computed in f64 and divided by the number of values (numpy's `ddof=0`, scipy's
//! `bias=True`).

use super::extremes::{maximum, minimum};

/// Number of statistics of a row. Their order: mean, standard deviation, skewness, excess kurtosis (Fisher's, 0 for a
/// normal distribution), median, minimum, maximum.
pub const STATISTICS: usize = 7;

/// A standard deviation below this fraction of the mean is a rounding error. `scipy.stats.skew` and `kurtosis` use the
/// same threshold for f32 values.
const RESOLUTION: f64 = f32::EPSILON as f64;

/// Computes the [`STATISTICS`] of a row. `sorting` is working memory, which grows to the length of the longest row.
///
/// Skewness and kurtosis of a constant row are 0 (scipy returns NaN). All statistics of an empty row are 0.
pub fn statistics(row: &[f32], sorting: &mut Vec<f32>) -> [f64; STATISTICS] {
    if row.is_empty() {
        return [0.0; STATISTICS];
    }
    let count = row.len() as f64;
    let [sum] = sums(row, |value| [value]);
    let mean = sum / count;
    let [second, third, fourth] = sums(row, |value| {
        let deviation = value - mean;
        let square = deviation * deviation;
        [square, square * deviation, square * square]
    })
    .map(|sum| sum / count);
    let varies = second > (RESOLUTION * mean).powi(2);
    let (skewness, kurtosis) = if varies {
        (third / (second * second.sqrt()), fourth / (second * second) - 3.0)
    } else {
        (0.0, 0.0)
    };
    [
        mean,
        second.sqrt(),
        skewness,
        kurtosis,
        median(row, sorting),
        minimum(row, f32::INFINITY).into(),
        maximum(row, f32::NEG_INFINITY).into(),
    ]
}

/// Sums `terms(value)` over a row, in lanes so the compiler can vectorize it.
pub(crate) fn sums<const N: usize>(row: &[f32], terms: impl Fn(f64) -> [f64; N]) -> [f64; N] {
    const LANES: usize = 4;
    let mut lanes = [[0.0; LANES]; N];
    let chunks = row.chunks_exact(LANES);
    let remainder = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            let terms = terms(chunk[lane].into());
            for (sums, term) in lanes.iter_mut().zip(terms) {
                sums[lane] += term;
            }
        }
    }
    for (lane, &value) in remainder.iter().enumerate() {
        let terms = terms(value.into());
        for (sums, term) in lanes.iter_mut().zip(terms) {
            sums[lane] += term;
        }
    }
    lanes.map(|lanes| lanes.iter().sum())
}

/// The middle value, or the mean of the two in the middle.
fn median(row: &[f32], sorting: &mut Vec<f32>) -> f64 {
    sorting.clear();
    sorting.extend_from_slice(row);
    let middle = row.len() / 2;
    let (below, &mut upper, _) = sorting.select_nth_unstable_by(middle, f32::total_cmp);
    if row.len() % 2 == 1 {
        return upper.into();
    }
    let lower = below.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (f64::from(lower) + f64::from(upper)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definitions, computed directly.
    fn naive(row: &[f32]) -> [f64; STATISTICS] {
        let mut sorted: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len() as f64;
        let mean = sorted.iter().sum::<f64>() / count;
        let central = |power: i32| sorted.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / count;
        let middle = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
        let std = central(2).sqrt();
        let (skewness, kurtosis) = (central(3) / std.powi(3), central(4) / std.powi(4) - 3.0);
        [
            mean,
            std,
            skewness,
            kurtosis,
            middle,
            sorted[0],
            sorted[sorted.len() - 1],
        ]
    }

    proptest! {
        #[test]
        fn statistics_match_the_definitions_at_every_length(row in prop::collection::vec(-300.0f32..300.0, 2..70)) {
            let (ours, truth) = (statistics(&row, &mut Vec::new()), naive(&row));
            prop_assume!(truth[1] > 0.01);
            for (ours, truth) in ours.iter().zip(truth) {
                prop_assert!((ours - truth).abs() <= 1e-9 * truth.abs().max(1.0), "{ours} {truth}");
            }
        }

        #[test]
        fn constant_row_gives_finite_statistics(value in -1e6f32..1e6, length in 1usize..50) {
            let ours = statistics(&vec![value; length], &mut Vec::new());
            let value = f64::from(value);
            prop_assert_eq!([ours[2], ours[3], ours[4], ours[5], ours[6]], [0.0, 0.0, value, value, value]);
            prop_assert!((ours[0] - value).abs() <= 1e-9 * value.abs() && ours[1] <= 1e-9 * value.abs());
        }
    }

    #[test]
    fn statistics_match_scipy() {
        // scipy.stats of [1, 2, 3, 10].
        let ours = statistics(&[10.0, 1.0, 3.0, 2.0], &mut Vec::new());
        let truth = [
            4.0,
            3.535_533_905_932_737_8,
            1.018_233_764_908_628_4,
            -0.769_6,
            2.5,
            1.0,
            10.0,
        ];
        for (ours, truth) in ours.iter().zip(truth) {
            assert!((ours - truth).abs() < 1e-12, "{ours} {truth}");
        }
        assert_eq!(statistics(&[], &mut Vec::new()), [0.0; STATISTICS]);
    }

    #[test]
    fn variation_below_f32_resolution_counts_as_constant() {
        let row = [-300.0f32, -300.0f32.next_up(), -300.0, -300.0f32.next_down(), -300.0];
        assert_eq!(statistics(&row, &mut Vec::new())[2..4], [0.0, 0.0]);
    }
}
