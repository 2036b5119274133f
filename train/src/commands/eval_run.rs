//! `train eval` of one run.

use super::{Outcome, UsageError, imported};
use crate::cli::EvalArgs;
use crate::compare::Entry;
use crate::data::integrity::verify;
use crate::data::run_data::{RunData, training_kinds};
use crate::evaluation::evaluate::{Evaluation, evaluate};
use crate::loader::Prefetch;
use crate::metrics::{SetMetrics, SetReport, Tally};
use crate::models::{Model, import_weights};
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::report::reported_metric::ReportedMetric;
use crate::report::{self, METRICS_FILE, RunMetrics, html, set_files};
use crate::run::directory::{BEST_FILE, RunDirectory};
use crate::run::evaluations::{self, EvaluatedEpoch};
use crate::run::split_copy;
use crate::settings::RunConfig;
use crate::settings::device::DeviceChoice;
use crate::step::compute::Compute;
use crate::training::start::blueprint;
use anyhow::{Context, bail};
use serde_json::json;
use shared::dataset::Task;
use shared::dataset::split::Set;
use std::path::{Path, PathBuf};

/// The evaluation of a run's best weights on one set.
pub(super) struct RunEvaluation {
    run: RunDirectory,
    set: Set,
    split: String,
    task: Task,
    device: String,
    page: Option<PathBuf>,
    /// `None` for an imported run.
    pub(super) best_epoch: Option<usize>,
    pub(super) report: SetReport,
}

/// Evaluates one run's best weights.
pub(super) fn eval_run(args: EvalArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<RunEvaluation> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    let (run, config, data) = open(&args, watch, console)?;
    let task = data.dataset.task();
    if args.tune_thresholds && task == Task::SingleLabel {
        bail!("--tune-thresholds is only for multi-label runs; leave it out");
    }
    let set = Set::from(args.set);
    let metrics = metrics(&run, &config)?;
    let best_epoch = metrics.best_epoch;
    let (device, device_name) = choice.open()?;
    let compute = Compute::new(&config, &data, vec![device])?;
    let model = config.model.init(&blueprint(&config, &data), &compute.device);
    let (model, _) = import_weights(model, &run.path(BEST_FILE))?;
    let thresholds = args
        .tune_thresholds
        .then(|| tuned_thresholds(&model, &config, &data, &compute))
        .transpose()?;
    let evaluation = evaluate_set(&model, &config, &data, set, &compute)?;
    console.line(&format!("evaluated {} on {device_name}", config.model));
    let report = evaluation.report(&config.classes, thresholds.as_deref())?;
    report::write_set(&run, &config, metrics, set, report.clone(), &evaluation)?;
    if let Some(best_epoch) = best_epoch {
        evaluations::note(&run, EvaluatedEpoch { set, best_epoch })?;
    }
    let reported = reported(&args.run, set, &config);
    let options = html::Options {
        set: Some(set),
        audio: args.audio,
        reported: &reported,
    };
    Ok(RunEvaluation {
        page: report::write_page(&run, &config, &options),
        run,
        set,
        split: config.split,
        task,
        device: device_name,
        best_epoch,
        report,
    })
}

/// The metrics of the run so far. An imported run has none before its first evaluation.
fn metrics(run: &RunDirectory, config: &RunConfig) -> anyhow::Result<RunMetrics> {
    if config.imported_from.is_some() && !run.path(METRICS_FILE).exists() {
        return Ok(imported::no_metrics(config));
    }
    let metrics = report::read_metrics(run)?;
    if config.imported_from.is_none() {
        metrics.best_epoch.context("metrics.json has no best epoch")?;
    }
    Ok(metrics)
}

/// The run, its settings changed by the arguments, and its data set. A trained run is evaluated on the one that it was
/// trained on; an imported run on any, which is first attached to it.
fn open(args: &EvalArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<(RunDirectory, RunConfig, RunData)> {
    let (run, mut config) = RunDirectory::resume(&args.run)?;
    watch.advise("run the same command again");
    if config.imported_from.is_some() {
        config = imported::attach(&run, config, args, watch, console)?;
    } else if let Some(moved) = &args.data {
        config.data.clone_from(moved);
    }
    watch.dataset(&config.data);
    if let Some(name) = &args.split {
        split_copy::check_named(name, &config, &args.run)?;
    }
    config.eval_clips = args.eval_clips.unwrap_or(config.eval_clips);
    let data = RunData::open_in_run(&config, &args.run)?;
    if !data.dataset.index().covers(&config.data_checksum) || data.dataset.classes() != config.classes {
        bail!(
            "{} is not the data set that {} was trained on",
            config.data.display(),
            args.run.display()
        );
    }
    if args.verify {
        verify(&data.dataset, &training_kinds(&config, &data.features), &|| None)?;
    }
    Ok((run, config, data))
}

impl RunEvaluation {
    pub(super) fn outcome(&self) -> Outcome {
        let Self { run, report, .. } = self;
        let mut text = format!(
            "{} set of split `{}`: {}\n",
            self.set.name(),
            self.split,
            report.tracks.describe()
        );
        if let Some(clips) = &report.per_clip {
            text += &format!("metrics per clip: {}\n", clips.describe());
        }
        let (table, picture) = set_files(self.set, self.task);
        text += &format!(
            "{}metrics {}\ntable {}\npicture {}",
            outputs_table(&report.tracks),
            run.path(METRICS_FILE).display(),
            run.path(table).display(),
            run.path(picture).display(),
        );
        if let Some(page) = &self.page {
            text += &format!("\nreport {}", page.display());
        }
        let json = json!({ "command": "eval", "run": run.root().to_string_lossy(), "set": self.set.name(),
                           "device": self.device, "metrics": report });
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

fn evaluate_set(
    model: &Model,
    config: &RunConfig,
    data: &RunData,
    set: Set,
    compute: &Compute,
) -> anyhow::Result<Evaluation> {
    let mut prefetch = Prefetch::new(config.loader_threads, config.prefetch);
    evaluate(
        model,
        data,
        &data.clips(set)?,
        config.batch_size,
        &mut prefetch,
        compute,
        || anyhow::Ok(()),
    )
}

/// For each tag, the threshold with the best F1 on the validation set.
fn tuned_thresholds(model: &Model, config: &RunConfig, data: &RunData, compute: &Compute) -> anyhow::Result<Vec<f64>> {
    match evaluate_set(model, config, data, Set::Val, compute)?.tracks {
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
                "{:<width$}  tracks  threshold  accuracy  precision  recall      F1  AUC-ROC  AUC-PR\n",
                "tag"
            );
            for tag in &metrics.per_tag {
                table += &format!(
                    "{:<width$}  {:>6}  {:>9.3}  {:>8.3}  {:>9.3}  {:>6.3}  {:>6.3}  {:>7}  {:>6}\n",
                    tag.name,
                    tag.support,
                    tag.threshold,
                    tag.accuracy,
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
