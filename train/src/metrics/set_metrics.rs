//! The metrics of a set of tracks, for single-label and multi-label data.

use super::classification::ClassificationMetrics;
use super::confusion::ratio;
use super::multilabel::MultiLabelMetrics;
use crate::models::Monitor;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Serialized to JSON without a variant name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SetMetrics {
    Classes(ClassificationMetrics),
    Tags(MultiLabelMetrics),
}

impl SetMetrics {
    /// The metrics as phrases. Indented by two, each fits a line of the terminal.
    pub fn describe(&self) -> Vec<String> {
        let format_area = |area: Option<f64>| area.map_or("undefined".into(), |area| format!("{area:.4}"));
        match self {
            Self::Classes(metrics) => {
                let paper = metrics.paper;
                vec![
                    format!(
                        "macro F1 {:.4}, top-1 {:.4}, loss {:.4} over {} samples",
                        metrics.macro_f1, metrics.top1, metrics.loss, metrics.samples
                    ),
                    format!(
                        "one-vs-rest accuracy {:.4}, macro precision {:.4}, macro recall {:.4}",
                        paper.accuracy, paper.precision, paper.recall
                    ),
                    format!("F1 of these means {:.4}", paper.f1),
                ]
            }
            Self::Tags(metrics) => vec![
                format!(
                    "mean AUC-ROC {}, AUC-PR {}, loss {:.4} over {} samples",
                    format_area(metrics.auc_roc),
                    format_area(metrics.auc_pr),
                    metrics.loss,
                    metrics.samples
                ),
                format!(
                    "accuracy {:.4}, precision {:.4}, recall {:.4}, F1 {:.4}",
                    metrics.accuracy, metrics.precision, metrics.recall, metrics.macro_f1
                ),
            ],
        }
    }

    /// The metrics below a heading.
    pub fn below(&self, heading: &str) -> String {
        format!("{heading}\n  {}", self.describe().join("\n  "))
    }
}

/// A set's metrics per track and, if tracks have several clips, per clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetReport {
    /// One sample per track: its probabilities are the mean over its clips, and its loss is that of the mean.
    #[serde(flatten)]
    pub tracks: SetMetrics,
    /// Expected calibration error of the tracks' probabilities; see [`ReliabilityCurve`](super::ReliabilityCurve).
    pub ece: f64,
    pub clips: u64,
    /// One sample per clip; `None` if no track has several clips.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub per_clip: Option<SetMetrics>,
}

/// The metrics of one set in one epoch: columns of `history.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary {
    pub loss: f64,
    /// See [`ClassificationMetrics::top1`]; `None` for multi-label data.
    pub top1: Option<f64>,
    /// Mean of the classes' or tags' F1.
    pub macro_f1: f64,
    /// The paper's accuracy, precision, recall and F1. For multi-label data, the means of accuracy, precision and
    /// recall over tags, and the harmonic mean of the last two.
    pub paper: [f64; 4],
    /// Mean area under the tags' ROC curves; `None` for single-label data.
    pub auc_roc: Option<f64>,
    /// Mean area under the tags' precision-recall curves; `None` for single-label data.
    pub auc_pr: Option<f64>,
}

impl From<&SetMetrics> for MetricSummary {
    fn from(metrics: &SetMetrics) -> Self {
        match metrics {
            SetMetrics::Classes(metrics) => {
                let paper = metrics.paper;
                Self {
                    loss: metrics.loss,
                    top1: Some(metrics.top1),
                    macro_f1: metrics.macro_f1,
                    paper: [paper.accuracy, paper.precision, paper.recall, paper.f1],
                    auc_roc: None,
                    auc_pr: None,
                }
            }
            SetMetrics::Tags(metrics) => {
                let (precision, recall) = (metrics.precision, metrics.recall);
                let f1 = ratio(2.0 * precision * recall, precision + recall);
                Self {
                    loss: metrics.loss,
                    top1: None,
                    macro_f1: metrics.macro_f1,
                    paper: [metrics.accuracy, precision, recall, f1],
                    auc_roc: metrics.auc_roc,
                    auc_pr: metrics.auc_pr,
                }
            }
        }
    }
}

impl MetricSummary {
    /// Whether these metrics are better than `other` by the monitored metric. An undefined area is worse than any.
    pub fn better(&self, other: &Self, monitor: Monitor) -> bool {
        self.ranked(other, monitor) == Ordering::Less
    }

