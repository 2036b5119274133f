//! `train eval` of one run.

use super::{Outcome, UsageError, calibrate, imported};
use crate::cli::EvalArgs;
use crate::combine::{DataOptions, RunModel, RunOnData};
use crate::compare::Entry;
use crate::data::integrity::verify;
use crate::data::run_data::training_kinds;
use crate::evaluation::evaluate::Evaluation;
use crate::metrics::{DEFAULT_THRESHOLD, SetMetrics, SetReport, Tally};
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::report::reported_metric::ReportedMetric;
use crate::report::{self, METRICS_FILE, RunMetrics, html, set_files};
use crate::run::calibration::Calibration;
use crate::run::directory::RunDirectory;
use crate::run::evaluations::{self, EvaluatedEpoch};
use crate::run::split_copy;
use crate::settings::RunConfig;
use crate::settings::device::DeviceChoice;
use anyhow::{Context, bail};
use serde_json::json;
use shared::dataset::Task;
use shared::dataset::split::Set;
use std::path::{Path, PathBuf};
use tracing::warn;

/// The evaluation of a run on one set.
pub(super) struct RunEvaluation {
    run: RunDirectory,
    set: Set,
    split: String,
    task: Task,
    device: String,
    page: Option<PathBuf>,
    /// Of a combined run. Those of other runs are on their page.
    intervals: Vec<ReportedMetric>,
    /// `None` for an imported or combined run.
    pub(super) best_epoch: Option<usize>,
    /// Of the run's own network.
    calibration: Option<Calibration>,
    pub(super) report: SetReport,
}

/// How to evaluate.
pub(super) struct Options {
    pub(super) set: Set,
    pub(super) calibrate: bool,
    pub(super) tune_thresholds: bool,
    pub(super) audio: bool,
    pub(super) verify: bool,
}

/// Evaluates one run's best weights, or the runs that it combines.
pub(super) fn eval_run(
    root: &Path,
    args: &EvalArgs,
    watch: &FaultWatch,
    console: Console,
) -> anyhow::Result<RunEvaluation> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    let (run, mut config) = RunDirectory::resume(root)?;
    if args.calibrate {
        calibrate::check(root, &config)?;
    }
    if config.imported_from.is_some() {
        watch.advise("run the same command again");
        config = imported::attach(&run, config, args, watch, console)?;
    } else if let Some(moved) = &args.data {
        config.data.clone_from(moved);
    }
    let model = RunModel::read(root)?;
    watch_networks(&model, args, watch);
    if let Some(name) = &args.split {
        split_copy::check_named(name, &config, root)?;
    }
    let (device, device_name) = choice.open()?;
    let options = DataOptions {
        data: args.data.clone(),
        eval_clips: args.eval_clips,
    };
    let mut opened = RunOnData::open(model, &options, &device)?;
    let options = Options {
        set: Set::from(args.set),
        calibrate: args.calibrate,
        tune_thresholds: args.tune_thresholds,
        audio: args.audio,
        verify: args.verify,
    };
    let evaluated = evaluate_into(run, &config, &mut opened, &options, device_name)?;
    console.line(&format!("evaluated {} on {}", config.model_name(), evaluated.device));
    Ok(evaluated)
}

/// Registers the data sets of all networks, which may disappear while they are read.
pub(super) fn watch_networks(model: &RunModel, args: &EvalArgs, watch: &FaultWatch) {
    for network in model.networks() {
        watch.dataset(args.data.as_ref().unwrap_or(&network.config.data));
    }
    watch.advise("run the same command again");
}

