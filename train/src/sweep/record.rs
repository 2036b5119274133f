//! The results of a trial, `trials/NNNN.json`, written whenever its training ends or fails.

use crate::metrics::MetricSummary;
use serde::{Deserialize, Serialize};

/// A trial's results after each rung; there is one rung without successive halving.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRecord {
    /// In the order of the rungs.
    pub rungs: Vec<RungResult>,
    /// The error message of a failed trial.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// The result of a trial at the end of a rung.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RungResult {
    /// Total number of epochs; fewer than scheduled if early stopping ended it.
    pub epochs: usize,
    /// The epoch with the best validation metric, counted from 1.
    pub best_epoch: usize,
    /// Total training time in seconds, without validation.
    pub seconds: f64,
    /// Validation metrics of the best epoch.
    pub val: MetricSummary,
}

impl TrialRecord {
    pub fn last(&self) -> Option<&RungResult> {
        self.rungs.last()
    }
}
