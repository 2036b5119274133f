//! The distribution of some numbers: minimum, median, mean, maximum and a histogram.

use serde::Serialize;
use shared::page::round_step;

/// Target for the number of bars of a histogram; round edges may need a few more.
const BARS: usize = 24;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Distribution {
    pub count: usize,
    pub min: f64,
    pub median: f64,
    pub mean: f64,
    pub max: f64,
    /// `counts.len() + 1` edges of equally wide bars, at round numbers. A bar includes its lower edge; the last
    /// includes both.
    pub edges: Vec<f64>,
    pub counts: Vec<usize>,
}

impl Distribution {
    /// All values must be finite. `None` if there are none.
    pub fn from_values(mut values: Vec<f64>) -> Option<Self> {
        debug_assert!(values.iter().all(|value| value.is_finite()));
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        // If all values are equal, rounding could make the mean differ from them.
        let mean = (values.iter().sum::<f64>() / values.len() as f64).clamp(min, max);
        let edges = round_edges(min, max);
        let mut counts = vec![0; edges.len() - 1];
        for value in &values {
            let above = edges.partition_point(|edge| edge <= value);
            counts[above.saturating_sub(1).min(edges.len() - 2)] += 1;
        }
        Some(Self {
            count: values.len(),
            min,
            median,
            mean,
            max,
            edges,
            counts,
        })
    }

    /// The histogram as a line of text: one block per bar, as high as its fraction of the highest. Only empty bars are
    /// blank.
    pub fn line(&self) -> String {
        const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let highest = self.counts.iter().copied().max().unwrap_or(0).max(1);
        let block = |&count: &usize| match count {
            0 => ' ',
            _ => BLOCKS[(count * BLOCKS.len()).div_ceil(highest) - 1],
        };
        self.counts.iter().map(block).collect()
    }
}

/// Edges around `min` and `max`, a round step apart.
fn round_edges(min: f64, max: f64) -> Vec<f64> {
    // Smaller differences are rounding errors.
    let least = (min.abs().max(max.abs()) * 1e-9).max(1e-9);
    let step = round_step((max - min).max(least), BARS);
    let first = (min / step).floor();
    let bars = ((max / step).floor() - first) as usize + 1;
    // Multiples of steps such as 0.005 have rounding errors; a division by a power of ten removes them.
    let decimals = (1.0 - step.log10().floor()).clamp(0.0, 12.0) as i32;
    let round = |edge: f64| (edge * 10f64.powi(decimals)).round() / 10f64.powi(decimals);
    (0..=bars).map(|at| round((first + at as f64) * step)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn minimum_median_mean_and_maximum_are_computed() {
        let distribution = Distribution::from_values(vec![4.0, 1.0, 2.0, 9.0]).unwrap();
        assert_eq!(
            (
                distribution.min,
                distribution.median,
                distribution.mean,
                distribution.max
            ),
            (1.0, 3.0, 4.0, 9.0)
        );
        assert_eq!(Distribution::from_values(vec![3.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(Distribution::from_values(Vec::new()), None);
    }

    #[test]
    fn histogram_line_has_blocks_as_high_as_its_counts() {
        let mut distribution = Distribution::from_values(vec![0.0]).unwrap();
        assert_eq!(distribution.line(), "█");
        distribution.counts = vec![1, 0, 500, 1000];
        assert_eq!(distribution.line(), "▁ ▄█");
    }

    proptest! {
        #[test]
        fn every_value_is_counted_in_its_bar(values in prop::collection::vec(-1e6f64..1e6, 1..60)) {
            let distribution = Distribution::from_values(values.clone()).unwrap();
            prop_assert_eq!(distribution.counts.iter().sum::<usize>(), values.len());
            let edges = &distribution.edges;
            prop_assert!(edges[0] <= distribution.min && distribution.max <= edges[edges.len() - 1]);
            prop_assert!(edges.len() <= 2 * BARS + 2);
            for (at, count) in distribution.counts.iter().enumerate() {
                let last = at + 2 == edges.len();
                let inside = |value: &&f64| edges[at] <= **value && (**value < edges[at + 1] || last);
                prop_assert_eq!(values.iter().filter(inside).count(), *count);
            }
            prop_assert!(distribution.min <= distribution.median && distribution.median <= distribution.max);
            prop_assert!(distribution.min <= distribution.mean && distribution.mean <= distribution.max);
        }

        #[test]
        fn equal_values_have_one_bar(value in -1e6f64..1e6, count in 1usize..9) {
            let distribution = Distribution::from_values(vec![value; count]).unwrap();
            prop_assert_eq!(distribution.counts, vec![count]);
        }
    }
}