/// Evaluates an opened run on a set and writes the results into its directory.
pub(super) fn evaluate_into(
    run: RunDirectory,
    config: &RunConfig,
    opened: &mut RunOnData,
    options: &Options,
    device: String,
) -> anyhow::Result<RunEvaluation> {
    let task = opened.data().dataset.task();
    if options.tune_thresholds && task == Task::SingleLabel {
        bail!("--tune-thresholds is only for multi-label runs; leave it out");
    }
    // Before the evaluation, which takes longer.
    let mut metrics = metrics(&run, config)?;
    if options.verify {
        for network in opened.networks() {
            verify(
                &network.data.dataset,
                &training_kinds(&network.config, &network.data.features),
                &|| None,
            )?;
        }
    }
    let loses_thresholds = loses_thresholds(&metrics, options);
    let validation = if options.calibrate {
        let (evaluation, without_sets) = calibrate::calibrate(&run, opened, metrics)?;
        metrics = without_sets;
        Some(evaluation)
    } else if options.tune_thresholds {
        Some(opened.evaluate(Set::Val)?)
    } else {
        None
    };
    let thresholds = validation
        .as_ref()
        .filter(|_| options.tune_thresholds)
        .map(tuned_thresholds)
        .transpose()?;
    if thresholds.is_none() && loses_thresholds {
        warn!(
            "tags have the threshold {DEFAULT_THRESHOLD} again, also in `train predict`; with --tune-thresholds they are tuned"
        );
    }
    let evaluation = match validation {
        Some(validation) if options.set == Set::Val => validation,
        Some(validation) if options.calibrate => {
            let report = validation.report(&config.classes, thresholds.as_deref())?;
            report::write_set(&run, config, metrics, Set::Val, report, &validation)?;
            metrics = report::read_metrics(&run)?;
            opened.evaluate(options.set)?
        }
        _ => opened.evaluate(options.set)?,
    };
    write_evaluation(
        run,
        config,
        metrics,
        &evaluation,
        thresholds.as_deref(),
        options,
        device,
    )
}

/// Whether an evaluation replaces tuned thresholds that `train predict` uses.
fn loses_thresholds(metrics: &RunMetrics, options: &Options) -> bool {
    let replaces = options.calibrate
        || match options.set {
            Set::Test => true,
            Set::Val => metrics.test.is_none(),
            Set::Train => false,
        };
    match metrics.of_predictions().map(|report| &report.tracks) {
        Some(SetMetrics::Tags(tags)) if replaces => tags.per_tag.iter().any(|tag| tag.threshold != DEFAULT_THRESHOLD),
        _ => false,
    }
}

/// The metrics of the run so far. An imported or combined run has none before its first evaluation.
pub(super) fn metrics(run: &RunDirectory, config: &RunConfig) -> anyhow::Result<RunMetrics> {
    let trained = config.combination.is_none() && config.imported_from.is_none();
    if !trained && !run.path(METRICS_FILE).exists() {
        return Ok(RunMetrics::new(config, None));
    }
    let metrics = report::read_metrics(run)?;
    if trained {
        metrics.best_epoch.context("metrics.json has no best epoch")?;
    }
    Ok(metrics)
}

/// Writes metrics, tables and the page of an evaluation.
pub(super) fn write_evaluation(
    run: RunDirectory,
    config: &RunConfig,
    metrics: RunMetrics,
    evaluation: &Evaluation,
    thresholds: Option<&[f64]>,
    options: &Options,
    device: String,
) -> anyhow::Result<RunEvaluation> {
    let (set, best_epoch) = (options.set, metrics.best_epoch);
    let report = evaluation.report(&config.classes, thresholds)?;
    let calibration = Calibration::read(&run)?;
    report::write_set(&run, config, metrics, set, report.clone(), evaluation)?;
    if let Some(best_epoch) = best_epoch {
        evaluations::note(&run, EvaluatedEpoch { set, best_epoch })?;
    }
    let reported = reported(run.root(), set, config);
    report::write_intervals(&run, set, &reported)?;
    let page_options = html::Options {
        set: Some(set),
        audio: options.audio,
        reported: &reported,
    };
    Ok(RunEvaluation {
        page: report::write_page(&run, config, &page_options),
        run,
        set,
        split: config.split.clone(),
        task: match report.tracks {
            SetMetrics::Classes(_) => Task::SingleLabel,
            SetMetrics::Tags(_) => Task::MultiLabel,
        },
        device,
        intervals: if config.combination.is_some() {
            reported
        } else {
            Vec::new()
        },
        best_epoch,
        calibration,
        report,
    })
}

impl RunEvaluation {
    pub(super) fn outcome(&self) -> Outcome {
        let Self { run, .. } = self;
        let Outcome { mut text, json } = self.outcome_without_files();
        let (table, picture) = set_files(self.set, self.task);
        text += &format!(
            "\nmetrics {}\ntable {}\npicture {}",
            run.path(METRICS_FILE).display(),
            run.path(table).display(),
            run.path(picture).display(),
        );
        if let Some(page) = &self.page {
            text += &format!("\nreport {}", page.display());
        }
        let mut json = json;
        json["run"] = json!(run.root().to_string_lossy());
        Outcome { text, json }
    }

