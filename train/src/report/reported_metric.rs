//! How far a run's metrics can be trusted: what is known of them beyond one number.
//!
//! Plain data, worked out elsewhere from predictions and splits; pages and tables show it.

use serde::{Deserialize, Serialize};

/// A metric of a run, or of several that differ in their seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportedMetric {
    /// Its name as reports print it: `top-1`, `macro F1`, `mean AUC-ROC`.
    pub metric: String,
    /// The set that it was measured on: `train`, `val`, `test`.
    pub set: String,
    /// The metric, or its mean over the runs.
    pub mean: f64,
    /// The interval that holds the metric in 95 % of resamplings, lower end first.
    pub interval: Option<[f64; 2]>,
    /// What was resampled, in words: `bootstrap over 800 tracks`, `over 5 seeds`. Empty where there is no interval.
    pub method: String,
    /// Runs that the mean is taken over.
    pub runs: usize,
    /// Why the metric should not be taken at its word, each a sentence: `12 artists stand in train and test`. Empty
    /// where nothing is known against it.
    pub warnings: Vec<String>,
}

/// Two runs evaluated on the same tracks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedTest {
    /// The metric that is compared.
    pub metric: String,
    /// The two runs, as pages name them.
    pub runs: [String; 2],
    /// The second's metric less the first's.
    pub difference: f64,
    /// The interval that holds the difference in 95 % of resamplings, lower end first.
    pub interval: Option<[f64; 2]>,
    /// How likely a difference as large is where there is none, from 0 to 1.
    pub p_value: f64,
    /// The test's name: `McNemar`, `paired bootstrap`.
    pub method: String,
}
