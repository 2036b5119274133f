//! `train eval` of a set of runs.

use super::Outcome;
use super::eval_run::eval_run;
use super::members_table::{self, MemberMetrics};
use crate::cli::EvalArgs;
use crate::compare::Entry;
use crate::evaluation::evaluate::Evaluation;
use crate::metrics::{SetMetrics, SetReport};
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::report::{self, METRICS_FILE, RunMetrics, html, read_metrics};
use crate::run::directory::{BEST_FILE, RunDirectory, RunError};
use crate::run::predictions::{Predictions, predictions_file};
use crate::run::set::{Member, RunSet};
use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use shared::dataset::Task;
use shared::dataset::split::Set;
use std::path::{Path, PathBuf};

/// The evaluation of all runs of a set on one set of their splits.
pub(super) struct SetEvaluation {
    directory: RunDirectory,
    file: &'static str,
    runs: String,
    set: Set,
    rows: Vec<MemberMetrics>,
    /// For folds with one seed: metrics of all tracks, each predicted by the fold that has it in this set.
    out_of_fold: Option<SetReport>,
    entry: Entry,
    page: Option<PathBuf>,
}

/// Evaluates the best weights of each run on one set of its split, and writes the combined metrics.
pub(super) fn eval_set(
    root: &Path,
    args: &EvalArgs,
    runs: &RunSet,
    watch: &FaultWatch,
    console: Console,
) -> anyhow::Result<SetEvaluation> {
    let set = Set::from(args.set);
    let members = runs.members(root);
    if runs.is_folds() && set == Set::Train {
        bail!(
            "--set train is not defined for folds, because every track is in several training sets; use --set val or test"
        );
    }
    check_trained(root, &members)?;
    let directory = RunDirectory::begin(root)?;
    if args.calibrate {
        // The results of all sets were of other probabilities.
        directory.remove(METRICS_FILE)?;
        report::remove_sets(&directory)?;
        directory.remove(runs.metrics_file())?;
    }
    let (mut rows, mut reports) = (Vec::new(), Vec::new());
    for (at, member) in members.iter().enumerate() {
        console.line(&format!("{}, {} of {}", member.label, at + 1, members.len()));
        let run_args = EvalArgs {
            verify: args.verify && at == 0,
            ..args.clone()
        };
        let evaluated = eval_run(&member.path, &run_args, watch, console)
            .with_context(|| format!("{} of {}", member.label, root.display()))?;
        rows.push(MemberMetrics::new(
            &member.label,
            evaluated
                .best_epoch
                .context("a member of a set of runs was imported; name the run itself")?,
            &evaluated.report.tracks,
        ));
        reports.push(evaluated.report);
    }
    let out_of_fold = (runs.is_folds() && !runs.has_seeds())
        .then(|| write_out_of_fold(&directory, runs, set, &reports))
        .transpose()?;
    let entry = Entry::read(root, set, args.data.as_deref())?;
    let entry = entry.context("the runs have no metrics although they were just evaluated")?;
    let mut evaluation = SetEvaluation {
        directory,
        file: runs.metrics_file(),
        runs: runs.describe(),
        set,
        rows,
        out_of_fold,
        entry,
        page: None,
    };
    evaluation.write()?;
    if evaluation.out_of_fold.is_some() {
        evaluation.page = evaluation.write_page(args.audio);
    }
    Ok(evaluation)
}

/// Refuses a set with a run that has no weights yet.
fn check_trained(root: &Path, members: &[Member]) -> anyhow::Result<()> {
    match members.iter().find(|member| !member.path.join(BEST_FILE).exists()) {
        Some(untrained) => bail!(
            "{} of {} has not been trained yet; continue with `train fit --run {} --resume`",
            untrained.label,
            root.display(),
            root.display()
        ),
        None => Ok(()),
    }
}

