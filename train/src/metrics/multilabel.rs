//! Metrics of a multi-label classifier, in scikit-learn's definitions.

use super::confusion::ratio;
use super::ranking::{RankingError, rankings};
use serde::{Deserialize, Serialize};

/// Threshold if none are given. A score of at least the threshold is positive.
pub const DEFAULT_THRESHOLD: f64 = 0.5;

/// Means are over tags with equal weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultiLabelMetrics {
    pub samples: u64,
    /// Mean loss, from the caller.
    pub loss: f64,
    /// Mean of the tags' accuracies: the fraction of right decisions, `1 - sklearn.metrics.hamming_loss`.
    pub accuracy: f64,
    /// Mean of the tags' precisions: `precision_score(average="macro", zero_division=0)`.
    pub precision: f64,
    /// Mean of the tags' recalls: `recall_score(average="macro", zero_division=0)`.
    pub recall: f64,
    /// Mean of the tags' F1: `f1_score(average="macro", zero_division=0)`.
    pub macro_f1: f64,
    /// Mean of the tags' areas under the ROC curve, over tags for which it is defined; `None` if there are no such
    /// tags.
    pub auc_roc: Option<f64>,
    /// Mean of the tags' areas under the precision-recall curve, over the same tags.
    pub auc_pr: Option<f64>,
    /// Fraction of tracks with every tag right: scikit-learn's `accuracy_score` for multi-label data.
    pub subset_accuracy: f64,
    /// One per tag. A score of at least the threshold is positive.
    pub thresholds: Vec<f64>,
    /// One entry per tag, in the data set's order.
    pub per_tag: Vec<TagMetrics>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagMetrics {
    pub name: String,
    pub support: u64,
    /// `(TP + TN) / all`.
    pub accuracy: f64,
    /// `TP / (TP + FP)`; 0 if the tag was never predicted.
    pub precision: f64,
    /// `TP / (TP + FN)`; 0 if no track has the tag.
    pub recall: f64,
    /// `2 TP / (2 TP + FP + FN)`; 0 for 0/0.
    pub f1: f64,
    /// `roc_auc_score`; `None` unless some tracks have the tag and some do not.
    pub auc_roc: Option<f64>,
    /// `average_precision_score`; `None` in the same cases.
    pub auc_pr: Option<f64>,
    /// A score of at least this is positive.
    pub threshold: f64,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    hits: u64,
    predicted: u64,
    support: u64,
    right: u64,
}

fn fraction(part: u64, total: u64) -> f64 {
    ratio(part as f64, total as f64)
}

/// The mean of the values; `None` if there are none.
pub fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0u64);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