    /// Orders the better metrics first, by the monitored metric. Undefined metrics come last.
    pub fn ranked(&self, other: &Self, monitor: Monitor) -> Ordering {
        match (self.watched(monitor), other.watched(monitor)) {
            (Some(one), Some(two)) if monitor.lower_is_better() => one.total_cmp(&two),
            (Some(one), Some(two)) => two.total_cmp(&one),
            (one, two) => two.is_some().cmp(&one.is_some()),
        }
    }

    /// The monitored metric; `None` if it is undefined.
    pub fn watched(&self, monitor: Monitor) -> Option<f64> {
        match monitor {
            Monitor::Loss => Some(self.loss),
            Monitor::Accuracy => Some(self.top1.unwrap_or(self.paper[0])),
            Monitor::MacroF1 => Some(self.macro_f1),
            Monitor::Precision => Some(self.paper[1]),
            Monitor::Recall => Some(self.paper[2]),
            Monitor::AucRoc => self.auc_roc,
            Monitor::AucPr => self.auc_pr,
        }
    }

    /// Whether the monitored metric is better than that of `other` by more than `min_delta`.
    pub fn improves(&self, other: &Self, monitor: Monitor, min_delta: f64) -> bool {
        match (self.watched(monitor), other.watched(monitor)) {
            (Some(one), Some(two)) if monitor.lower_is_better() => two - one > min_delta,
            (Some(one), Some(two)) => one - two > min_delta,
            (one, two) => one.is_some() && two.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::confusion::ConfusionMatrix;
    use super::*;

    #[test]
    fn single_and_multi_label_reports_round_trip_through_json() {
        let names = ["a", "b"].map(String::from);
        let classes = SetMetrics::Classes(ClassificationMetrics::new(&ConfusionMatrix::new(2), &names, 0.5));
        let tags = MultiLabelMetrics::new(&[0.5, 0.1], &[true, false], &names, 0.25, None).unwrap();
        let tags = SetMetrics::Tags(tags);
        for (tracks, clips) in [(&classes, None), (&classes, Some(&classes)), (&tags, Some(&tags))] {
            let report = SetReport {
                tracks: tracks.clone(),
                ece: 0.25,
                clips: 7,
                per_clip: clips.cloned(),
            };
            let json = serde_json::to_value(&report).unwrap();
            assert!(
                json["macro_f1"].is_number() && json["loss"].is_number() && json["ece"] == 0.25,
                "{json}"
            );
            assert_eq!(serde_json::from_value::<SetReport>(json).unwrap(), report);
        }
    }

    #[test]
    fn each_monitor_compares_its_metric() {
        let worse = MetricSummary {
            loss: 1.0,
            top1: Some(0.5),
            macro_f1: 0.5,
            paper: [0.5; 4],
            auc_roc: None,
            auc_pr: None,
        };
        for (monitor, better) in [
            (Monitor::Loss, MetricSummary { loss: 0.9, ..worse }),
            (
                Monitor::Accuracy,
                MetricSummary {
                    top1: Some(0.6),
                    ..worse
                },
            ),
            (Monitor::MacroF1, MetricSummary { macro_f1: 0.6, ..worse }),
            (
                Monitor::Precision,
                MetricSummary {
                    paper: [0.5, 0.6, 0.5, 0.5],
                    ..worse
                },
            ),
            (
                Monitor::Recall,
                MetricSummary {
                    paper: [0.5, 0.5, 0.6, 0.5],
                    ..worse
                },
            ),
            (
                Monitor::AucRoc,
                MetricSummary {
                    auc_roc: Some(0.1),
                    ..worse
                },
            ),
            (
                Monitor::AucPr,
                MetricSummary {
                    auc_pr: Some(0.1),
                    ..worse
                },
            ),
        ] {
            assert!(better.better(&worse, monitor) && !worse.better(&better, monitor));
            assert!(better.improves(&worse, monitor, 0.0) && !worse.improves(&better, monitor, 0.0));
            // By 0.1, or from undefined to defined.
            let defined = worse.watched(monitor).is_some();
            assert!(better.improves(&worse, monitor, 0.05));
            assert_eq!(better.improves(&worse, monitor, 0.2), !defined);
            assert!(!worse.improves(&worse, monitor, 0.0));
            assert!(!worse.better(&worse, monitor));
        }
        let tags = |accuracy| MetricSummary {
            top1: None,
            paper: [accuracy; 4],
            ..worse
        };
        assert!(tags(0.8).better(&tags(0.7), Monitor::Accuracy));
    }
}
