//! Intervals, warnings and paired tests of a run's metrics, as pages and tables show them. Crate module `compare`
//! computes them.

use serde::{Deserialize, Serialize};

/// A metric of a run, or of several runs with different seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportedMetric {
    /// The name in reports: `top-1`, `macro F1`, `mean AUC-ROC`.
    pub metric: String,
    /// The evaluated set: `train`, `val`, `test`.
    pub set: String,
    /// The value, or its mean over the runs.
    pub mean: f64,
    /// The 95 % bootstrap interval, lower end first.
    pub interval: Option<[f64; 2]>,
    /// How the interval was computed: `bootstrap over 160 artists and 5 seeds`. Empty without an interval.
    pub method: String,
    /// Number of runs that the mean is taken over.
    pub runs: usize,
    /// Reasons not to trust the metric, one sentence each: `80 tracks are by artists who also appear in another set`.
    pub warnings: Vec<String>,
}

/// Two runs evaluated on the same tracks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedTest {
    /// The compared metric.
    pub metric: String,
    /// The two runs, as pages name them.
    pub runs: [String; 2],
    /// The second run's metric minus the first's.
    pub difference: f64,
    /// The 95 % bootstrap interval of the difference, lower end first.
    pub interval: Option<[f64; 2]>,
    /// The probability of a difference at least as large if the runs are equally good.
    pub p_value: f64,
    /// The test's name: `McNemar`, `paired bootstrap`.
    pub method: String,
}
