//! Metrics of a single-label classifier, computed from its confusion matrix.

use super::confusion::{ConfusionMatrix, ratio};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassificationMetrics {
    pub samples: u64,
    pub loss: f64,
    /// [`ConfusionMatrix::top1`].
    pub top1: f64,
    /// [`ConfusionMatrix::macro_f1`].
    pub macro_f1: f64,
    /// The paper's metrics for the same predictions.
    pub paper: PaperMetrics,
    /// One entry per class, in the data set's order.
    pub per_class: Vec<ClassMetrics>,
}

/// The paper's four metrics. Its accuracy is not the usual one, and its F1 is not scikit-learn's macro F1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaperMetrics {
    /// Mean of the one-vs-rest accuracies, `(TP + TN) / all`. With eight equal classes, always predicting one gives
    /// 0.78.
    pub accuracy: f64,
    /// `precision_score(average="macro", zero_division=0)`.
    pub precision: f64,
    /// `recall_score(average="macro", zero_division=0)`.
    pub recall: f64,
    /// Harmonic mean of the two means above.
    pub f1: f64,
}

/// One-vs-rest metrics of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    pub name: String,
    pub support: u64,
    /// `(TP + TN) / all`.
    pub accuracy: f64,
    /// `TP / (TP + FP)`; 0 if the class was never predicted.
    pub precision: f64,
    /// `TP / (TP + FN)`; 0 if no track has the class.
    pub recall: f64,
    /// `2 TP / (2 TP + FP + FN)`; 0 for 0/0.
    pub f1: f64,
}

impl ClassificationMetrics {
    /// Names of the classes without tracks in the set.
    pub fn missing(&self) -> Vec<&str> {
        let missing = self.per_class.iter().filter(|class| class.support == 0);
        missing.map(|class| &*class.name).collect()
    }

