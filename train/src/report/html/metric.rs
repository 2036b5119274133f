//! The metrics of a set, with definitions in terms of scikit-learn.

use crate::metrics::{ClassificationMetrics, MultiLabelMetrics, SetMetrics, SetReport};

/// One metric of a set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// The name in `published.csv`.
    pub key: &'static str,
    pub name: &'static str,
    /// The scikit-learn function, or a formula if there is none.
    pub definition: &'static str,
    pub value: Option<f64>,
}

impl Metric {
    pub fn lower_is_better(&self) -> bool {
        matches!(self.key, "loss" | "ece")
    }
}

/// A metric's key, name, definition and value.
type Row = (&'static str, &'static str, &'static str, Option<f64>);

/// All metrics of a set, the main ones first.
pub fn metrics(report: &SetReport) -> Vec<Metric> {
    let rows = match &report.tracks {
        SetMetrics::Classes(metrics) => single_label(metrics).to_vec(),
        SetMetrics::Tags(metrics) => multi_label(metrics).to_vec(),
    };
    let metric = |(key, name, definition, value)| Metric {
        key,
        name,
        definition,
        value,
    };
    rows.into_iter()
        .chain([("ece", "calibration error", ECE, Some(report.ece))])
        .map(metric)
        .collect()
}

fn single_label(metrics: &ClassificationMetrics) -> [Row; 7] {
    let paper = metrics.paper;
    let precision = "precision_score(average=\"macro\")";
    let recall = "recall_score(average=\"macro\")";
    let f1_of_means = "harmonic mean of macro precision and macro recall; not in scikit-learn";
    let accuracy = "mean over classes of (TP + TN) / all; counts true negatives, so it is far above top-1";
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

fn multi_label(metrics: &MultiLabelMetrics) -> [Row; 8] {
    let auc_roc = "roc_auc_score(average=\"macro\")";
    let auc_pr = "average_precision_score(average=\"macro\")";
    let precision = "precision_score(average=\"macro\")";
    let recall = "recall_score(average=\"macro\")";
    let subset = "accuracy_score: fraction of tracks whose tags are all correct";
    let loss = "mean binary cross-entropy per tag, in nats";
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

/// The expected calibration error.
const ECE: &str = "ECE of 15 bins, Guo et al. (2017); not in scikit-learn";

/// Number of evaluated tracks.
pub fn samples(metrics: &SetMetrics) -> usize {
    match metrics {
        SetMetrics::Classes(metrics) => metrics.samples as usize,
        SetMetrics::Tags(metrics) => metrics.samples as usize,
    }
}

/// Name and F1 of each class or tag.
pub fn f1_by_output(metrics: &SetMetrics) -> Vec<(&str, f64)> {
    match metrics {
        SetMetrics::Classes(metrics) => metrics.per_class.iter().map(|class| (&*class.name, class.f1)).collect(),
        SetMetrics::Tags(metrics) => metrics.per_tag.iter().map(|tag| (&*tag.name, tag.f1)).collect(),
    }
}

/// A metric with three decimals.
pub fn rounded(value: impl Into<Option<f64>>) -> String {
    value.into().map_or_else(|| "–".into(), |value| format!("{value:.3}"))
}

/// `0.481 to 0.523`.
pub fn interval(ends: Option<[f64; 2]>) -> String {
    ends.map_or_else(|| "–".into(), |[low, high]| format!("{low:.3} to {high:.3}"))
}
