//! Stratification of single-label tracks: every class is shuffled and divided separately.
//!
//! A part's share of a class is rarely a whole number of tracks. Rounding each class separately would add up the
//! errors, so all classes are rounded together: each count is rounded up or down, and the sizes of the parts are whole
//! tracks (controlled rounding; Cox, "A Constructive Procedure for Unbiased Controlled Rounding", JASA 1987). Among
//! such tables, one with the fewest missing classes is chosen, and among these, one that is nearest to the shares. This
//! is a transport problem with a convex cost, solved by successive shortest paths.

use super::ratios::{apportion, round_down};
use rand::seq::SliceRandom;
use shared::dataset::manifest::TrackRow;
use shared::runtime::rng::{self, Purpose};
use std::collections::BTreeMap;

/// The part of each row. There are at least as many rows as shares.
pub(super) fn divide(tracks: &[TrackRow], shares: &[f64], seed: u64) -> Vec<usize> {
    let mut classes: BTreeMap<&[String], Vec<usize>> = BTreeMap::new();
    for (at, row) in tracks.iter().enumerate() {
        classes.entry(&row.labels).or_default().push(at);
    }
    let totals: Vec<usize> = classes.values().map(Vec::len).collect();
    let mut rng = rng::stream(seed, 0, 0, Purpose::Split);
    let mut parts = vec![0; tracks.len()];
    for (mut members, counts) in classes.into_values().zip(Table::rounded(&totals, shares).counts) {
        members.shuffle(&mut rng);
        let mut members = members.into_iter();
        for (part, count) in counts.into_iter().enumerate() {
            for member in members.by_ref().take(count) {
                parts[member] = part;
            }
        }
    }
    parts
}

/// `[classes, parts]`: exact and rounded numbers of tracks.
struct Table {
    exact: Vec<Vec<f64>>,
    counts: Vec<Vec<usize>>,
}

impl Table {
    fn rounded(totals: &[usize], shares: &[f64]) -> Self {
        let mut table = Self {
            exact: Vec::new(),
            counts: Vec::new(),
        };
        let mut owed = vec![0.0; shares.len()];
        for &total in totals {
            table.add_class(total, shares, &mut owed);
        }
        let sizes = apportion(totals.iter().sum(), shares);
        while table.move_one_track(&sizes) {}
        table
    }

    /// Rounds one class. Ties go to the part that lost most by the rounding of earlier classes.
    fn add_class(&mut self, total: usize, shares: &[f64], owed: &mut [f64]) {
        let exact: Vec<f64> = shares.iter().map(|share| share * total as f64).collect();
        let mut counts: Vec<usize> = exact.iter().map(|&exact| round_down(exact)).collect();
        for _ in counts.iter().sum()..total {
            let gain = |part: usize| cost(counts[part], exact[part]) - cost(counts[part] + 1, exact[part]);
            let best = (0..shares.len()).map(gain).fold(f64::NEG_INFINITY, f64::max);
            let equal = (0..shares.len()).filter(|&part| gain(part) >= best - 1e-9);
            let part = equal.max_by(|&a, &b| owed[a].total_cmp(&owed[b]).then(b.cmp(&a)));
            counts[part.unwrap_or(0)] += 1;
        }
        for ((owed, exact), &count) in owed.iter_mut().zip(&exact).zip(&counts) {
            *owed += exact - count as f64;
        }
        self.exact.push(exact);
        self.counts.push(counts);
    }

    /// Moves a track from a part that is too large to one that is too small, possibly through other parts, at the
    /// lowest cost. Returns whether there were such parts.
    fn move_one_track(&mut self, sizes: &[usize]) -> bool {
        let parts = sizes.len();
        let size = |part: usize| self.counts.iter().map(|counts| counts[part]).sum::<usize>();
        let mut distance: Vec<f64> = (0..parts)
            .map(|part| if size(part) > sizes[part] { 0.0 } else { f64::INFINITY })
            .collect();
        let small: Vec<usize> = (0..parts).filter(|&part| size(part) < sizes[part]).collect();
        let mut steps: Vec<Option<Step>> = vec![None; parts];
        let cheapest: Vec<Step> = (0..parts)
            .flat_map(|from| (0..parts).map(move |to| (from, to)))
            .filter(|(from, to)| from != to)
            .filter_map(|(from, to)| self.cheapest_step(from, to))
            .collect();
        // The Bellman-Ford algorithm.
        for _ in 1..parts {
            for step in &cheapest {
                if distance[step.from] + step.cost < distance[step.to] - 1e-9 {
                    distance[step.to] = distance[step.from] + step.cost;
                    steps[step.to] = Some(*step);
                }
            }
        }
        let nearest = small.into_iter().min_by(|&a, &b| distance[a].total_cmp(&distance[b]));
        let Some(mut part) = nearest.filter(|&part| distance[part].is_finite()) else {
            return false;
        };
        while let Some(step) = steps[part].take() {
            self.counts[step.class][step.from] -= 1;
            self.counts[step.class][step.to] += 1;
            part = step.from;
        }
        true
    }