    /// Computes the metrics from a confusion matrix. `loss` is the mean loss of the same tracks.
    ///
    /// # Panics
    /// Panics if `names` does not have one name per class.
    pub fn new(confusion: &ConfusionMatrix, names: &[String], loss: f64) -> Self {
        assert_eq!(names.len(), confusion.classes(), "one name per class");
        let total = confusion.total() as f64;
        let per_class: Vec<ClassMetrics> = names
            .iter()
            .enumerate()
            .map(|(class, name)| {
                let hits = confusion.count(class, class) as f64;
                let (truth, predicted) = (
                    confusion.truth_total(class) as f64,
                    confusion.predicted_total(class) as f64,
                );
                ClassMetrics {
                    name: name.clone(),
                    support: confusion.truth_total(class),
                    // All samples except false positives and false negatives.
                    accuracy: ratio(total - (truth - hits) - (predicted - hits), total),
                    precision: ratio(hits, predicted),
                    recall: ratio(hits, truth),
                    f1: confusion.f1(class),
                }
            })
            .collect();
        // Like scikit-learn, means leave out classes that are neither true nor predicted.
        let classes = confusion.occurring();
        let mean = |get: fn(&ClassMetrics) -> f64| {
            let values = classes.iter().map(|&class| get(&per_class[class]));
            ratio(values.sum(), classes.len() as f64)
        };
        let (precision, recall) = (mean(|class| class.precision), mean(|class| class.recall));
        Self {
            samples: confusion.total(),
            loss,
            top1: confusion.top1(),
            macro_f1: confusion.macro_f1(),
            paper: PaperMetrics {
                accuracy: mean(|class| class.accuracy),
                precision,
                recall,
                f1: ratio(2.0 * precision * recall, precision + recall),
            },
            per_class,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use safetensors::SafeTensors;

    /// Largest allowed difference from scikit-learn. The golden file has f32 values.
    const TOLERANCE: f64 = 1e-6;

    fn names(classes: usize) -> Vec<String> {
        (0..classes).map(|class| format!("class {class}")).collect()
    }

    #[test]
    fn metrics_match_scikit_learn_and_the_paper() {
        let file = std::fs::read(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/golden/golden.safetensors"
        ))
        .unwrap();
        let file = SafeTensors::deserialize(&file).unwrap();
        let values =
            |name: &str| -> Vec<f32> { bytemuck::allocation::pod_collect_to_vec(file.tensor(name).unwrap().data()) };
        let mut confusion = ConfusionMatrix::new(8);
        for (truth, logits) in values("metrics/truth")
            .iter()
            .zip(values("metrics/logits").chunks_exact(8))
        {
            let best = (0..8).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
            confusion.add(*truth as usize, best);
        }
        let metrics = ClassificationMetrics::new(&confusion, &names(8), 0.0);
        let class = |get: fn(&ClassMetrics) -> f64| metrics.per_class.iter().map(get).collect::<Vec<_>>();
        let ours = [
            class(|c| c.accuracy),
            class(|c| c.precision),
            class(|c| c.recall),
            class(|c| c.f1),
        ]
        .concat();
        let paper = metrics.paper;
        let ours_macro = [
            paper.accuracy,
            paper.precision,
            paper.recall,
            paper.f1,
            metrics.macro_f1,
        ];
        let mut worst: f64 = 0.0;
        for (name, ours) in [
            ("metrics/per_class_accuracy_precision_recall_f1", &ours[..]),
            ("metrics/macro_accuracy_precision_recall_f1", &ours_macro[..]),
        ] {
            let golden = values(name);
            assert_eq!(golden.len(), ours.len());
            worst = golden
                .iter()
                .zip(ours)
                .fold(worst, |worst, (a, b)| worst.max((f64::from(*a) - b).abs()));
        }
        println!("metrics: largest error {worst:.2e}");
        assert!(worst <= TOLERANCE, "{worst}");
    }

    #[test]
    fn means_leave_out_classes_that_do_not_occur() {
        // scikit-learn 1.7: f1_score([0, 0, 1, 1], [0, 1, 1, 1], average="macro") is 0.7333... With [2, 1, 1, 1] as
        // predictions it is 0.2666...
        // Of the former, precision_score is 0.8333..., recall_score 0.75.
        let means = |pairs: &[(usize, usize)]| {
            let mut confusion = ConfusionMatrix::new(4);
            pairs
                .iter()
                .for_each(|&(truth, predicted)| confusion.add(truth, predicted));
            let metrics = ClassificationMetrics::new(&confusion, &names(4), 0.0);
            (metrics.macro_f1, metrics.paper)
        };
        let (f1, paper) = means(&[(0, 0), (0, 1), (1, 1), (1, 1)]);
        assert!((f1 - 11.0 / 15.0).abs() < 1e-12, "{f1}");
        assert!((paper.precision - 5.0 / 6.0).abs() < 1e-12, "{paper:?}");
        assert_eq!((paper.recall, paper.accuracy), (0.75, 0.75));
        let (f1, _) = means(&[(0, 2), (0, 1), (1, 1), (1, 1)]);
        assert!((f1 - 4.0 / 15.0).abs() < 1e-12, "{f1}");
    }

    #[test]
    fn constant_prediction_with_eight_equal_classes_gives_paper_accuracy_078() {
        let mut confusion = ConfusionMatrix::new(8);
        (0..8).for_each(|truth| confusion.add(truth, 3));
        let metrics = ClassificationMetrics::new(&confusion, &names(8), 0.0);
        assert_eq!((metrics.top1, metrics.paper.accuracy), (0.125, 0.78125));
        assert_eq!(metrics.per_class[0].precision, 0.0);
    }

    proptest! {
        #[test]
        fn every_metric_is_between_0_and_1(pairs in prop::collection::vec((0usize..4, 0usize..4), 0..60)) {
            let mut confusion = ConfusionMatrix::new(4);
            pairs.iter().for_each(|&(truth, predicted)| confusion.add(truth, predicted));
            let metrics = ClassificationMetrics::new(&confusion, &names(4), 0.0);
            let paper = metrics.paper;
            for metric in [metrics.top1, metrics.macro_f1, paper.accuracy, paper.precision, paper.recall, paper.f1] {
                prop_assert!((0.0..=1.0).contains(&metric));
            }
            let naive = pairs.iter().filter(|(truth, predicted)| truth == predicted).count();
            prop_assert!((metrics.top1 * pairs.len() as f64 - naive as f64).abs() < 1e-9);
        }
    }
}
