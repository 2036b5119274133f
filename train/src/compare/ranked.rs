//! Two taggers' rankings of the same tracks, merged so that exchanging ranks between them needs no sorting.

use super::outcomes::{Pair, TagOutcomes, Walk, mean_of_defined};

/// Per tag the entries of both, by falling rank.
pub struct RankedPair {
    tags: Vec<Vec<Entry>>,
}

/// A track as one of the two ranks it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    track: u32,
    has_tag: bool,
    /// Whether the second ranks it so.
    second: bool,
    /// Whether the next entry has a lower rank.
    last: bool,
}

impl RankedPair {
    /// Of two single networks on the same tracks.
    pub fn new(first: &TagOutcomes, second: &TagOutcomes) -> Self {
        let tags = first.tags;
        let column =
            |scores: &[f32], tag: usize| -> Vec<f32> { scores.iter().skip(tag).step_by(tags).copied().collect() };
        let of_tag = |tag: usize| {
            let ranks = [first, second].map(|side| middle_ranks(&column(&side.scores[0], tag)));
            let mut entries = Vec::new();
            for (ranks, second) in ranks.iter().zip([false, true]) {
                let ranked = ranks.iter().enumerate().map(|(track, &rank)| {
                    let has_tag = first.truth[track * tags + tag];
                    let entry = Entry {
                        track: track as u32,
                        has_tag,
                        second,
                        last: false,
                    };
                    (rank, entry)
                });
                entries.extend(ranked);
            }
            entries.sort_by_key(|&(rank, _)| std::cmp::Reverse(rank));
            let last = |at: usize| entries.get(at + 1).is_none_or(|next| next.0 != entries[at].0);
            let mark = |(at, &(_, entry)): (usize, &(u64, Entry))| Entry {
                last: last(at),
                ..entry
            };
            entries.iter().enumerate().map(mark).collect()
        };
        Self {
            tags: (0..tags).map(of_tag).collect(),
        }
    }

    /// Mean AUC-ROC and AUC-PR of the second less those of the first, where the ranks of flipped tracks have changed sides.
    pub fn difference(&self, flips: &[bool]) -> Pair {
        let sides = self.tags.iter().map(|entries| {
            let mut walks = [Walk::default(); 2];
            for entry in entries {
                let side = entry.second != flips[entry.track as usize];
                walks[usize::from(side)].count(entry.has_tag, 1);
                if entry.last {
                    walks.iter_mut().for_each(Walk::close_score);
                }
            }
            walks.map(|walk| walk.areas())
        });
        let (first, second): (Vec<_>, Vec<_>) = sides.map(|[first, second]| (first, second)).unzip();
        let (first, second) = (mean_of_defined(first.into_iter()), mean_of_defined(second.into_iter()));
        [second[0] - first[0], second[1] - first[1]]
    }
}

/// Twice the rank of each score, counted from the lowest; equal scores share the mean of their ranks:
/// `scipy.stats.rankdata`.
fn middle_ranks(scores: &[f32]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut ranks, mut before) = (vec![0; scores.len()], 0);
    for equal in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let twice_middle = (2 * before + equal.len() + 1) as u64;
        equal.iter().for_each(|&at| ranks[at] = twice_middle);
        before += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::super::outcomes::Outcomes;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_are_scipys() {
        // scipy.stats.rankdata([0.5, 0.1, 0.5, 0.9]) is [2.5, 1, 2.5, 4].
        assert_eq!(middle_ranks(&[0.5, 0.1, 0.5, 0.9]), [5, 2, 5, 8]);
    }

    proptest! {
        #[test]
        fn without_a_flip_the_difference_is_that_of_the_scores(
            tracks in prop::collection::vec(([0u8..5, 0u8..5, 0u8..9, 0u8..9], any::<[bool; 2]>()), 2..30),
        ) {
            let scores = |places: [usize; 2]| -> Vec<f32> {
                let of_track = |track: &([u8; 4], [bool; 2])| places.map(|place| f32::from(track.0[place]) / 9.0);
                tracks.iter().flat_map(of_track).collect()
            };
            let truth: Vec<bool> = tracks.iter().flat_map(|track| track.1).collect();
            let [a, b] = [[0, 1], [2, 3]].map(|places| Outcomes::of_tags(2, truth.clone(), vec![scores(places)]));
            let (first, second) = (a.plain_figures(0), b.plain_figures(0));
            let (Outcomes::Tags(a), Outcomes::Tags(b)) = (&a, &b) else { unreachable!() };
            let pair = RankedPair::new(a, b);
            let (kept, all) = (vec![false; tracks.len()], vec![true; tracks.len()]);
            let (plain, turned) = (pair.difference(&kept), pair.difference(&all));
            for at in 0..2 {
                let expected = second[at] - first[at];
                prop_assert!(plain[at].is_nan() && expected.is_nan() || (plain[at] - expected).abs() < 1e-12);
                prop_assert!(plain[at].is_nan() || (plain[at] + turned[at]).abs() < 1e-12);
            }
        }
    }
}
