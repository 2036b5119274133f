//! The results of a trial: `trials/NNNN.json`, written when its training ends, however it ends.

use crate::metrics::MetricSummary;
use serde::{Deserialize, Serialize};

/// A trial's results, rung by rung; without halving there is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRecord {
    /// In the order of the rungs.
    pub rungs: Vec<RungResult>,
    /// Why it goes no further, where an error ended it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// A trial at the end of a rung.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RungResult {
    /// Epochs trained since the trial began; fewer than were due where its patience ended it.
    pub epochs: usize,
    /// The one with the best validation metric, counted from 1.
    pub best_epoch: usize,
    /// Seconds of training since the trial began, without validation.
    pub seconds: f64,
    /// Metrics of that epoch on the validation set.
    pub val: MetricSummary,
}

impl TrialRecord {
    pub fn last(&self) -> Option<&RungResult> {
        self.rungs.last()
    }
}
