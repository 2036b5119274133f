//! Threshold-free metrics of one tag's scores: scikit-learn's ROC and precision-recall curves and their areas.

/// A score that is NaN or infinite and cannot be ranked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "the score of sample {sample} for tag {tag} (both counted from 0) is {score}; the model has diverged: try a lower \
     learning rate"
)]
pub struct RankingError {
    sample: usize,
    tag: usize,
    score: f32,
}

/// One tag's samples, sorted by descending score. Computes a [`Ranking`] for any weights without sorting again.
#[derive(Clone, Debug, PartialEq)]
pub struct SortedScores {
    /// Score, index of the sample, and whether the sample has the tag.
    samples: Vec<(f32, u32, bool)>,
}

/// Counts of one tag's samples at each score, descending.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    scores: Vec<f32>,
    /// For each score, the number of samples with the tag that score at least as high.
    true_positives: Vec<u64>,
    /// For each score, the number of samples without the tag that score at least as high.
    false_positives: Vec<u64>,
}

/// Points of the ROC curve, like `sklearn.metrics.roc_curve`.
#[derive(Clone, Debug, PartialEq)]
pub struct RocCurve {
    /// Rises from 0 to 1.
    pub false_positive_rate: Vec<f64>,
    /// Rises from 0 to 1.
    pub true_positive_rate: Vec<f64>,
    /// Descending; a score of at least the threshold is positive. The first is infinite.
    pub thresholds: Vec<f64>,
}

/// Points of the precision-recall curve, like `sklearn.metrics.precision_recall_curve`.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecallCurve {
    /// Ends with a 1 without a threshold.
    pub precision: Vec<f64>,
    /// Falls from 1 to a 0 without a threshold.
    pub recall: Vec<f64>,
    /// Ascending; one fewer than points.
    pub thresholds: Vec<f64>,
}

/// Rankings of all tags with weight 1: `scores` and `truths` are `[samples, tags]`, row by row.
pub fn rankings(scores: &[f32], truths: &[bool], tags: usize) -> Result<Vec<Ranking>, RankingError> {
    let sorted = SortedScores::per_tag(scores, truths, tags)?;
    Ok(sorted.iter().map(|scores| scores.ranking(|_| 1)).collect())
}

impl SortedScores {
    /// Sorted scores of all tags: `scores` and `truths` are `[samples, tags]`, row by row.
    ///
    /// # Panics
    /// Panics if the shapes do not match.
    pub fn per_tag(scores: &[f32], truths: &[bool], tags: usize) -> Result<Vec<Self>, RankingError> {
        assert!(
            tags > 0 && scores.len() == truths.len() && scores.len().is_multiple_of(tags),
            "scores and truths are whole rows of `tags` values"
        );
        if let Some(at) = scores.iter().position(|score| !score.is_finite()) {
            return Err(RankingError {
                sample: at / tags,
                tag: at % tags,
                score: scores[at],
            });
        }
        let sort_tag = |tag: usize| {
            let (scores, truths) = (scores.iter().skip(tag), truths.iter().skip(tag));
            let column = scores.step_by(tags).zip(truths.step_by(tags)).zip(0..);
            let mut samples: Vec<_> = column
                .map(|((&score, &truth), sample)| (score, sample, truth))
                .collect();
            samples.sort_unstable_by(|(a, ..), (b, ..)| b.total_cmp(a));
            Self { samples }
        };
        Ok((0..tags).map(sort_tag).collect())
    }

