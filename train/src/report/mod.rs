//! What a run leaves for people and scripts: `metrics.json`, `confusion.csv`, pictures.

mod confusion_picture;
mod curves;
mod font;
pub mod ranking_picture;

use crate::config::RunConfig;
use crate::history::EpochRecord;
use crate::metrics::{ClassificationMetrics, Tally};
use crate::models::ModelKind;
use crate::run_directory::{RunDirectory, RunError};
use serde::{Deserialize, Serialize};
use shared::split::Set;

/// A run's figures.
pub const METRICS_FILE: &str = "metrics.json";
/// Loss and F1 over the epochs.
pub const CURVES_FILE: &str = "curves.svg";

/// `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunMetrics {
    /// The system.
    pub model: ModelKind,
    /// The split.
    pub split: String,
    /// The epoch whose weights are judged, counted from 1.
    pub best_epoch: usize,
    /// Figures on the training set, without augmentation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train: Option<ClassificationMetrics>,
    /// Figures on the validation set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validation: Option<ClassificationMetrics>,
    /// Figures on the test set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test: Option<ClassificationMetrics>,
}

/// A picture that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("could not draw {file}: {detail}")]
pub struct DrawError {
    file: &'static str,
    detail: String,
}

/// The names of a set's confusion table and picture. The test set's are the plain ones.
pub fn confusion_files(set: Set) -> (&'static str, &'static str) {
    match set {
        Set::Train => ("confusion-train.csv", "confusion-train.svg"),
        Set::Val => ("confusion-validation.csv", "confusion-validation.svg"),
        Set::Test => ("confusion.csv", "confusion.svg"),
    }
}

/// Reads `metrics.json`.
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

/// Begins `metrics.json` anew with a better epoch's validation figures: those of other sets belonged to other weights.
pub fn write_validation(
    run: &RunDirectory,
    config: &RunConfig,
    epoch: &EpochRecord,
    tally: &Tally,
) -> anyhow::Result<()> {
    let metrics = RunMetrics {
        model: config.model,
        split: config.split.clone(),
        best_epoch: epoch.epoch,
        train: None,
        validation: None,
        test: None,
    };
    write_set(run, config, metrics, Set::Val, tally)
}

/// Adds a set's figures to `metrics.json` and writes its confusion table and picture.
pub fn write_set(
    run: &RunDirectory,
    config: &RunConfig,
    mut metrics: RunMetrics,
    set: Set,
    tally: &Tally,
) -> anyhow::Result<()> {
    let figures = Some(tally.metrics(&config.classes));
    match set {
        Set::Train => metrics.train = figures,
        Set::Val => metrics.validation = figures,
        Set::Test => metrics.test = figures,
    }
    let (table, picture) = confusion_files(set);
    run.write(table, &tally.confusion.to_csv(&config.classes))?;
    run.write(
        picture,
        &confusion_picture::draw(&tally.confusion, &config.classes, set)?,
    )?;
    let mut json = serde_json::to_vec_pretty(&metrics)?;
    json.push(b'\n');
    Ok(run.write(METRICS_FILE, &json)?)
}

/// Draws loss and F1 over the epochs.
pub fn write_curves(run: &RunDirectory, history: &[EpochRecord]) -> anyhow::Result<()> {
    Ok(run.write(CURVES_FILE, &curves::draw(history)?)?)
}