    /// The class whose track moves from `from` to `to` at the lowest cost.
    fn cheapest_step(&self, from: usize, to: usize) -> Option<Step> {
        let movable = (0..self.counts.len()).filter(|&class| self.counts[class][from] > 0);
        let steps = movable.map(|class| {
            let (counts, exact) = (&self.counts[class], &self.exact[class]);
            let taken = cost(counts[from] - 1, exact[from]) - cost(counts[from], exact[from]);
            let given = cost(counts[to] + 1, exact[to]) - cost(counts[to], exact[to]);
            Step {
                class,
                from,
                to,
                cost: taken + given,
            }
        });
        steps.min_by(|a, b| a.cost.total_cmp(&b.cost))
    }
}

/// A move of one track of a class from one part to another.
#[derive(Clone, Copy, Debug)]
struct Step {
    class: usize,
    from: usize,
    to: usize,
    cost: f64,
}

/// The cost of a rounded count: highest if it is not `exact` rounded up or down, then if it is 0 (the class is
/// missing), then by its squared distance to `exact`. It is convex, as shortest paths require.
fn cost(count: usize, exact: f64) -> f64 {
    const NOT_A_NEIGHBOUR: f64 = 1e6;
    const MISSING: f64 = 1e3;
    let below = round_down(exact);
    let above = below + usize::from(exact - below as f64 > 1e-9);
    let beyond = below.saturating_sub(count) + count.saturating_sub(above);
    let distance = count as f64 - exact;
    NOT_A_NEIGHBOUR * beyond as f64 + if count == 0 { MISSING } else { 0.0 } + distance * distance
}

#[cfg(test)]
mod tests {
    use super::super::testing::row;
    use super::*;
    use proptest::prelude::*;

    const SHARES: [f64; 3] = [0.8, 0.1, 0.1];

    fn sizes(counts: &[Vec<usize>]) -> Vec<usize> {
        (0..counts[0].len())
            .map(|part| counts.iter().map(|counts| counts[part]).sum())
            .collect()
    }

    #[test]
    fn remainders_are_carried_over_from_class_to_class() {
        // Rounded separately, each class would be 12, 2 and 1, so the sizes would be 96, 16 and 8.
        let counts = Table::rounded(&[15; 8], &SHARES).counts;
        assert_eq!(sizes(&counts), [96, 12, 12]);
        for counts in counts {
            assert!(counts[0] == 12 && counts[1] >= 1 && counts[2] >= 1, "{counts:?}");
        }
    }

    #[test]
    fn class_is_missing_only_if_the_sizes_require_it() {
        // Val and test have 9 tracks each, so each of them lacks one of the ten classes.
        let counts = Table::rounded(&[9; 10], &SHARES).counts;
        assert_eq!(sizes(&counts), [72, 9, 9]);
        let left_out = |part: usize| counts.iter().filter(|counts| counts[part] == 0).count();
        assert_eq!((left_out(0), left_out(1), left_out(2)), (0, 1, 1));
        // 0.4 tracks would be rounded to 0, but the large class makes room for 1.
        let counts = Table::rounded(&[4, 4, 92], &SHARES).counts;
        assert_eq!(sizes(&counts), [80, 10, 10]);
        assert_eq!((counts[0][0], counts[1][0]), (3, 3));
    }

    #[test]
    fn seed_decides_which_tracks_of_a_class_go_where() {
        let tracks: Vec<_> = (0..300)
            .map(|id| row(id, ["Folk", "Pop", "Rock"][id as usize % 3]))
            .collect();
        let parts = divide(&tracks, &SHARES, 3);
        for class in 0..3 {
            let own: Vec<usize> = parts.iter().skip(class).step_by(3).copied().collect();
            let count = |part| own.iter().filter(|own| **own == part).count();
            assert_eq!([count(0), count(1), count(2)], [80, 10, 10]);
        }
        assert_eq!(divide(&tracks, &SHARES, 3), parts);
        assert_ne!(divide(&tracks, &SHARES, 4), parts);
    }

    proptest! {
        #[test]
        fn sizes_and_classes_are_within_one_track_of_their_shares(
            totals in prop::collection::vec(1usize..60, 1..40),
            weights in prop::collection::vec(1u32..40, 2..8),
        ) {
            let sum: u32 = weights.iter().sum();
            let shares: Vec<f64> = weights.iter().map(|&weight| f64::from(weight) / f64::from(sum)).collect();
            let all: usize = totals.iter().sum();
            // A part that gets its only track may be further from its target.
            prop_assume!(shares.iter().all(|share| share * all as f64 >= 1.0));
            let counts = Table::rounded(&totals, &shares).counts;
            for (size, share) in sizes(&counts).into_iter().zip(&shares) {
                prop_assert!((size as f64 - share * all as f64).abs() < 1.0 + 1e-9);
            }
            for (counts, &total) in counts.iter().zip(&totals) {
                prop_assert_eq!(counts.iter().sum::<usize>(), total);
                for (&count, share) in counts.iter().zip(&shares) {
                    prop_assert!((count as f64 - share * total as f64).abs() < 1.0 + 1e-9);
                }
            }
        }
    }
}
