//! Fractions of train, val and test, and rounding to whole tracks.

use shared::dataset::split::Set;
use std::str::FromStr;

/// Fractions of train, val and test; they sum to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratios([f64; 3]);

impl Ratios {
    pub fn shares(self) -> [f64; 3] {
        self.0
    }

    /// The sets that get tracks, each with its fraction.
    pub(super) fn used(self) -> Vec<(Set, f64)> {
        let sets = Set::ALL.into_iter().zip(self.0);
        sets.filter(|(_, share)| *share > 0.0).collect()
    }
}

impl Default for Ratios {
    fn default() -> Self {
        Self([0.8, 0.1, 0.1])
    }
}

impl FromStr for Ratios {
    type Err = String;

    /// Parses three numbers that sum to 100 or to 1.
    fn from_str(text: &str) -> Result<Self, String> {
        /// Tolerance, because decimal numbers are not exact in binary.
        const ROUNDING: f64 = 1e-9;
        let numbers: Result<Vec<f64>, _> = text.split(',').map(|number| number.trim().parse()).collect();
        let numbers: [f64; 3] = numbers
            .ok()
            .and_then(|numbers| numbers.try_into().ok())
            .ok_or_else(|| format!("`{text}` should be three numbers for train, val and test, such as 80,10,10"))?;
        if numbers.iter().any(|number| !number.is_finite() || *number < 0.0) || numbers[0] == 0.0 {
            return Err(format!(
                "the ratios `{text}` must not be negative, and the first, for train, must be above 0"
            ));
        }
        let sum: f64 = numbers.iter().sum();
        if ![1.0, 100.0].iter().any(|whole| (sum / whole - 1.0).abs() < ROUNDING) {
            return Err(format!(
                "the ratios `{text}` sum to {}; they must sum to 100 or to 1",
                (sum / ROUNDING).round() * ROUNDING
            ));
        }
        Ok(Self(numbers.map(|number| number / sum)))
    }
}

/// Divides `count` tracks by the largest remainder method: each part is rounded down, then the largest remainders get
/// one more. If there are enough tracks, every part gets at least one, even if that is more than its share.
pub(super) fn apportion(count: usize, shares: &[f64]) -> Vec<usize> {
    let exact: Vec<f64> = shares.iter().map(|share| share * count as f64).collect();
    let mut parts: Vec<usize> = exact.iter().map(|&part| round_down(part)).collect();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by(|&a, &b| (exact[b] - parts[b] as f64).total_cmp(&(exact[a] - parts[a] as f64)));
    let remaining = count - parts.iter().sum::<usize>();
    for &part in by_remainder.iter().take(remaining) {
        parts[part] += 1;
    }
    if count >= shares.len() {
        while let Some(empty) = parts.iter().position(|&part| part == 0) {
            let largest = (0..parts.len()).max_by_key(|&part| parts[part]).unwrap_or(empty);
            parts[largest] -= 1;
            parts[empty] += 1;
        }
    }
    parts
}

/// Rounds down, but tolerates rounding errors: 0.1 * 30 counts as 3.
pub(super) fn round_down(exact: f64) -> usize {
    (exact + 1e-9).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ratios(text: &str) -> Ratios {
        text.parse().unwrap()
    }

    #[test]
    fn ratios_sum_to_a_hundred_or_to_one() {
        assert_eq!(ratios("80,10,10"), Ratios::default());
        assert_eq!(ratios("75, 25, 0").shares(), [0.75, 0.25, 0.0]);
        for (text, expected) in [
            ("0.8,0.1,0.1", [0.8, 0.1, 0.1]),
            ("0.7,0.2,0.1", [0.7, 0.2, 0.1]),
            ("33.4,33.3,33.3", [0.334, 0.333, 0.333]),
            ("1,0,0", [1.0, 0.0, 0.0]),
        ] {
            for (share, expected) in ratios(text).shares().into_iter().zip(expected) {
                assert!((share - expected).abs() < 1e-12, "{text}");
            }
        }
    }

    #[test]
    fn ratios_that_sum_to_anything_else_are_refused() {
        for (text, sum) in [
            ("80,10,20", "110"),
            ("3,1,0", "4"),
            ("0.8,0.1,0.2", "1.1"),
            ("80,10,9.9", "99.9"),
        ] {
            let error = text.parse::<Ratios>().unwrap_err();
            assert!(error.contains(&format!("`{text}` sum to {sum};")), "{error}");
        }
        for text in [
            "",
            "80,20",
            "80,10,10,0",
            "80,10,x",
            "80,-10,30",
            "0,50,50",
            "inf,1,1",
            "nan,1,1",
            "1e308,1e308,1",
        ] {
            assert!(text.parse::<Ratios>().is_err(), "{text}");
        }
    }

    #[test]
    fn tracks_are_apportioned_by_largest_remainder_and_no_part_stays_empty() {
        let shares = Ratios::default().shares();
        assert_eq!(apportion(10, &shares), [8, 1, 1]);
        assert_eq!(apportion(8000, &shares), [6400, 800, 800]);
        assert_eq!(apportion(4, &shares), [2, 1, 1]);
        assert_eq!(apportion(2, &shares), [2, 0, 0]);
        assert_eq!(apportion(11, &[0.25; 4]), [3, 3, 3, 2]);
    }

    proptest! {
        #[test]
        fn apportioned_tracks_are_within_one_of_their_share(
            count in 0usize..5000,
            weights in prop::collection::vec(1u32..1000, 1..12),
        ) {
            let sum: u32 = weights.iter().sum();
            let shares: Vec<f64> = weights.iter().map(|&weight| f64::from(weight) / f64::from(sum)).collect();
            let parts = apportion(count, &shares);
            prop_assert_eq!(parts.iter().sum::<usize>(), count);
            let all_filled = shares.iter().all(|share| share * count as f64 >= 1.0);
            for (&part, share) in parts.iter().zip(&shares) {
                prop_assert!(count < shares.len() || part > 0);
                prop_assert!(!all_filled || (part as f64 - share * count as f64).abs() < 1.0 + 1e-9);
            }
        }
    }
}
