//! What networks made of the same tracks, kept so that it can be judged again and again with each track counted any
//! number of times: all that resampling needs.

/// The two figures that each task is judged by, in this order: top-1 and macro F1 of classes, mean AUC-ROC and mean
/// AUC-PR of tags. NaN where one is undefined.
pub type Pair = [f64; 2];

/// Answers of one network or of several to the same tracks.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcomes {
    /// Of classifiers.
    Classes(ClassOutcomes),
    /// Of taggers.
    Tags(TagOutcomes),
}

/// Answers of classifiers.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassOutcomes {
    /// Number of classes.
    pub classes: usize,
    /// Per network, each track's place in a confusion matrix row by row: `truth * classes + predicted`.
    pub cells: Vec<Vec<u32>>,
    /// Per class whether no track of the set is of it.
    pub absent: Vec<bool>,
}

/// Answers of taggers.
#[derive(Clone, Debug, PartialEq)]
pub struct TagOutcomes {
    /// Number of tags.
    pub tags: usize,
    /// Whether a track has a tag, `[tracks, tags]`.
    pub truth: Vec<bool>,
    /// Per network the probabilities, `[tracks, tags]`.
    pub scores: Vec<Vec<f32>>,
    /// Per network and tag the tracks by falling score.
    orders: Vec<Vec<Order>>,
}

/// Tracks by falling score: the lower bits of an entry are a track, its upper two say whether the track has the tag and
/// whether it is the last of those with its score.
type Order = Vec<u32>;

const HAS_TAG: u32 = 1 << 31;
const LAST_OF_SCORE: u32 = 1 << 30;
const TRACK: u32 = LAST_OF_SCORE - 1;

impl Outcomes {
    /// Of classifiers: the true class of each track, and per network the predicted one.
    ///
    /// # Panics
    /// When a network's answers are not as many as tracks, or a class is not below `classes`.
    pub fn of_classes(classes: usize, truth: &[u32], predicted: &[Vec<u32>]) -> Self {
        let cells = predicted.iter().map(|predicted| {
            assert_eq!(predicted.len(), truth.len(), "an answer per track");
            let cell = |(&truth, &predicted): (&u32, &u32)| {
                assert!((truth.max(predicted) as usize) < classes, "a class that is none");
                truth * classes as u32 + predicted
            };
            truth.iter().zip(predicted).map(cell).collect()
        });
        let mut absent = vec![true; classes];
        let cells = cells.collect();
        truth.iter().for_each(|&truth| absent[truth as usize] = false);
        Self::Classes(ClassOutcomes { classes, cells, absent })
    }

    /// Of taggers: whether each track has each tag, and per network the probabilities, all `[tracks, tags]`.
    ///
    /// # Panics
    /// When sizes do not fit together, or there are 2^30 tracks.
    pub fn of_tags(tags: usize, truth: Vec<bool>, scores: Vec<Vec<f32>>) -> Self {
        assert!(tags > 0 && truth.len().is_multiple_of(tags), "whole rows");
        let orders = scores.iter().map(|scores| {
            assert_eq!(scores.len(), truth.len(), "a score per track and tag");
            (0..tags).map(|tag| order(scores, &truth, tags, tag)).collect()
        });
        let orders = orders.collect();
        Self::Tags(TagOutcomes {
            tags,
            truth,
            scores,
            orders,
        })
    }

    /// The same answers, `tracks[i]` being the place of what comes in place `i`, and `classes[c]` the place that class or
    /// tag `c` comes to.
    pub fn arranged(&self, tracks: &[usize], classes: &[usize]) -> Self {
        match self {
            Self::Classes(outcomes) => {
                let count = outcomes.classes;
                let cell = |cell: u32| {
                    let (truth, predicted) = (cell as usize / count, cell as usize % count);
                    (classes[truth] * count + classes[predicted]) as u32
                };
                let network = |cells: &Vec<u32>| tracks.iter().map(|&track| cell(cells[track])).collect();
                let mut absent = vec![true; count];
                let places = classes.iter().zip(&outcomes.absent);
                places.for_each(|(&place, &is_absent)| absent[place] = is_absent);
                Self::Classes(ClassOutcomes {
                    classes: count,
                    cells: outcomes.cells.iter().map(network).collect(),
                    absent,
                })
            }
            Self::Tags(outcomes) => {
                let mut from = vec![0; classes.len()];
                classes.iter().enumerate().for_each(|(tag, &place)| from[place] = tag);
                let places = || {
                    let row = |&track: &usize| from.iter().map(move |tag| track * outcomes.tags + tag);
                    tracks.iter().flat_map(row)
                };
                let truth = places().map(|place| outcomes.truth[place]).collect();
                let network = |scores: &Vec<f32>| places().map(|place| scores[place]).collect();
                Self::of_tags(outcomes.tags, truth, outcomes.scores.iter().map(network).collect())
            }
        }
    }

