//! How well one tag's scores put the samples that have it before the others, whatever the threshold: scikit-learn's curves
//! and areas.

/// A score that cannot be ranked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "the score of sample {sample} for tag {tag} (both counted from 0) is {score}, which cannot be ranked; the model has \
     diverged: try a lower learning rate"
)]
pub struct RankingError {
    sample: usize,
    tag: usize,
    score: f32,
}

/// One tag's samples by falling score. Sorted once, they give a [`Ranking`] for any weights.
#[derive(Clone, Debug, PartialEq)]
pub struct SortedScores {
    /// Score, place among the samples, and whether the sample has the tag.
    samples: Vec<(f32, u32, bool)>,
}

/// One tag's counts of samples at each score.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    scores: Vec<f32>,
    /// For each of them, how many samples that have the tag score as high or higher.
    true_positives: Vec<u64>,
    /// The same of samples without the tag.
    false_positives: Vec<u64>,
}

/// Points of the receiver operating characteristic, as `sklearn.metrics.roc_curve` gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct RocCurve {
    /// Rising from 0 to 1.
    pub false_positive_rate: Vec<f64>,
    /// Rising from 0 to 1.
    pub true_positive_rate: Vec<f64>,
    /// The score from which on a sample counts as positive; falling, the first one infinite.
    pub thresholds: Vec<f64>,
}

/// Points as `sklearn.metrics.precision_recall_curve` gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecallCurve {
    /// Ends with a 1 that belongs to no threshold.
    pub precision: Vec<f64>,
    /// Falling from 1 to a 0 that belongs to no threshold.
    pub recall: Vec<f64>,
    /// Rising; one fewer than points.
    pub thresholds: Vec<f64>,
}

/// Those of all tags, each sample counted once: `scores` and `truths` are `[samples, tags]`, row by row.
pub fn rankings(scores: &[f32], truths: &[bool], tags: usize) -> Result<Vec<Ranking>, RankingError> {
    let sorted = SortedScores::of_tags(scores, truths, tags)?;
    Ok(sorted.iter().map(|scores| scores.ranking(|_| 1)).collect())
}

impl SortedScores {
    /// Those of all tags: `scores` and `truths` are `[samples, tags]`, row by row.
    ///
    /// # Panics
    /// When they are not.
    pub fn of_tags(scores: &[f32], truths: &[bool], tags: usize) -> Result<Vec<Self>, RankingError> {
        assert!(
            tags > 0 && scores.len() == truths.len() && scores.len().is_multiple_of(tags),
            "whole rows"
        );
        if let Some(at) = scores.iter().position(|score| !score.is_finite()) {
            return Err(RankingError {
                sample: at / tags,
                tag: at % tags,
                score: scores[at],
            });
        }
        let of_tag = |tag: usize| {
            let (scores, truths) = (scores.iter().skip(tag), truths.iter().skip(tag));
            let column = scores.step_by(tags).zip(truths.step_by(tags)).zip(0..);
            let mut samples: Vec<_> = column
                .map(|((&score, &truth), sample)| (score, sample, truth))
                .collect();
            samples.sort_unstable_by(|(a, ..), (b, ..)| b.total_cmp(a));
            Self { samples }
        };
        Ok((0..tags).map(of_tag).collect())
    }

    /// With each sample counted as often as `weight` of its place says.
    pub fn ranking(&self, weight: impl Fn(usize) -> u64) -> Ranking {
        let capacity = self.samples.len();
        let mut ranking = Ranking {
            scores: Vec::with_capacity(capacity),
            true_positives: Vec::with_capacity(capacity),
            false_positives: Vec::with_capacity(capacity),
        };
        let mut counts = [0, 0];
        // `==` and not the order of bits, so 0 and -0 are one score.
        for equal in self.samples.chunk_by(|(a, ..), (b, ..)| a == b) {
            let before = counts;
            for &(_, sample, truth) in equal {
                counts[usize::from(!truth)] += weight(sample as usize);
            }
            if counts != before {
                ranking.scores.push(equal[0].0);
                ranking.true_positives.push(counts[0]);
                ranking.false_positives.push(counts[1]);
            }
        }
        ranking
    }
}

impl Ranking {
    /// Samples that have the tag.
    pub fn positives(&self) -> u64 {
        self.true_positives.last().copied().unwrap_or(0)
    }

    pub fn negatives(&self) -> u64 {
        self.false_positives.last().copied().unwrap_or(0)
    }

    /// Whether there are samples of both kinds, without which curves and areas say nothing.
    pub fn has_both_kinds(&self) -> bool {
        self.positives() > 0 && self.negatives() > 0
    }

