//! Estimates a total over all files from a sample of them.

/// A file of the sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampled {
    /// Size of the audio file.
    pub(super) bytes: f64,
    /// The measured value.
    pub(super) value: f64,
}

/// Standard errors on each side of an estimate: Student's t for eight files at 95 %.
const STANDARD_ERRORS: f64 = 2.4;

/// The range of the sum of all values, for a sample drawn from `files` files of `bytes` bytes in total.
///
/// A value may depend on the size of its file, as the length of a song does, or not, as with clips of equal length at
/// different bit rates. So there are two estimates, from the mean value per byte and per file, and the one with the
/// smaller standard error is used.
pub(super) fn total(sample: &[Sampled], files: usize, bytes: f64) -> [f64; 2] {
    let n = sample.len() as f64;
    let sum = |of: fn(&Sampled) -> f64| sample.iter().map(of).sum::<f64>();
    let (values, sampled_bytes) = (sum(|file| file.value), sum(|file| file.bytes));
    if sample.len() < 2 || sampled_bytes <= 0.0 {
        // One file says nothing about the spread.
        let guess = if n > 0.0 { values * files as f64 / n } else { 0.0 };
        return if sample.len() == files {
            [guess; 2]
        } else {
            [0.5 * guess, 2.0 * guess]
        };
    }
    let left_out = 1.0 - (n / files as f64).min(1.0);
    let error = |expected: &dyn Fn(&Sampled) -> f64| {
        let squares: f64 = sample.iter().map(|file| (file.value - expected(file)).powi(2)).sum();
        files as f64 * (squares / (n - 1.0) / n * left_out).sqrt()
    };
    let (per_file, per_byte) = (values / n, values / sampled_bytes);
    let by_file = (per_file * files as f64, error(&|_| per_file));
    let by_byte = (per_byte * bytes, error(&|file| per_byte * file.bytes));
    let (total, error) = if by_byte.1 < by_file.1 { by_byte } else { by_file };
    let least = values.min(total);
    [
        (total - STANDARD_ERRORS * error).max(least),
        total + STANDARD_ERRORS * error,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: impl IntoIterator<Item = (f64, f64)>) -> Vec<Sampled> {
        pairs
            .into_iter()
            .map(|(bytes, value)| Sampled { bytes, value })
            .collect()
    }

    #[test]
    fn complete_sample_gives_the_sum() {
        let all = files([(10.0, 1.0), (30.0, 5.0), (20.0, 3.0)]);
        assert_eq!(total(&all, 3, 60.0), [9.0, 9.0]);
        assert_eq!(total(&all[..1], 1, 10.0), [1.0, 1.0]);
        assert_eq!(total(&[], 0, 0.0), [0.0, 0.0]);
    }

    #[test]
    fn values_that_follow_the_size_are_estimated_by_size() {
        let sample = files((1..=10).map(|size| (f64::from(size), 3.0 * f64::from(size))));
        // The files that are not in the sample are much larger.
        assert_eq!(total(&sample, 100, 2000.0), [6000.0, 6000.0]);
    }

    #[test]
    fn equal_values_are_estimated_by_number() {
        let sample = files((1..=10).map(|size| (f64::from(size), 7.0)));
        assert_eq!(total(&sample, 100, 2000.0), [700.0, 700.0]);
    }

    #[test]
    fn range_covers_the_total_of_almost_all_samples() {
        use rand::RngExt;
        use shared::runtime::rng::{self, Purpose};
        let mut rng = rng::stream(0, 0, 0, Purpose::Crop);
        let all = files((0..2000).map(|_| {
            let size = rng.random_range(1.0..10.0);
            (size, size * rng.random_range(0.5..1.5))
        }));
        let (bytes, sum) = (
            all.iter().map(|file| file.bytes).sum(),
            all.iter().map(|file| file.value).sum::<f64>(),
        );
        let covered = (0..200)
            .filter(|_| {
                let sample: Vec<Sampled> = (0..32).map(|_| all[rng.random_range(0..all.len())]).collect();
                let [low, high] = total(&sample, all.len(), bytes);
                low <= sum && sum <= high && high < 1.5 * low
            })
            .count();
        assert!(covered > 185, "{covered} of 200");
    }
}