    /// Counts the sample at each index `weight(index)` times.
    pub fn ranking(&self, weight: impl Fn(usize) -> u64) -> Ranking {
        let capacity = self.samples.len();
        let mut ranking = Ranking {
            scores: Vec::with_capacity(capacity),
            true_positives: Vec::with_capacity(capacity),
            false_positives: Vec::with_capacity(capacity),
        };
        let mut counts = [0, 0];
        // `==` instead of the order of bits, so 0 and -0 are the same score.
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

    /// Whether some samples have the tag and some do not. Otherwise curves and areas are undefined.
    pub fn has_both_classes(&self) -> bool {
        self.positives() > 0 && self.negatives() > 0
    }

    /// True positives and false positives at each score.
    fn counts(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        let counts = self.true_positives.iter().zip(&self.false_positives);
        counts.map(|(&hits, &misses)| (hits, misses))
    }

    /// The counts before and at each score.
    fn steps(&self) -> impl Iterator<Item = ((u64, u64), (u64, u64))> {
        std::iter::once((0, 0)).chain(self.counts()).zip(self.counts())
    }

    /// Area under the ROC curve, `sklearn.metrics.roc_auc_score`: the fraction of pairs of a sample with the tag and
    /// one without in which the former scores higher. Ties count half. Counted in integers, so it is exact.
    ///
    /// `None` unless some samples have the tag and some do not.
    pub fn roc_auc(&self) -> Option<f64> {
        let twice: u64 = self
            .steps()
            .map(|((hits_before, misses_before), (hits, misses))| (misses - misses_before) * (hits + hits_before))
            .sum();
        let pairs = self.positives() * self.negatives();
        self.has_both_classes().then(|| twice as f64 / (2 * pairs) as f64)
    }

    /// Area under the precision-recall curve, `sklearn.metrics.average_precision_score`: precision at each score,
    /// weighted by the increase in recall, without interpolation.
    ///
    /// `None` unless some samples have the tag and some do not. scikit-learn returns 0 if no sample has the tag and 1
    /// if all have it, whatever the scores.
    pub fn average_precision(&self) -> Option<f64> {
        let sum: f64 = self
            .steps()
            .map(|((before, _), (hits, misses))| (hits - before) as f64 * hits as f64 / (hits + misses) as f64)
            .sum();
        self.has_both_classes().then(|| sum / self.positives() as f64)
    }

    /// `sklearn.metrics.roc_curve` with its default of dropping collinear points.
    ///
    /// `None` unless some samples have the tag and some do not.
    pub fn roc_curve(&self) -> Option<RocCurve> {
        if !self.has_both_classes() {
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
    /// `None` unless some samples have the tag and some do not.
    pub fn precision_recall_curve(&self) -> Option<PrecisionRecallCurve> {
        if !self.has_both_classes() {
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

    /// The threshold with the best F1; a score of at least the threshold is positive.
    ///
    /// All thresholds between two neighbouring scores give the same metrics. Each such interval is represented by 0.5
    /// if it contains 0.5, otherwise by its middle; the interval below all scores by the lowest score. Of equally good
    /// thresholds, the one nearest to 0.5 is taken. Returns 0.5 if no sample has the tag.
    pub fn best_f1_threshold(&self) -> f64 {
        let mut best = (0.0, 0.5);
        for (at, (hits, misses)) in self.counts().enumerate() {
            // 2 TP / (2 TP + FP + FN). Equal fractions divide to equal f64 values, so ties are exact.
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

    /// Twelve samples with ties. The tests below contain scikit-learn 1.9.1's results.
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
    fn the_roc_curve_matches_scikit_learn() {
        let curve = ranking().roc_curve().unwrap();
        assert_near(&curve.false_positive_rate, &[0.0, 0.0, 0.2, 0.2, 0.6, 0.8, 0.8, 1.0]);
        let sevenths = [0.0, 1.0, 2.0, 5.0, 6.0, 6.0, 7.0, 7.0].map(|hits| hits / 7.0);
        assert_near(&curve.true_positive_rate, &sevenths);
        let thresholds = [0.9f32, 0.8, 0.55, 0.5, 0.4, 0.3, 0.2].map(f64::from);
        assert_near(&curve.thresholds, &[&[f64::INFINITY][..], &thresholds].concat());
        assert_near(&[ranking().roc_auc().unwrap()], &[0.7285714285714286]);
    }

    #[test]
    fn the_precision_recall_curve_matches_scikit_learn() {
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
    fn curves_need_positives_and_negatives() {
        for truths in [[true; 2], [false; 2]] {
            let ranking = one_tag(&[0.1, 0.9], &truths);
            assert_eq!((ranking.roc_auc(), ranking.average_precision()), (None, None));
            assert!(ranking.roc_curve().is_none() && ranking.precision_recall_curve().is_none());
        }
        assert_eq!(one_tag(&[], &[]).roc_auc(), None);
    }

    #[test]
    fn zero_and_minus_zero_are_equal_scores() {
        let ranking = one_tag(&[0.0, -0.0], &[true, false]);
        assert_eq!(ranking.roc_auc(), Some(0.5));
    }

    #[test]
    fn a_non_finite_score_is_an_error() {
        let error = rankings(&[0.5, 0.1, f32::NAN, 0.2], &[true; 4], 2).unwrap_err();
        assert!(error.to_string().contains("sample 1 for tag 0"), "{error}");
        assert!(rankings(&[f32::INFINITY], &[true], 1).is_err());
    }

    #[test]
    fn threshold_nearest_to_0_5_wins_among_equally_good_ones() {
        let best = |scores: &[f32], truths: &[bool]| one_tag(scores, truths).best_f1_threshold();
        // Every threshold between the two scores is perfect.
        assert_eq!(best(&[0.75, 0.25], &[true, false]), 0.5);
        assert_eq!(best(&[0.25, 0.125], &[true, false]), 0.1875);
        // F1 is 2/3 with the first sample positive, and with all four.
        assert_eq!(best(&[0.875, 0.75, 0.625, 0.5], &[true, false, false, true]), 0.5);
        // All positive, all negative, no samples.
        assert_eq!(best(&[0.75, 0.625], &[true, true]), 0.5);
        assert_eq!(best(&[0.25, 0.125], &[true, true]), 0.125);
        assert_eq!(best(&[0.75, 0.25], &[false, false]), 0.5);
        assert_eq!(best(&[], &[]), 0.5);
    }

    /// Scores are sixteenths, so many are equal.
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
        fn a_weighted_sample_equals_a_repeated_sample(
            samples in prop::collection::vec((0u8..5, any::<bool>(), 0u64..4), 1..30),
        ) {
            let scores: Vec<f32> = samples.iter().map(|sample| f32::from(sample.0) / 4.0).collect();
            let truths: Vec<bool> = samples.iter().map(|sample| sample.1).collect();
            let weighted = SortedScores::per_tag(&scores, &truths, 1).unwrap()[0].ranking(|at| samples[at].2);
            let repeated = || (0..samples.len()).flat_map(|at| std::iter::repeat_n(at, samples[at].2 as usize));
            let scores: Vec<f32> = repeated().map(|at| scores[at]).collect();
            let truths: Vec<bool> = repeated().map(|at| truths[at]).collect();
            prop_assert_eq!(weighted, one_tag(&scores, &truths));
        }

        #[test]
        fn areas_match_a_direct_count_of_pairs((scores, truths) in samples()) {
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
        fn the_area_under_the_roc_curve_is_the_auc((scores, truths) in samples()) {
            let ranking = one_tag(&scores, &truths);
            if let (Some(curve), Some(auc)) = (ranking.roc_curve(), ranking.roc_auc()) {
                let (x, y) = (&curve.false_positive_rate, &curve.true_positive_rate);
                let area: f64 = (1..x.len()).map(|at| (x[at] - x[at - 1]) * (y[at] + y[at - 1]) / 2.0).sum();
                prop_assert!((area - auc).abs() < 1e-12);
                prop_assert_eq!((x.last(), y.last()), (Some(&1.0), Some(&1.0)));
            }
        }

        #[test]
        fn no_threshold_beats_the_tuned_one((scores, truths) in samples()) {
            let tuned = one_tag(&scores, &truths).best_f1_threshold();
            let best = f1(&scores, &truths, tuned);
            for at in -1..=33 {
                let other = f64::from(at) / 32.0;
                prop_assert!(f1(&scores, &truths, other) <= best);
            }
            // If the tuned threshold is not 0.5, then 0.5 has a lower F1.
            prop_assert!(tuned == 0.5 || f1(&scores, &truths, 0.5) < best);
        }
    }
}