impl SetEvaluation {
    fn metrics(&self) -> Map<String, Value> {
        let entry = &self.entry;
        let mut metrics = members_table::json(&self.rows);
        metrics.insert("tracks".into(), json!(entry.tracks()));
        metrics.insert("split".into(), json!(entry.config.split));
        metrics.insert("intervals".into(), json!(entry.metrics));
        metrics.insert("method".into(), json!(entry.method()));
        metrics.insert("warnings".into(), json!(entry.warnings));
        if let Some(report) = &self.out_of_fold {
            metrics.insert("out_of_fold".into(), json!(report));
        }
        metrics
    }

    pub(super) fn outcome(&self) -> Outcome {
        let (entry, root) = (&self.entry, self.directory.root());
        let mut text = format!(
            "{} set of split `{}`, {}, {} tracks\n{}\n",
            self.set.name(),
            entry.config.split,
            self.runs,
            entry.tracks(),
            members_table::text(&self.rows)
        );
        if let Some(report) = &self.out_of_fold {
            let heading = "all tracks, each predicted by the fold that has it in this set";
            text += &(report.tracks.below(heading) + "\n");
        }
        for metric in &entry.metrics {
            let interval = metric.interval.map_or("no interval".into(), |[low, high]| {
                format!("95 % interval {low:.4} to {high:.4}, {}", entry.method())
            });
            text += &format!("{} {:.4}, {interval}\n", metric.name, metric.mean);
        }
        for warning in &entry.warnings {
            text += &format!("! {}\n", warning.sentence);
        }
        text += &format!("metrics {}", self.directory.path(self.file).display());
        if let Some(page) = &self.page {
            text += &format!("\nreport {}", page.display());
        }
        let json = json!({ "command": "eval", "run": root.to_string_lossy(), "set": self.set.name(),
                           "metrics": self.metrics() });
        Outcome { text, json }
    }

    fn write_page(&self, audio: bool) -> Option<PathBuf> {
        let reported = self.entry.reported();
        let options = html::Options {
            set: Some(self.set),
            audio,
            reported: &reported,
        };
        report::write_page(&self.directory, &self.entry.config, &options)
    }

    /// Adds the set's metrics to the file.
    fn write(&self) -> Result<(), RunError> {
        let damaged = |error: serde_json::Error| RunError::Damaged {
            path: self.directory.path(self.file),
            detail: error.to_string(),
        };
        let mut all: Map<String, Value> = match self.directory.read(self.file)? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(damaged)?,
            None => Map::new(),
        };
        let name = match self.set {
            Set::Train => "train",
            Set::Val => "val",
            Set::Test => "test",
        };
        all.insert(name.into(), self.metrics().into());
        self.directory.write_json(self.file, &all)
    }
}

/// Combines the predictions of all folds and writes them with table, picture and metrics, like those of one run.
fn write_out_of_fold(
    directory: &RunDirectory,
    folds: &RunSet,
    set: Set,
    reports: &[SetReport],
) -> anyhow::Result<SetReport> {
    let config = &folds.settings;
    let mut all = Predictions::new(config.classes.clone());
    for member in folds.members(directory.root()) {
        let (run, _) = RunDirectory::open(&member.path)?;
        let file = predictions_file(set);
        let table = run
            .read(file)?
            .with_context(|| format!("{} is missing", run.path(file).display()))?;
        all.tracks.extend(Predictions::from_csv(&table)?.tracks);
    }
    let task = match reports[0].tracks {
        SetMetrics::Classes(_) => Task::SingleLabel,
        SetMetrics::Tags(_) => Task::MultiLabel,
    };
    let tally = all.tally(task);
    let evaluation = Evaluation {
        tracks: tally.clone(),
        clips: tally,
        predictions: all,
        // The embeddings of different networks cannot be compared.
        map: None,
    };
    let report = SetReport {
        clips: reports.iter().map(|report| report.clips).sum(),
        ..evaluation.report(&config.classes, None)?
    };
    let metrics = if directory.path(METRICS_FILE).exists() {
        read_metrics(directory)?
    } else {
        RunMetrics::new(config, None)
    };
    report::write_set(directory, config, metrics, set, report.clone(), &evaluation)?;
    Ok(report)
}