impl MultiLabelMetrics {
    /// Computes the metrics of `scores`, probabilities `[samples, tags]` row by row, with `truths` of the same shape.
    ///
    /// `thresholds` has one value per tag; without it all are 0.5. Without samples, fractions are 0 and areas `None`.
    ///
    /// # Errors
    /// If a score is NaN or infinite.
    ///
    /// # Panics
    /// Panics if the shapes do not match.
    pub fn new(
        scores: &[f32],
        truths: &[bool],
        names: &[String],
        loss: f64,
        thresholds: Option<&[f64]>,
    ) -> Result<Self, RankingError> {
        let tags = names.len();
        let rankings = rankings(scores, truths, tags)?;
        let thresholds = thresholds.map_or_else(|| vec![DEFAULT_THRESHOLD; tags], <[f64]>::to_vec);
        assert_eq!(thresholds.len(), tags, "one threshold per tag");
        let samples = (scores.len() / tags) as u64;
        let mut counts = vec![Counts::default(); tags];
        let mut all_right = 0;
        for (scores, truths) in scores.chunks_exact(tags).zip(truths.chunks_exact(tags)) {
            let mut wrong = false;
            for (((counts, &score), &truth), &threshold) in counts.iter_mut().zip(scores).zip(truths).zip(&thresholds) {
                let predicted = f64::from(score) >= threshold;
                counts.hits += u64::from(predicted && truth);
                counts.predicted += u64::from(predicted);
                counts.support += u64::from(truth);
                counts.right += u64::from(predicted == truth);
                wrong |= predicted != truth;
            }
            all_right += u64::from(!wrong);
        }
        let per_tag: Vec<TagMetrics> = names
            .iter()
            .zip(counts)
            .zip(rankings.iter().zip(&thresholds))
            .map(|((name, counts), (ranking, &threshold))| TagMetrics {
                name: name.clone(),
                support: counts.support,
                accuracy: fraction(counts.right, samples),
                precision: fraction(counts.hits, counts.predicted),
                recall: fraction(counts.hits, counts.support),
                f1: fraction(2 * counts.hits, counts.predicted + counts.support),
                auc_roc: ranking.roc_auc(),
                auc_pr: ranking.average_precision(),
                threshold,
            })
            .collect();
        let over_tags = |get: fn(&TagMetrics) -> f64| mean(per_tag.iter().map(get)).unwrap_or(0.0);
        Ok(Self {
            samples,
            loss,
            accuracy: over_tags(|tag| tag.accuracy),
            precision: over_tags(|tag| tag.precision),
            recall: over_tags(|tag| tag.recall),
            macro_f1: over_tags(|tag| tag.f1),
            auc_roc: mean(per_tag.iter().filter_map(|tag| tag.auc_roc)),
            auc_pr: mean(per_tag.iter().filter_map(|tag| tag.auc_pr)),
            subset_accuracy: fraction(all_right, samples),
            thresholds,
            per_tag,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ranking::Ranking;
    use super::*;
    use proptest::prelude::*;
    use safetensors::SafeTensors;

    /// Largest allowed difference from scikit-learn. The golden file has f32 values.
    const TOLERANCE: f64 = 1e-6;

    fn names(tags: usize) -> Vec<String> {
        (0..tags).map(|tag| format!("tag {tag}")).collect()
    }

    fn golden(name: &str) -> Vec<f32> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/golden.safetensors");
        let file = std::fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&file).unwrap();
        bytemuck::allocation::pod_collect_to_vec(file.tensor(&format!("metrics/multilabel_{name}")).unwrap().data())
    }

    /// Scores and truths of 400 samples and 10 tags.
    fn golden_input() -> (Vec<f32>, Vec<bool>) {
        let truths = golden("truth").iter().map(|&truth| truth == 1.0).collect();
        (golden("scores"), truths)
    }

    #[test]
    fn areas_match_scikit_learn() {
        let (scores, truths) = golden_input();
        let metrics = MultiLabelMetrics::new(&scores, &truths, &names(10), 0.25, None).unwrap();
        assert_eq!((metrics.samples, metrics.loss), (400, 0.25));
        for (name, get) in [
            ("auc_roc", (|tag| tag.auc_roc) as fn(&TagMetrics) -> Option<f64>),
            ("auc_pr", |tag| tag.auc_pr),
        ] {
            let expected = golden(name);
            assert_eq!(expected.len(), metrics.per_tag.len());
            let error = |(tag, expected): (&TagMetrics, &f32)| (get(tag).unwrap() - f64::from(*expected)).abs();
            let worst = metrics.per_tag.iter().zip(&expected).map(error).fold(0.0, f64::max);
            println!("multilabel {name}: largest error {worst:.2e}");
            assert!(worst <= TOLERANCE, "{name}: {worst}");
        }
    }

    #[test]
    fn metrics_at_a_threshold_match_scikit_learn() {
        let (scores, truths) = golden_input();
        let metrics = MultiLabelMetrics::new(&scores, &truths, &names(10), 0.0, None).unwrap();
        let tag = &metrics.per_tag[9];
        let ours = [
            metrics.accuracy,
            metrics.precision,
            metrics.recall,
            metrics.macro_f1,
            metrics.subset_accuracy,
            metrics.auc_roc.unwrap(),
            metrics.auc_pr.unwrap(),
            tag.precision,
            tag.recall,
            tag.f1,
        ];
        // scikit-learn 1.9.1 on the same scores at 0.5: the mean of `predicted == truth`, then
        // `precision_recall_fscore_support(zero_division=0)` averaged, `accuracy_score`, `roc_auc_score` and
        // `average_precision_score` with average="macro", and the last tag's precision, recall and F1.
        let expected = [
            0.56675,
            0.2977503274161016,
            0.8967795068853939,
            0.4466285090637398,
            0.0025,
            0.8166487819198276,
            0.6492713990073743,
            0.2669491525423729,
            0.863013698630137,
            0.4077669902912621,
        ];
        let error = |(ours, expected): (&f64, &f64)| (ours - expected).abs();
        let worst = ours.iter().zip(&expected).map(error).fold(0.0, f64::max);
        println!("multilabel metrics at 0.5: largest error {worst:.2e}");
        assert!(worst <= 1e-12, "{ours:?}");
    }

    #[test]
    fn tuned_thresholds_are_used_and_do_not_lower_f1() {
        let (scores, truths) = golden_input();
        let plain = MultiLabelMetrics::new(&scores, &truths, &names(10), 0.0, None).unwrap();
        let tuned: Vec<f64> = rankings(&scores, &truths, 10)
            .unwrap()
            .iter()
            .map(Ranking::best_f1_threshold)
            .collect();
        let metrics = MultiLabelMetrics::new(&scores, &truths, &names(10), 0.0, Some(&tuned)).unwrap();
        assert_eq!(metrics.thresholds, tuned);
        for ((tag, plain), &threshold) in metrics.per_tag.iter().zip(&plain.per_tag).zip(&tuned) {
            assert!(tag.threshold == threshold && tag.f1 >= plain.f1, "{tag:?}");
        }
        assert!(metrics.macro_f1 > plain.macro_f1 + 0.05, "{}", metrics.macro_f1);
        assert_eq!(metrics.auc_roc, plain.auc_roc);
    }

    #[test]
    fn tags_without_positives_or_negatives_are_left_out_of_mean_areas() {
        let scores = [0.9, 0.5, 0.1, 0.2, 0.6, 0.3];
        let truths = [true, false, true, false, false, true];
        let metrics = MultiLabelMetrics::new(&scores, &truths, &names(3), 0.0, None).unwrap();
        let areas: Vec<_> = metrics.per_tag.iter().map(|tag| tag.auc_roc).collect();
        assert_eq!(areas, [Some(1.0), None, None]);
        assert_eq!((metrics.auc_roc, metrics.auc_pr), (Some(1.0), Some(1.0)));
        // A score at the threshold is positive: the second tag is predicted twice, both times wrongly.
        assert_eq!((metrics.per_tag[1].accuracy, metrics.per_tag[1].precision), (0.0, 0.0));
        assert_eq!(metrics.subset_accuracy, 0.0);
        let json = serde_json::to_string(&metrics).unwrap();
        assert_eq!(serde_json::from_str::<MultiLabelMetrics>(&json).unwrap(), metrics);
    }

    #[test]
    fn metrics_without_samples_are_zero_or_undefined() {
        let metrics = MultiLabelMetrics::new(&[], &[], &names(2), 0.0, None).unwrap();
        assert_eq!((metrics.samples, metrics.macro_f1, metrics.auc_roc), (0, 0.0, None));
    }

    proptest! {
        #[test]
        fn every_metric_is_between_0_and_1(samples in prop::collection::vec((0u8..=8, any::<bool>()), 0..20)) {
            let tags = 3;
            let complete = samples.len() / tags * tags;
            let (scores, truths): (Vec<f32>, Vec<bool>) = samples[..complete]
                .iter()
                .map(|&(score, truth)| (f32::from(score) / 8.0, truth))
                .unzip();
            let metrics = MultiLabelMetrics::new(&scores, &truths, &names(tags), 0.0, None).unwrap();
            let areas = [metrics.auc_roc, metrics.auc_pr].map(|area| area.unwrap_or(0.0));
            let MultiLabelMetrics { accuracy, precision, recall, macro_f1, subset_accuracy, .. } = metrics;
            for metric in [accuracy, precision, recall, macro_f1, subset_accuracy, areas[0], areas[1]] {
                prop_assert!((0.0..=1.0).contains(&metric));
            }
            prop_assert!(subset_accuracy <= accuracy + 1e-12);
        }
    }
}
