//! The figures of a set under the names that scikit-learn uses, and what each of them is.

use crate::metrics::SetMetrics;

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// As `published.csv` names it.
    pub key: &'static str,
    pub name: &'static str,
    /// What it is, in scikit-learn's words where it has some.
    pub definition: &'static str,
    pub value: Option<f64>,
    pub lower_is_better: bool,
}

fn figure(key: &'static str, name: &'static str, definition: &'static str, value: Option<f64>) -> Figure {
    Figure {
        key,
        name,
        definition,
        value,
        lower_is_better: key == "loss",
    }
}

fn macro_f1(value: f64) -> Figure {
    figure("macro_f1", "macro F1", "f1_score(average=\"macro\")", Some(value))
}

fn precision(value: f64) -> Figure {
    figure(
        "precision",
        "macro precision",
        "precision_score(average=\"macro\")",
        Some(value),
    )
}

fn recall(value: f64) -> Figure {
    figure("recall", "macro recall", "recall_score(average=\"macro\")", Some(value))
}

/// All figures of a set, the main ones first.
pub fn figures(metrics: &SetMetrics) -> Vec<Figure> {
    match metrics {
        SetMetrics::Classes(metrics) => {
            let paper = metrics.paper;
            vec![
                figure("top1", "top-1", "accuracy_score", Some(metrics.top1)),
                macro_f1(metrics.macro_f1),
                precision(paper.precision),
                recall(paper.recall),
                figure(
                    "f1",
                    "F1 of the means",
                    "harmonic mean of macro precision and macro recall; not scikit-learn's",
                    Some(paper.f1),
                ),
                figure(
                    "accuracy",
                    "one-vs-rest accuracy",
                    "mean over classes of (TP + TN) / all; far above top-1 by its making",
                    Some(paper.accuracy),
                ),
                figure(
                    "loss",
                    "loss",
                    "log_loss: mean cross-entropy, in nats",
                    Some(metrics.loss),
                ),
            ]
        }
        SetMetrics::Tags(metrics) => vec![
            figure(
                "auc_roc",
                "mean AUC-ROC",
                "roc_auc_score(average=\"macro\")",
                metrics.auc_roc,
            ),
            figure(
                "auc_pr",
                "mean AUC-PR",
                "average_precision_score(average=\"macro\")",
                metrics.auc_pr,
            ),
            macro_f1(metrics.macro_f1),
            precision(metrics.precision),
            recall(metrics.recall),
            figure(
                "accuracy",
                "accuracy of the tags",
                "1 − hamming_loss",
                Some(metrics.accuracy),
            ),
            figure(
                "subset_accuracy",
                "subset accuracy",
                "accuracy_score: all tags of a track are right",
                Some(metrics.subset_accuracy),
            ),
            figure(
                "loss",
                "loss",
                "mean binary cross-entropy of a tag, in nats",
                Some(metrics.loss),
            ),
        ],
    }
}

/// Tracks or frames that were judged.
pub fn samples(metrics: &SetMetrics) -> u64 {
    match metrics {
        SetMetrics::Classes(metrics) => metrics.samples,
        SetMetrics::Tags(metrics) => metrics.samples,
    }
}

/// Names and F1 of the classes or tags.
pub fn f1_by_output(metrics: &SetMetrics) -> Vec<(&str, f64)> {
    match metrics {
        SetMetrics::Classes(metrics) => metrics.per_class.iter().map(|class| (&*class.name, class.f1)).collect(),
        SetMetrics::Tags(metrics) => metrics.per_tag.iter().map(|tag| (&*tag.name, tag.f1)).collect(),
    }
}