    /// The outcome of a run whose directory is temporary.
    pub(super) fn outcome_without_files(&self) -> Outcome {
        let Self { report, .. } = self;
        let heading = format!("{} set of split `{}`", self.set.name(), self.split);
        let mut text = report.tracks.below(&heading) + "\n";
        if let Some(clips) = &report.per_clip {
            text += &(clips.below("metrics per clip") + "\n");
        }
        text += &format!("expected calibration error {:.4}\n", report.ece);
        if let Some(calibration) = &self.calibration {
            text += &format!("{}\n", calibration.describe());
        }
        for metric in &self.intervals {
            if let Some([low, high]) = metric.interval {
                let (name, mean, method) = (&metric.metric, metric.mean, &metric.method);
                text += &format!("{name} {mean:.4}, 95 % interval {low:.4} to {high:.4}, {method}\n");
            }
        }
        text += outputs_table(&report.tracks).trim_end_matches('\n');
        let mut json = json!({ "command": "eval", "set": self.set.name(), "device": self.device, "metrics": report });
        if let Some(calibration) = &self.calibration {
            json["calibration"] = json!(calibration);
        }
        if !self.intervals.is_empty() {
            json["intervals"] = json!(self.intervals);
        }
        Outcome { text, json }
    }
}

/// Intervals and warnings of the metrics. Only warns on an error, because the metrics are valid without them.
fn reported(run: &Path, set: Set, config: &RunConfig) -> Vec<ReportedMetric> {
    if set == Set::Train {
        return Vec::new();
    }
    match Entry::read(run, set, Some(&config.data)) {
        Ok(entry) => entry.map_or_else(Vec::new, |entry| entry.reported()),
        Err(error) => {
            tracing::warn!("could not compute intervals for the report: {error:#}");
            Vec::new()
        }
    }
}

/// For each tag, the threshold with the best F1 on the validation set.
fn tuned_thresholds(validation: &Evaluation) -> anyhow::Result<Vec<f64>> {
    match &validation.tracks {
        Tally::Classes(_) => unreachable!("the data set is multi-label"),
        Tally::Tags(tally) => tally
            .best_thresholds()
            .context("thresholds cannot be tuned on the validation set"),
    }
}

/// The table with a row per class or tag.
fn outputs_table(metrics: &SetMetrics) -> String {
    let width =
        |names: &mut dyn Iterator<Item = &String>| names.map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    match metrics {
        SetMetrics::Classes(metrics) => {
            let width = width(&mut metrics.per_class.iter().map(|class| &class.name));
            let mut table = format!("{:<width$}  tracks  precision  recall      F1\n", "class");
            for class in &metrics.per_class {
                table += &format!(
                    "{:<width$}  {:>6}  {:>9.3}  {:>6.3}  {:>6.3}\n",
                    class.name, class.support, class.precision, class.recall, class.f1
                );
            }
            let missing = metrics.missing();
            if !missing.is_empty() {
                table += &format!(
                    "the set has no track of {}; macro F1 is the mean over classes that are labels or predictions\n",
                    missing.join(", ")
                );
            }
            table
        }
        SetMetrics::Tags(metrics) => {
            let width = width(&mut metrics.per_tag.iter().map(|tag| &tag.name));
            let area = |area: Option<f64>| area.map_or("-".into(), |area| format!("{area:.3}"));
            let mut table = format!(
                "{:<width$}  tracks  threshold  precision  recall      F1  AUC-ROC  AUC-PR\n",
                "tag"
            );
            for tag in &metrics.per_tag {
                table += &format!(
                    "{:<width$}  {:>6}  {:>9.3}  {:>9.3}  {:>6.3}  {:>6.3}  {:>7}  {:>6}\n",
                    tag.name,
                    tag.support,
                    tag.threshold,
                    tag.precision,
                    tag.recall,
                    tag.f1,
                    area(tag.auc_roc),
                    area(tag.auc_pr)
                );
            }
            table
        }
    }
}
