//! What a run leaves for people and scripts: `metrics.json`, `predictions.csv`, `confusion.csv`, pictures.

mod confusion;
mod curves;
pub mod html;
mod ranking;
pub mod standing;
mod tag_curves;
mod tag_table;
pub mod tensorboard;

use crate::evaluation::evaluate::Judgement;
use crate::metrics::{SetMetrics, SetReport, Tally};
use crate::models::ModelKind;
use crate::run::directory::{RunDirectory, RunError};
use crate::run::ending::Ending;
use crate::run::history::EpochRecord;
use crate::run::predictions::predictions_file;
use crate::settings::RunConfig;
use serde::{Deserialize, Serialize};
use shared::dataset::Task;
use shared::dataset::split::Set;
use shared::page::file;
use std::path::PathBuf;

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
    /// The epoch whose weights are evaluated, counted from 1; none of a set of folds, which has one for each.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub best_epoch: Option<usize>,
    /// Why training ended; none while it goes on, and where it was stopped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<Ending>,
    /// Figures on the training set, without augmentation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train: Option<SetReport>,
    /// Figures on the validation set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validation: Option<SetReport>,
    /// Figures on the test set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test: Option<SetReport>,
}

/// The names of a set's table and picture: confusion of classes, or figures of tags and their ranking. The test set's
/// are the plain ones.
pub fn set_files(set: Set, task: Task) -> (&'static str, &'static str) {
    match (task, set) {
        (Task::SingleLabel, Set::Train) => ("confusion-train.csv", "confusion-train.svg"),
        (Task::SingleLabel, Set::Val) => ("confusion-validation.csv", "confusion-validation.svg"),
        (Task::SingleLabel, Set::Test) => ("confusion.csv", "confusion.svg"),
        (Task::MultiLabel, Set::Train) => ("tags-train.csv", "ranking-train.svg"),
        (Task::MultiLabel, Set::Val) => ("tags-validation.csv", "ranking-validation.svg"),
        (Task::MultiLabel, Set::Test) => ("tags.csv", "ranking.svg"),
    }
}

/// Every file that evaluating a set may leave, besides its part of `metrics.json`: they belong to the weights that were
/// evaluated, and go when other weights take their place.
fn files_of_set(set: Set) -> [&'static str; 5] {
    let (confusion, matrix) = set_files(set, Task::SingleLabel);
    let (tags, ranking) = set_files(set, Task::MultiLabel);
    [predictions_file(set), confusion, matrix, tags, ranking]
}

/// Removes what evaluating any set has left, except `metrics.json`.
pub fn remove_sets(run: &RunDirectory) -> Result<(), RunError> {
    Set::ALL
        .into_iter()
        .flat_map(files_of_set)
        .try_for_each(|file| run.remove(file))
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
    report: SetReport,
    judgement: &Judgement,
) -> anyhow::Result<()> {
    let metrics = RunMetrics {
        model: config.model,
        split: config.split.clone(),
        best_epoch: Some(epoch.epoch),
        ended: None,
        train: None,
        validation: None,
        test: None,
    };
    remove_sets(run)?;
    write_set(run, config, metrics, Set::Val, report, judgement)
}

/// Adds a set's figures to `metrics.json` and writes its tables and picture.
pub fn write_set(
    run: &RunDirectory,
    config: &RunConfig,
    mut metrics: RunMetrics,
    set: Set,
    report: SetReport,
    judgement: &Judgement,
) -> anyhow::Result<()> {
    match &judgement.tracks {
        Tally::Classes(tally) => {
            let (table, picture) = set_files(set, Task::SingleLabel);
            run.write(table, &tally.confusion.to_csv(&config.classes))?;
            let chart = confusion::chart(&tally.confusion, &config.classes, set_name(set));
            run.write(picture, chart.file().as_bytes())?;
        }
        Tally::Tags(tally) => {
            let (table, picture) = set_files(set, Task::MultiLabel);
            run.write(table, &tag_table::to_csv(&report))?;
            let charts = ranking::charts(&tally.rankings()?, &config.classes, set_name(set));
            run.write(picture, file(&charts, 2).as_bytes())?;
        }
    }
    let predictions = match &report.tracks {
        SetMetrics::Classes(_) => judgement.predictions.to_csv(),
        SetMetrics::Tags(metrics) => judgement.predictions.clone().decided_at(&metrics.thresholds).to_csv(),
    };
    run.write(predictions_file(set), &predictions)?;
    let report = Some(report);
    match set {
        Set::Train => metrics.train = report,
        Set::Val => metrics.validation = report,
        Set::Test => metrics.test = report,
    }
    Ok(write_metrics(run, &metrics)?)
}

/// Records in `metrics.json` why training ended, or that it goes on.
pub fn write_ending(run: &RunDirectory, ended: Option<Ending>) -> Result<(), RunError> {
    if ended.is_none() && !run.path(METRICS_FILE).exists() {
        return Ok(());
    }
    let metrics = read_metrics(run)?;
    write_metrics(run, &RunMetrics { ended, ..metrics })
}

fn write_metrics(run: &RunDirectory, metrics: &RunMetrics) -> Result<(), RunError> {
    let mut json = serde_json::to_vec_pretty(metrics).expect("plain data always serializes");
    json.push(b'\n');
    run.write(METRICS_FILE, &json)
}

/// Writes the run's page and gives its path. Where that fails it warns: what the page is about is safe, and no reason
/// to call a training failed.
pub fn write_page(run: &RunDirectory, config: &RunConfig, options: &html::Options<'_>) -> Option<PathBuf> {
    match html::write(run, config, options) {
        Ok(path) => Some(path),
        Err(error) => {
            tracing::warn!(
                "{} was not written, and all else was: {error:#}",
                run.path(html::REPORT_FILE).display()
            );
            None
        }
    }
}

/// Draws loss and F1 over the epochs.
pub fn write_curves(run: &RunDirectory, history: &[EpochRecord]) -> Result<(), RunError> {
    run.write(CURVES_FILE, curves::picture(history).as_bytes())
}

/// A set's name in a sentence.
fn set_name(set: Set) -> &'static str {
    match set {
        Set::Train => "training",
        Set::Val => "validation",
        Set::Test => "test",
    }
}
