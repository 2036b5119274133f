//! The metrics and predictions of one run on a set, which must agree.

use super::predicted_set::PredictedSet;
use crate::metrics::SetMetrics;
use crate::report::{METRICS_FILE, read_metrics};
use crate::run::directory::RunDirectory;
use crate::run::evaluations;
use crate::run::history::HISTORY_FILE;
use crate::run::predictions::{Predictions, predictions_file};
use crate::run::set::RunSet;
use crate::settings::RunConfig;
use anyhow::{Context, ensure};
use shared::dataset::Task;
use shared::dataset::split::Set;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Tolerated difference between `metrics.json` and the metrics of the predictions, which are stored as `f32`.
const TOLERANCE: f64 = 1e-9;

/// The results of one run on one set.
pub(super) struct RunResults {
    pub path: PathBuf,
    pub config: RunConfig,
    pub task: Task,
    pub predictions: Predictions,
    /// Number of epochs whose weights were evaluated on the test set.
    pub tested_epochs: usize,
    /// Whether training has not finished.
    pub unfinished: bool,
}

impl RunResults {
    /// `None` if the run was not evaluated on the set.
    ///
    /// # Errors
    /// If files are missing, unreadable or contradictory.
    pub fn read(path: &Path, set: Set) -> anyhow::Result<Option<Self>> {
        if RunSet::is_at(path.parent().unwrap_or(path)) && !RunDirectory::is_at(path) {
            // A member of a set of runs that was not started yet.
            return Ok(None);
        }
        let (run, config) = RunDirectory::open(path)?;
        if !run.path(METRICS_FILE).exists() {
            return Ok(None);
        }
        let metrics = read_metrics(&run)?;
        let Some(report) = metrics.report(set) else {
            return Ok(None);
        };
        let (task, predictions) = read_predictions(&run, set, &config.classes, &report.tracks)?;
        let tested: BTreeSet<usize> = evaluations::read(&run)?
            .into_iter()
            .filter(|evaluated| evaluated.set == Set::Test)
            .map(|evaluated| evaluated.best_epoch)
            .collect();
        let history = run.read(HISTORY_FILE)?.unwrap_or_default();
        let trained = csv::Reader::from_reader(&history[..]).records().count();
        Ok(Some(Self {
            path: path.to_owned(),
            unfinished: config.imported_from.is_none()
                && config.combination.is_none()
                && trained < config.epochs
                && metrics.ended.is_none(),
            tested_epochs: tested.len(),
            config,
            task,
            predictions,
        }))
    }
}

/// Reads the predictions of a set and checks that they give `metrics`.
fn read_predictions(
    run: &RunDirectory,
    set: Set,
    classes: &[String],
    metrics: &SetMetrics,
) -> anyhow::Result<(Task, Predictions)> {
    let file = predictions_file(set);
    let table = run.path(file);
    let table = table.display();
    let again = format!(
        "evaluate again with `train eval --run {} --set {}`",
        run.root().display(),
        set.name()
    );
    let bytes = run
        .read(file)?
        .with_context(|| format!("{table} is missing; {again}"))?;
    let predictions = Predictions::from_csv(&bytes).with_context(|| format!("{table} cannot be read; {again}"))?;
    let (task, stated) = match metrics {
        SetMetrics::Classes(metrics) => (Task::SingleLabel, [Some(metrics.top1), Some(metrics.macro_f1)]),
        SetMetrics::Tags(metrics) => (Task::MultiLabel, [metrics.auc_roc, metrics.auc_pr]),
    };
    let predicted = PredictedSet::new(task, std::slice::from_ref(&predictions));
    let predicted = predicted.with_context(|| format!("{table} cannot be used; {again}"))?;
    let agree = |(found, stated): (f64, Option<f64>)| match stated {
        Some(stated) => (found - stated).abs() <= TOLERANCE,
        None => found.is_nan(),
    };
    ensure!(
        predicted.plain_metrics()[0].into_iter().zip(stated).all(agree),
        "{table} does not give the metrics of metrics.json; {again}"
    );
    ensure!(
        predictions.classes == classes,
        "the classes of {table} are not those of the run; {again}"
    );
    Ok((task, predictions))
}
