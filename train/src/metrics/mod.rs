//! Metrics from labels and scores: scikit-learn's definitions and the paper's own, under separate names. Samples can be
//! weighted, for bootstrap resampling.

mod calibration;
mod classification;
mod confusion;
mod multilabel;
mod ranking;
mod set_metrics;
mod tally;

pub use calibration::{RELIABILITY_BINS, ReliabilityCurve};
pub use classification::{ClassMetrics, ClassificationMetrics};
pub use confusion::ConfusionMatrix;
pub use multilabel::{DEFAULT_THRESHOLD, MultiLabelMetrics, TagMetrics, mean};
pub use ranking::{PrecisionRecallCurve, Ranking, RankingError, RocCurve, SortedScores, rankings};
pub use set_metrics::{MetricSummary, SetMetrics, SetReport};
pub use tally::{Tally, first_highest};