    /// Samples that are positive at each score: true ones, then false ones.
    fn counts(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        let counts = self.true_positives.iter().zip(&self.false_positives);
        counts.map(|(&hits, &misses)| (hits, misses))
    }

    /// The counts before each score, and at it.
    fn steps(&self) -> impl Iterator<Item = ((u64, u64), (u64, u64))> {
        std::iter::once((0, 0)).chain(self.counts()).zip(self.counts())
    }

    /// Area under the ROC curve, `sklearn.metrics.roc_auc_score`: the share of pairs of a sample with the tag and one
    /// without in which the former scores higher, where equal scores count half. Counted in integers, so it is exact.
    ///
    /// `None` unless there are samples of both kinds.
    pub fn roc_auc(&self) -> Option<f64> {
        let twice: u64 = self
            .steps()
            .map(|((hits_before, misses_before), (hits, misses))| (misses - misses_before) * (hits + hits_before))
            .sum();
        let pairs = self.positives() * self.negatives();
        self.has_both_kinds().then(|| twice as f64 / (2 * pairs) as f64)
    }

    /// Area under the precision-recall curve, `sklearn.metrics.average_precision_score`: precision at each score,
    /// weighted by what recall gains there, without interpolation.
    ///
    /// `None` unless there are samples of both kinds; scikit-learn says 0 where no sample has the tag and 1 where all
    /// have it, whatever the scores.
    pub fn average_precision(&self) -> Option<f64> {
        let sum: f64 = self
            .steps()
            .map(|((before, _), (hits, misses))| (hits - before) as f64 * hits as f64 / (hits + misses) as f64)
            .sum();
        self.has_both_kinds().then(|| sum / self.positives() as f64)
    }

    /// `sklearn.metrics.roc_curve` with its default of leaving out points between others on a line.
    ///
    /// `None` unless there are samples of both kinds.
    pub fn roc_curve(&self) -> Option<RocCurve> {
        if !self.has_both_kinds() {
            return None;
        }
        let mut curve = RocCurve {
            false_positive_rate: vec![0.0],
            true_positive_rate: vec![0.0],
            thresholds: vec![f64::INFINITY],
        };
        let last = self.scores.len() - 1;
        let (hits, misses) = (&self.true_positives, &self.false_positives);
        let straight = |counts: &[u64], at: usize| counts[at] - counts[at - 1] == counts[at + 1] - counts[at];
        for at in 0..=last {
            if at > 0 && at < last && straight(hits, at) && straight(misses, at) {
                continue;
            }
            curve
                .false_positive_rate
                .push(misses[at] as f64 / self.negatives() as f64);
            curve.true_positive_rate.push(hits[at] as f64 / self.positives() as f64);
            curve.thresholds.push(f64::from(self.scores[at]));
        }
        Some(curve)
    }

    /// `sklearn.metrics.precision_recall_curve`.
    ///
    /// `None` unless there are samples of both kinds.
    pub fn precision_recall_curve(&self) -> Option<PrecisionRecallCurve> {
        if !self.has_both_kinds() {
            return None;
        }
        let points = self.counts().rev().map(|(hits, misses)| {
            let precision = hits as f64 / (hits + misses) as f64;
            (precision, hits as f64 / self.positives() as f64)
        });
        let (precision, recall) = points.chain([(1.0, 0.0)]).unzip();
        Some(PrecisionRecallCurve {
            precision,
            recall,
            thresholds: self.scores.iter().rev().map(|&score| f64::from(score)).collect(),
        })
    }

