//! The metrics of a set under the names that scikit-learn uses, and what each of them is.

use crate::metrics::{ClassificationMetrics, MultiLabelMetrics, SetMetrics};

/// One metric of a set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// As `published.csv` names it.
    pub key: &'static str,
    pub name: &'static str,
    /// What it is, in scikit-learn's words where it has some.
    pub definition: &'static str,
    pub value: Option<f64>,
}

impl Metric {
    pub fn lower_is_better(&self) -> bool {
        self.key == "loss"
    }
}

/// A metric's key, name, definition and value.
type Row = (&'static str, &'static str, &'static str, Option<f64>);

/// All metrics of a set, the main ones first.
pub fn metrics(metrics: &SetMetrics) -> Vec<Metric> {
    let rows = match metrics {
        SetMetrics::Classes(metrics) => of_classes(metrics).to_vec(),
        SetMetrics::Tags(metrics) => of_tags(metrics).to_vec(),
    };
    let metric = |(key, name, definition, value)| Metric {
        key,
        name,
        definition,
        value,
    };
    rows.into_iter().map(metric).collect()
}

fn of_classes(metrics: &ClassificationMetrics) -> [Row; 7] {
    let paper = metrics.paper;
    let precision = "precision_score(average=\"macro\")";
    let recall = "recall_score(average=\"macro\")";
    let f1_of_means = "harmonic mean of macro precision and macro recall; not scikit-learn's";
    let accuracy = "mean over classes of (TP + TN) / all; far above top-1 by its making";
    let loss = "log_loss: mean cross-entropy, in nats";
    [
        ("top1", "top-1", "accuracy_score", Some(metrics.top1)),
        ("macro_f1", "macro F1", MACRO_F1, Some(metrics.macro_f1)),
        ("precision", "macro precision", precision, Some(paper.precision)),
        ("recall", "macro recall", recall, Some(paper.recall)),
        ("f1", "F1 of the means", f1_of_means, Some(paper.f1)),
        ("accuracy", "one-vs-rest accuracy", accuracy, Some(paper.accuracy)),
        ("loss", "loss", loss, Some(metrics.loss)),
    ]
}

fn of_tags(metrics: &MultiLabelMetrics) -> [Row; 8] {
    let auc_roc = "roc_auc_score(average=\"macro\")";
    let auc_pr = "average_precision_score(average=\"macro\")";
    let precision = "precision_score(average=\"macro\")";
    let recall = "recall_score(average=\"macro\")";
    let subset = "accuracy_score: all tags of a track are right";
    let loss = "mean binary cross-entropy of a tag, in nats";
    let hamming = "1 − hamming_loss";
    [
        ("auc_roc", "mean AUC-ROC", auc_roc, metrics.auc_roc),
        ("auc_pr", "mean AUC-PR", auc_pr, metrics.auc_pr),
        ("macro_f1", "macro F1", MACRO_F1, Some(metrics.macro_f1)),
        ("precision", "macro precision", precision, Some(metrics.precision)),
        ("recall", "macro recall", recall, Some(metrics.recall)),
        ("accuracy", "accuracy of the tags", hamming, Some(metrics.accuracy)),
        (
            "subset_accuracy",
            "subset accuracy",
            subset,
            Some(metrics.subset_accuracy),
        ),
        ("loss", "loss", loss, Some(metrics.loss)),
    ]
}

const MACRO_F1: &str = "f1_score(average=\"macro\")";

/// Tracks or frames that were evaluated.
pub fn samples(metrics: &SetMetrics) -> usize {
    match metrics {
        SetMetrics::Classes(metrics) => metrics.samples as usize,
        SetMetrics::Tags(metrics) => metrics.samples as usize,
    }
}

/// Names and F1 of the classes or tags.
pub fn f1_by_output(metrics: &SetMetrics) -> Vec<(&str, f64)> {
    match metrics {
        SetMetrics::Classes(metrics) => metrics.per_class.iter().map(|class| (&*class.name, class.f1)).collect(),
        SetMetrics::Tags(metrics) => metrics.per_tag.iter().map(|tag| (&*tag.name, tag.f1)).collect(),
    }
}

/// A metric with as many digits as are worth reading.
pub fn rounded(value: impl Into<Option<f64>>) -> String {
    value.into().map_or_else(|| "–".into(), |value| format!("{value:.3}"))
}

/// `0.481 to 0.523`.
pub fn interval(ends: Option<[f64; 2]>) -> String {
    ends.map_or_else(|| "–".into(), |[low, high]| format!("{low:.3} to {high:.3}"))
}