    /// Networks.
    pub fn networks(&self) -> usize {
        match self {
            Self::Classes(outcomes) => outcomes.cells.len(),
            Self::Tags(outcomes) => outcomes.scores.len(),
        }
    }

    /// Tracks.
    pub fn tracks(&self) -> usize {
        match self {
            Self::Classes(outcomes) => outcomes.cells.first().map_or(0, Vec::len),
            Self::Tags(outcomes) => outcomes.truth.len() / outcomes.tags,
        }
    }

    /// The figures of one network where each track counts as often as `weights` says.
    pub fn figures(&self, network: usize, weights: &[u32]) -> Pair {
        match self {
            Self::Classes(outcomes) => {
                let mut confusion = vec![0; outcomes.classes * outcomes.classes];
                for (&cell, &weight) in outcomes.cells[network].iter().zip(weights) {
                    confusion[cell as usize] += u64::from(weight);
                }
                outcomes.figures_of(&confusion)
            }
            Self::Tags(outcomes) => {
                let areas = outcomes.orders[network].iter().map(|order| areas(order, weights));
                mean_of_defined(areas)
            }
        }
    }

    /// The figures of one network, each track counted once.
    pub fn plain_figures(&self, network: usize) -> Pair {
        self.figures(network, &vec![1; self.tracks()])
    }
}

impl TagOutcomes {
    /// Adds other networks' answers to the same tracks.
    pub fn extend(&mut self, other: Self) {
        self.scores.extend(other.scores);
        self.orders.extend(other.orders);
    }
}

impl ClassOutcomes {
    /// Top-1 and macro F1 of a confusion matrix row by row, as [`crate::metrics::ClassificationMetrics`] defines them, but that
    /// a class of the set none of whose tracks are counted here has no F1 and is left out of the mean. With 0 for it a
    /// class of few artists, whom a resample often misses, would drag the interval down as no model can.
    pub fn figures_of(&self, confusion: &[u64]) -> Pair {
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let (mut hits, mut f1, mut counted) = (0, 0.0, 0u32);
        for class in 0..self.classes {
            let of_class = class * self.classes..(class + 1) * self.classes;
            let hit = confusion[of_class.start + class];
            let truth: u64 = confusion[of_class].iter().sum();
            let predicted: u64 = confusion.iter().skip(class).step_by(self.classes).sum();
            hits += hit;
            f1 += share(2 * hit, truth + predicted);
            counted += u32::from(truth > 0 || (self.absent[class] && predicted > 0));
        }
        [share(hits, confusion.iter().sum()), f1 / f64::from(counted.max(1))]
    }
}

/// The means over tags for which the areas are defined.
pub fn mean_of_defined(areas: impl Iterator<Item = Option<Pair>>) -> Pair {
    let (mut sums, mut count) = ([0.0; 2], 0.0);
    for area in areas.flatten() {
        sums = [sums[0] + area[0], sums[1] + area[1]];
        count += 1.0;
    }
    sums.map(|sum| sum / count)
}

fn order(scores: &[f32], truth: &[bool], tags: usize, tag: usize) -> Order {
    let tracks = scores.len() / tags;
    assert!(tracks <= TRACK as usize, "fewer than 2^30 tracks");
    let score = |track: u32| scores[track as usize * tags + tag];
    let mut order: Order = (0..tracks as u32).collect();
    order.sort_unstable_by(|&a, &b| score(b).total_cmp(&score(a)));
    let last = |at: usize| at + 1 == tracks || score(order[at]) != score(order[at + 1]);
    let marks: Vec<bool> = (0..tracks).map(last).collect();
    for (entry, last) in order.iter_mut().zip(marks) {
        let has_tag = truth[*entry as usize * tags + tag];
        *entry |= if has_tag { HAS_TAG } else { 0 } | if last { LAST_OF_SCORE } else { 0 };
    }
    order
}

/// AUC-ROC and AUC-PR of one tag, as [`crate::metrics::Ranking`] defines them; `None` unless tracks of both kinds count.
fn areas(order: &[u32], weights: &[u32]) -> Option<Pair> {
    let mut walk = Walk::default();
    for &entry in order {
        walk.count(entry & HAS_TAG != 0, u64::from(weights[(entry & TRACK) as usize]));
        if entry & LAST_OF_SCORE != 0 {
            walk.close_score();
        }
    }
    walk.areas()
}

