//! Labels and scores in, metrics out: scikit-learn's definitions and the paper's own, each under its own name. Samples may be
//! weighted, for resampling. Nothing here knows of models, tracks or files.

mod classification;
mod confusion;
mod multilabel;
mod ranking;
mod set_metrics;
mod tally;

pub use classification::{ClassMetrics, ClassificationMetrics};
pub use confusion::ConfusionMatrix;
pub use multilabel::{MultiLabelMetrics, TagMetrics, mean};
pub use ranking::{PrecisionRecallCurve, Ranking, RankingError, RocCurve, SortedScores, rankings};
pub use set_metrics::{MetricSummary, SetMetrics, SetReport};
pub use tally::{Tally, first_highest};
