//! What a classifier is judged by. True and predicted classes enter, figures leave; scikit-learn's definitions, and
//! beside them the paper's own, each under its own name.

mod classification;
mod confusion;
mod multilabel;
mod ranking;
mod set_metrics;
mod tally;

pub use classification::{ClassMetrics, ClassificationMetrics, PaperMetrics};
pub use confusion::ConfusionMatrix;
pub use multilabel::{MultiLabelMetrics, TagMetrics};
pub use ranking::{PrecisionRecallCurve, Ranking, RankingError, RocCurve, rankings, tune_thresholds};
pub use set_metrics::{Figures, SetMetrics, SetReport};
pub use tally::{ClassTally, TagTally, Tally, first_highest};