    /// The threshold with the best F1, a score at or above it being positive.
    ///
    /// Every threshold between two neighbouring scores gives the same metrics. Each such interval is represented by 0.5
    /// where it is inside, else by its middle, and the interval below all scores by the lowest score. Of equally good
    /// thresholds the one nearest to 0.5 is taken. 0.5 where no sample has the tag.
    pub fn best_f1_threshold(&self) -> f64 {
        let mut best = (0.0, 0.5);
        for (at, (hits, misses)) in self.counts().enumerate() {
            // 2 TP / (2 TP + FP + FN). Equal fractions divide to equal numbers, so ties are exact.
            let f1 = (2 * hits) as f64 / (hits + misses + self.positives()) as f64;
            let high = f64::from(self.scores[at]);
            let threshold = match self.scores.get(at + 1).map(|&low| f64::from(low)) {
                Some(low) if low < 0.5 && 0.5 <= high => 0.5,
                Some(low) => f64::midpoint(low, high),
                None => high.min(0.5),
            };
            let nearer = (threshold - 0.5).abs() < (best.1 - 0.5f64).abs();
            if f1 > best.0 || (f1 == best.0 && nearer) {
                best = (f1, threshold);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Twelve samples with ties. The tests below have what scikit-learn 1.9.1 makes of them.
    const SCORES: [f32; 12] = [0.9, 0.8, 0.8, 0.7, 0.6, 0.55, 0.5, 0.5, 0.5, 0.4, 0.3, 0.2];
    const TRUTHS: [u8; 12] = [1, 1, 0, 1, 1, 1, 0, 1, 0, 0, 1, 0];

    fn one_tag(scores: &[f32], truths: &[bool]) -> Ranking {
        rankings(scores, truths, 1).unwrap().remove(0)
    }

    fn ranking() -> Ranking {
        one_tag(&SCORES, &TRUTHS.map(|truth| truth == 1))
    }

    fn assert_near(ours: &[f64], expected: &[f64]) {
        assert_eq!(ours.len(), expected.len(), "{ours:?}");
        for (ours, expected) in ours.iter().zip(expected) {
            assert!(ours == expected || (ours - expected).abs() < 1e-15, "{ours} {expected}");
        }
    }

    #[test]
    fn the_roc_curve_has_scikit_learns_points() {
        let curve = ranking().roc_curve().unwrap();
        assert_near(&curve.false_positive_rate, &[0.0, 0.0, 0.2, 0.2, 0.6, 0.8, 0.8, 1.0]);
        let sevenths = [0.0, 1.0, 2.0, 5.0, 6.0, 6.0, 7.0, 7.0].map(|hits| hits / 7.0);
        assert_near(&curve.true_positive_rate, &sevenths);
        let thresholds = [0.9f32, 0.8, 0.55, 0.5, 0.4, 0.3, 0.2].map(f64::from);
        assert_near(&curve.thresholds, &[&[f64::INFINITY][..], &thresholds].concat());
        assert_near(&[ranking().roc_auc().unwrap()], &[0.7285714285714286]);
    }

    #[test]
    fn the_precision_recall_curve_has_scikit_learns_points() {
        let curve = ranking().precision_recall_curve().unwrap();
        let precision = [
            0.5833333333333334,
            0.6363636363636364,
            0.6,
            0.6666666666666666,
            0.8333333333333334,
            0.8,
            0.75,
            0.6666666666666666,
            1.0,
            1.0,
        ];
        assert_near(&curve.precision, &precision);
        let sevenths = [7.0, 7.0, 6.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0].map(|hits| hits / 7.0);
        assert_near(&curve.recall, &sevenths);
        let thresholds = [0.2f32, 0.3, 0.4, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9].map(f64::from);
        assert_near(&curve.thresholds, &thresholds);
        assert_near(&[ranking().average_precision().unwrap()], &[0.7647186147186147]);
    }

    #[test]
    fn one_kind_alone_has_no_curve() {
        for truths in [[true; 2], [false; 2]] {
            let ranking = one_tag(&[0.1, 0.9], &truths);
            assert_eq!((ranking.roc_auc(), ranking.average_precision()), (None, None));
            assert!(ranking.roc_curve().is_none() && ranking.precision_recall_curve().is_none());
        }
        assert_eq!(one_tag(&[], &[]).roc_auc(), None);
    }

    #[test]
    fn zero_is_one_score_with_either_sign() {
        let ranking = one_tag(&[0.0, -0.0], &[true, false]);
        assert_eq!(ranking.roc_auc(), Some(0.5));
    }

    #[test]
    fn a_score_that_is_not_finite_is_named() {
        let error = rankings(&[0.5, 0.1, f32::NAN, 0.2], &[true; 4], 2).unwrap_err();
        assert!(error.to_string().contains("sample 1 for tag 0"), "{error}");
        assert!(rankings(&[f32::INFINITY], &[true], 1).is_err());
    }

    #[test]
    fn equally_good_thresholds_go_to_the_one_nearest_to_a_half() {
        let best = |scores: &[f32], truths: &[bool]| one_tag(scores, truths).best_f1_threshold();
        // All between the two are perfect.
        assert_eq!(best(&[0.75, 0.25], &[true, false]), 0.5);
        assert_eq!(best(&[0.25, 0.125], &[true, false]), 0.1875);
        // F1 is 2/3 with the first alone and with all three.
        assert_eq!(best(&[0.875, 0.75, 0.625, 0.5], &[true, false, false, true]), 0.5);
        // All positive, all negative, nothing.
        assert_eq!(best(&[0.75, 0.625], &[true, true]), 0.5);
        assert_eq!(best(&[0.25, 0.125], &[true, true]), 0.125);
        assert_eq!(best(&[0.75, 0.25], &[false, false]), 0.5);
        assert_eq!(best(&[], &[]), 0.5);
    }

    /// Scores in sixteenths, so that many are equal.
    fn samples() -> impl Strategy<Value = (Vec<f32>, Vec<bool>)> {
        let sample = (0u8..=16, any::<bool>()).prop_map(|(score, truth)| (f32::from(score) / 16.0, truth));
        prop::collection::vec(sample, 1..60).prop_map(|samples| samples.into_iter().unzip())
    }

    fn f1(scores: &[f32], truths: &[bool], threshold: f64) -> f64 {
        let samples = scores.iter().zip(truths);
        let (mut hits, mut wrong) = (0.0, 0.0);
        for (&score, &truth) in samples {
            let predicted = f64::from(score) >= threshold;
            hits += f64::from(u8::from(predicted && truth));
            wrong += f64::from(u8::from(predicted != truth));
        }
        if hits == 0.0 {
            0.0
        } else {
            2.0 * hits / (2.0 * hits + wrong)
        }
    }

    proptest! {
        #[test]
        fn a_weight_is_a_sample_that_comes_so_often(
            samples in prop::collection::vec((0u8..5, any::<bool>(), 0u64..4), 1..30),
        ) {
            let scores: Vec<f32> = samples.iter().map(|sample| f32::from(sample.0) / 4.0).collect();
            let truths: Vec<bool> = samples.iter().map(|sample| sample.1).collect();
            let weighted = SortedScores::of_tags(&scores, &truths, 1).unwrap()[0].ranking(|at| samples[at].2);
            let repeated = || (0..samples.len()).flat_map(|at| std::iter::repeat_n(at, samples[at].2 as usize));
            let scores: Vec<f32> = repeated().map(|at| scores[at]).collect();
            let truths: Vec<bool> = repeated().map(|at| truths[at]).collect();
            prop_assert_eq!(weighted, one_tag(&scores, &truths));
        }

        #[test]
        fn areas_are_what_counting_pairs_gives((scores, truths) in samples()) {
            let ranking = one_tag(&scores, &truths);
            let (mut pairs, mut won, mut precisions, mut positives) = (0.0, 0.0, 0.0, 0.0);
            for (score, _) in scores.iter().zip(&truths).filter(|(_, truth)| **truth) {
                let (mut above, mut hits) = (0.0, 0.0);
                for (other, &truth) in scores.iter().zip(&truths) {
                    if !truth {
                        pairs += 1.0;
                        won += if score > other { 1.0 } else if score == other { 0.5 } else { 0.0 };
                    }
                    if other >= score {
                        above += 1.0;
                        hits += f64::from(u8::from(truth));
                    }
                }
                precisions += hits / above;
                positives += 1.0;
            }
            match (ranking.roc_auc(), ranking.average_precision()) {
                (Some(roc), Some(precision)) => {
                    prop_assert!((roc - won / pairs).abs() < 1e-12);
                    prop_assert!((precision - precisions / positives).abs() < 1e-12);
                }
                undefined => {
                    prop_assert_eq!(undefined, (None, None));
                    prop_assert!(truths.iter().all(|&truth| truth == truths[0]));
                }
            }
        }

        #[test]
        fn the_area_under_the_roc_points_is_the_auc((scores, truths) in samples()) {
            let ranking = one_tag(&scores, &truths);
            if let (Some(curve), Some(auc)) = (ranking.roc_curve(), ranking.roc_auc()) {
                let (x, y) = (&curve.false_positive_rate, &curve.true_positive_rate);
                let area: f64 = (1..x.len()).map(|at| (x[at] - x[at - 1]) * (y[at] + y[at - 1]) / 2.0).sum();
                prop_assert!((area - auc).abs() < 1e-12);
                prop_assert_eq!((x.last(), y.last()), (Some(&1.0), Some(&1.0)));
            }
        }

        #[test]
        fn no_threshold_is_better_than_the_tuned_one((scores, truths) in samples()) {
            let tuned = one_tag(&scores, &truths).best_f1_threshold();
            let best = f1(&scores, &truths, tuned);
            for at in -1..=33 {
                let other = f64::from(at) / 32.0;
                prop_assert!(f1(&scores, &truths, other) <= best);
            }
            // 0.5 itself is as near to itself as can be.
            prop_assert!(tuned == 0.5 || f1(&scores, &truths, 0.5) < best);
        }
    }
}