/// A walk down a ranking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    hits: u64,
    misses: u64,
    hits_before: u64,
    misses_before: u64,
    /// Twice the area under the ROC curve, in pairs of tracks.
    twice: u64,
    precision_sum: f64,
}

impl Walk {
    /// A track of the score under way.
    pub fn count(&mut self, has_tag: bool, weight: u64) {
        if has_tag {
            self.hits += weight;
        } else {
            self.misses += weight;
        }
    }

    /// The next track will have a lower score.
    pub fn close_score(&mut self) {
        self.twice += (self.misses - self.misses_before) * (self.hits + self.hits_before);
        if self.hits > self.hits_before {
            let precision = self.hits as f64 / (self.hits + self.misses) as f64;
            self.precision_sum += (self.hits - self.hits_before) as f64 * precision;
        }
        (self.hits_before, self.misses_before) = (self.hits, self.misses);
    }

    /// AUC-ROC and AUC-PR; `None` unless tracks of both kinds were counted.
    pub fn areas(&self) -> Option<Pair> {
        let pairs = self.hits * self.misses;
        (pairs > 0).then(|| {
            [
                self.twice as f64 / (2 * pairs) as f64,
                self.precision_sum / self.hits as f64,
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ClassificationMetrics, ConfusionMatrix, MultiLabelMetrics};
    use proptest::prelude::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|at| at.to_string()).collect()
    }

    proptest! {
        #[test]
        fn a_weight_is_a_track_that_comes_so_often(
            tracks in prop::collection::vec((0u32..3, 0u32..3, 0u32..4), 1..40),
        ) {
            let (truth, predicted): (Vec<u32>, Vec<u32>) = tracks.iter().map(|&(t, p, _)| (t, p)).unzip();
            let weights: Vec<u32> = tracks.iter().map(|track| track.2).collect();
            let mut confusion = ConfusionMatrix::new(3);
            for &(truth, predicted, weight) in &tracks {
                (0..weight).for_each(|_| confusion.add(truth as usize, predicted as usize));
            }
            let expected = ClassificationMetrics::new(&confusion, &names(3), 0.0);
            let outcomes = Outcomes::of_classes(3, &truth, &[predicted]);
            let figures = outcomes.figures(0, &weights);
            prop_assert!((figures[0] - expected.top1).abs() < 1e-12);
            let drawn = |class: &usize| {
                let elsewhere = !truth.contains(&(*class as u32)) && confusion.predicted_total(*class) > 0;
                expected.per_class[*class].support > 0 || elsewhere
            };
            let f1: Vec<f64> = (0..3).filter(drawn).map(|class| expected.per_class[class].f1).collect();
            let macro_f1 = f1.iter().sum::<f64>() / f1.len().max(1) as f64;
            prop_assert!((figures[1] - macro_f1).abs() < 1e-12);
            // Of the whole set it is the figure of `metrics.json`.
            let mut whole = ConfusionMatrix::new(3);
            tracks.iter().for_each(|&(truth, predicted, _)| whole.add(truth as usize, predicted as usize));
            let whole = ClassificationMetrics::new(&whole, &names(3), 0.0);
            prop_assert!((outcomes.plain_figures(0)[1] - whole.macro_f1).abs() < 1e-12);
        }

        #[test]
        fn areas_under_weights_are_those_of_repeated_tracks(
            tracks in prop::collection::vec(([0u8..5, 0u8..5], any::<[bool; 2]>(), 0u32..4), 1..30),
        ) {
            let scores: Vec<f32> = tracks.iter().flat_map(|track| track.0.map(|s| f32::from(s) / 4.0)).collect();
            let truth: Vec<bool> = tracks.iter().flat_map(|track| track.1).collect();
            let weights: Vec<u32> = tracks.iter().map(|track| track.2).collect();
            let (mut all_scores, mut all_truth) = (Vec::new(), Vec::new());
            for (at, track) in tracks.iter().enumerate() {
                for _ in 0..track.2 {
                    all_scores.extend(&scores[2 * at..2 * at + 2]);
                    all_truth.extend(track.1);
                }
            }
            let expected = MultiLabelMetrics::new(&all_scores, &all_truth, &names(2), 0.0, None).unwrap();
            let figures = Outcomes::of_tags(2, truth, vec![scores]).figures(0, &weights);
            for (figure, expected) in figures.into_iter().zip([expected.auc_roc, expected.auc_pr]) {
                match expected {
                    Some(expected) => prop_assert!((figure - expected).abs() < 1e-12),
                    None => prop_assert!(figure.is_nan()),
                }
            }
        }
    }
}
