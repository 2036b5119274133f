//! Writes the metrics, tables, pictures and the page of a run.

use super::run_metrics::{RunMetrics, write_metrics};
use super::set_files::{remove_sets, set_files, set_name};
use super::{confusion, curves, html, ranking, tag_table};
use crate::evaluation::evaluate::Evaluation;
use crate::metrics::{SetMetrics, SetReport, Tally};
use crate::run::directory::{RunDirectory, RunError};
use crate::run::embedding_map::EmbeddingMap;
use crate::run::history::EpochRecord;
use crate::run::predictions::predictions_file;
use crate::settings::RunConfig;
use shared::dataset::Task;
use shared::dataset::split::Set;
use shared::page::file;
use std::path::PathBuf;

/// Loss and macro F1 by epoch.
pub const CURVES_FILE: &str = "curves.svg";

/// Replaces `metrics.json` with the validation metrics of a better epoch. Metrics of other sets belonged to the old
/// weights and are dropped.
pub fn write_validation(
    run: &RunDirectory,
    config: &RunConfig,
    epoch: &EpochRecord,
    report: SetReport,
    evaluation: &Evaluation,
) -> anyhow::Result<()> {
    let metrics = RunMetrics::new(config, Some(epoch.epoch));
    remove_sets(run)?;
    write_set(run, config, metrics, Set::Val, report, evaluation)
}

/// Adds a set's metrics to `metrics.json` and writes its tables and picture.
pub fn write_set(
    run: &RunDirectory,
    config: &RunConfig,
    mut metrics: RunMetrics,
    set: Set,
    report: SetReport,
    evaluation: &Evaluation,
) -> anyhow::Result<()> {
    match &evaluation.tracks {
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
        SetMetrics::Classes(_) => evaluation.predictions.to_csv(),
        SetMetrics::Tags(metrics) => evaluation.predictions.clone().decided_at(&metrics.thresholds).to_csv(),
    };
    run.write(predictions_file(set), &predictions)?;
    EmbeddingMap::replace(evaluation.map.as_ref(), run, set)?;
    metrics.intervals.retain(|metric| metric.set != set.name());
    let report = Some(report);
    match set {
        Set::Train => metrics.train = report,
        Set::Val => metrics.val = report,
        Set::Test => metrics.test = report,
    }
    Ok(write_metrics(run, &metrics)?)
}

/// Writes the run's page and returns its path. Only warns if that fails, because all results are saved and the training
/// did not fail.
pub fn write_page(run: &RunDirectory, config: &RunConfig, options: &html::Options<'_>) -> Option<PathBuf> {
    match html::write(run, config, options) {
        Ok(path) => Some(path),
        Err(error) => {
            tracing::warn!("could not make the report, but all other files are written: {error:#}");
            None
        }
    }
}

/// Draws loss and macro F1 by epoch.
pub fn write_curves(run: &RunDirectory, history: &[EpochRecord]) -> Result<(), RunError> {
    run.write(CURVES_FILE, curves::picture(history).as_bytes())
}
