//! `metrics.json`: the metrics of a run's best weights.

use super::reported_metric::ReportedMetric;
use crate::metrics::SetReport;
use crate::run::directory::{RunDirectory, RunError};
use crate::run::ending::Ending;
use crate::settings::RunConfig;
use serde::{Deserialize, Serialize};
use shared::dataset::split::Set;

pub const METRICS_FILE: &str = "metrics.json";

/// `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunMetrics {
    /// The model, or what a combined run is made of.
    pub model: String,
    pub split: String,
    /// The epoch whose weights are evaluated, counted from 1. `None` for a set of folds, each of which has its own, and for
    /// a combined run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub best_epoch: Option<usize>,
    /// Why training ended; `None` while it is running or after it was stopped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<Ending>,
    /// Metrics on the training set, without augmentation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train: Option<SetReport>,
    /// Metrics on the validation set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val: Option<SetReport>,
    /// Metrics on the test set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test: Option<SetReport>,
    /// Intervals and warnings of the main metrics of the evaluated sets.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub intervals: Vec<ReportedMetric>,
}

impl RunMetrics {
    /// Without any evaluation.
    pub fn new(config: &RunConfig, best_epoch: Option<usize>) -> Self {
        Self {
            model: config.model_name(),
            split: config.split.clone(),
            best_epoch,
            ended: None,
            train: None,
            val: None,
            test: None,
            intervals: Vec::new(),
        }
    }

    /// The evaluation whose thresholds `train predict` uses: that of the test set, else that of the validation set.
    pub fn of_predictions(&self) -> Option<&SetReport> {
        self.test.as_ref().or(self.val.as_ref())
    }

    /// A set's metrics, if it was evaluated.
    pub fn report(&self, set: Set) -> Option<&SetReport> {
        match set {
            Set::Train => self.train.as_ref(),
            Set::Val => self.val.as_ref(),
            Set::Test => self.test.as_ref(),
        }
    }
}

pub fn read_metrics(run: &RunDirectory) -> Result<RunMetrics, RunError> {
    let damaged = |detail: String| RunError::Damaged {
        path: run.path(METRICS_FILE),
        detail,
    };
    let bytes = run
        .read(METRICS_FILE)?
        .ok_or_else(|| damaged("it is missing; no epoch has been trained yet".into()))?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))
}

/// Records in `metrics.json` why training ended; `None` if it continues.
pub fn write_ending(run: &RunDirectory, ended: Option<Ending>) -> Result<(), RunError> {
    if ended.is_none() && !run.path(METRICS_FILE).exists() {
        return Ok(());
    }
    let metrics = read_metrics(run)?;
    write_metrics(run, &RunMetrics { ended, ..metrics })
}

/// Replaces the intervals of a set in `metrics.json`.
pub fn write_intervals(run: &RunDirectory, set: Set, reported: &[ReportedMetric]) -> Result<(), RunError> {
    let mut metrics = read_metrics(run)?;
    metrics.intervals.retain(|metric| metric.set != set.name());
    metrics.intervals.extend_from_slice(reported);
    write_metrics(run, &metrics)
}

pub(super) fn write_metrics(run: &RunDirectory, metrics: &RunMetrics) -> Result<(), RunError> {
    run.write_json(METRICS_FILE, metrics)
}
