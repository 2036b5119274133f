//! `train fit --seeds N` and `train fit --folds K`: trains the same model with several seeds, on all folds of a
//! cross-validation, or both, one after another.

use super::eval_set::eval_set;
use super::fit_run::{FitContext, Plan, plan, train};
use super::members_table::{self, MemberMetrics};
use super::{Outcome, UsageError};
use crate::cli::{EvalArgs, FitArgs, SetName};
use crate::process::console::Console;
use crate::process::stop::Stopped;
use crate::report::html::REPORT_FILE;
use crate::report::{METRICS_FILE, remove_sets};
use crate::run::directory::{RunDirectory, RunError};
use crate::run::set::{FoldSplit, Member, RunSet};
use crate::run::split_copy;
use crate::settings::device::DeviceChoice;
use crate::settings::{LARGEST_INTEGER, RunConfig, Settings, invalid};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use shared::dataset::Dataset;
use shared::dataset::split::{self, Split, SplitError};
use std::path::Path;

/// Starts or continues a set of runs. `args.settings` includes those of the settings file.
pub(super) fn fit_set(
    mut args: FitArgs,
    choices: &[DeviceChoice],
    context: &FitContext<'_>,
) -> anyhow::Result<Outcome> {
    let root = args.run.clone();
    let saved = saved_set(&args)?;
    let mut settings = std::mem::take(&mut args.settings);
    let folds = match (&saved, args.folds) {
        (None, Some(folds)) => {
            let data = settings.data.clone().context("--folds needs --data")?;
            let folds = fold_splits(&data, settings.split.as_deref(), folds)?;
            settings.split = Some(folds[0].index.name.clone());
            folds
        }
        _ => Vec::new(),
    };
    let plan_of_set = plan(
        settings,
        saved.as_ref().map(|set| &set.settings),
        &root,
        choices.len(),
        context.watch,
    )?;
    let seeds = seeds(&args, &plan_of_set.config, saved.as_ref())?;
    // Keeps the lock until all runs have ended.
    let directory = RunDirectory::begin(&root)?;
    let set = begin(&directory, seeds, saved, plan_of_set, &folds)?;
    let rows = fit_members(&args, &set, choices, context)?;
    remove_outdated_metrics(&directory, &set, &rows, context.console)?;
    let table = members_table::text(&rows);
    if set.is_folds() {
        context
            .console
            .line(&format!("{table}\nvalidation metrics of each fold's best epoch"));
        // The evaluation writes into the same directory.
        drop(directory);
        let test_args = EvalArgs::new(root.clone(), SetName::Test, choices[0].to_string());
        return Ok(eval_set(&root, &test_args, &set, context.watch, context.console)?.outcome());
    }
    let text = format!(
        "{table}\nvalidation metrics of each seed's best epoch; evaluate the test set with `train eval --run {}`",
        root.display()
    );
    let mut json = json!({ "command": "fit", "run": root.to_string_lossy() });
    json["val"] = members_table::json(&rows).into();
    Ok(Outcome { text, json })
}

/// Trains the runs of a set one after another.
fn fit_members(
    args: &FitArgs,
    set: &RunSet,
    choices: &[DeviceChoice],
    context: &FitContext<'_>,
) -> anyhow::Result<Vec<MemberMetrics>> {
    let root = &args.run;
    let members = set.members(root);
    let mut rows = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let line = format!("{}, {} of {}", member.label, at + 1, members.len());
        context.console.line(&line);
        let run_args = FitArgs {
            run: member.path.clone(),
            resume: false,
            seeds: None,
            folds: None,
            // All runs read the same shards, so checking them once is enough.
            verify: args.verify && at == 0,
            config: None,
            device: args.device.clone(),
            settings: Settings::default(),
            stop_at_eof: false,
        };
        let row = fit_member(&run_args, member, choices, context).map_err(|error| {
            let stopped = error.chain().find_map(|cause| cause.downcast_ref::<Stopped>()).cloned();
            match stopped {
                Some(stopped) => stopped.in_set(root, &member.label, &args.device).into(),
                None => error.context(format!("{} of {}", member.label, root.display())),
            }
        })?;
        rows.push(row);
    }
    Ok(rows)
}

/// Saves the splits, and then the record of the set.
fn begin(
    directory: &RunDirectory,
    seeds: Vec<u64>,
    saved: Option<RunSet>,
    plan: Plan,
    folds: &[Split],
) -> anyhow::Result<RunSet> {
    let Plan {
        config,
        data,
        split_from,
    } = plan;
    let index = data.dataset.index();
    split_copy::keep(&data.split, &split_from, index, directory)?;
    let mut set = RunSet {
        seeds,
        folds: saved.map_or_else(|| folds.iter().map(fold_split).collect(), |set| set.folds),
        settings: config,
    };
    if let Some(fold) = &data.split.index.fold.as_ref().filter(|_| set.is_folds()) {
        set.settings.split.clone_from(&fold.name);
    }
    let members = set.members(directory.root());
    for (at, member) in members.iter().enumerate().filter(|_| set.is_folds()) {
        if member.path.join(split_copy::SPLIT_DIRECTORY).exists() {
            continue;
        }
        let number = at % set.folds.len();
        let (fold, from) = match folds.get(number) {
            Some(fold) => (fold, split::directory(&set.settings.data, &fold.index.name)?),
            // A new seed of a saved set has the folds of its first seed.
            None => {
                let first = &members[number].path;
                (
                    &split_copy::read(first, index)?,
                    first.join(split_copy::SPLIT_DIRECTORY),
                )
            }
        };
        split_copy::keep(fold, &from, index, &RunDirectory::begin(&member.path)?)?;
    }
    set.save(directory)?;
    Ok(set)
}

/// The splits of all folds. `name` is the common name of the folds or one of the splits; `None` is the current split.
fn fold_splits(data: &Path, name: Option<&str>, wanted: u64) -> anyhow::Result<Vec<Split>> {
    let index = Dataset::read_index(data)?;
    let names = match name.map(|name| split::folds(data, name)) {
        Some(Ok(names)) => names,
        _ => {
            let split = Split::read(data, &index, name)?;
            let fold = split.index.fold.with_context(|| {
                format!(
                    "split `{}` of {} is not a fold; make folds with `preprocess split {} --folds {wanted}`, and give their \
                     name with --split",
                    split.index.name,
                    data.display(),
                    data.display()
                )
            })?;
            split::folds(data, &fold.name)?
        }
    };
    if names.len() as u64 != wanted {
        bail!(
            "{} has {} folds with this name, not {wanted}; give --folds {}, or make new ones with `preprocess split {} --folds \
             {wanted}`",
            data.display(),
            names.len(),
            names.len(),
            data.display()
        );
    }
    let splits = names.iter().map(|name| Split::read(data, &index, Some(name)));
    Ok(splits.collect::<Result<_, SplitError>>()?)
}

fn fold_split(split: &Split) -> FoldSplit {
    FoldSplit {
        split: split.index.name.clone(),
        checksum: split.index.checksum.clone(),
    }
}

/// Removes the metrics of the set if the best epoch of a run has changed.
fn remove_outdated_metrics(
    directory: &RunDirectory,
    set: &RunSet,
    rows: &[MemberMetrics],
    console: Console,
) -> Result<(), RunError> {
    let file = set.metrics_file();
    let Some(bytes) = directory.read(file)? else {
        return Ok(());
    };
    let metrics: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let is_current = |metrics: &Value| {
        let epochs = |row: &Value| Some((row["run"].as_str()?.to_owned(), row["best_epoch"].as_u64()?));
        let saved: Vec<_> = metrics["runs"].as_array().into_iter().flatten().map(epochs).collect();
        let now = rows.iter().map(|row| Some((row.label.clone(), row.best_epoch as u64)));
        saved == now.collect::<Vec<_>>()
    };
    if metrics.as_object().is_some_and(|sets| sets.values().all(is_current)) {
        return Ok(());
    }
    directory.remove(METRICS_FILE)?;
    remove_sets(directory)?;
    // Folds with several seeds have no page.
    directory.remove(REPORT_FILE)?;
    console.line(&format!(
        "removed the metrics and the page of {}, which were of other runs",
        directory.root().display()
    ));
    directory.remove(file)
}

/// The set to continue; `None` to start a new one.
fn saved_set(args: &FitArgs) -> anyhow::Result<Option<RunSet>> {
    let root = args.run.display();
    let set = RunSet::open(&args.run)?;
    match &set {
        Some(set) if !args.resume => bail!(
            "{root} already holds a set of runs ({}); continue it with --resume, or give another directory",
            set.describe()
        ),
        Some(set) if args.folds.is_some_and(|folds| folds != set.folds.len() as u64) => {
            bail!("{root} holds a set of {}; leave out --folds", set.describe())
        }
        None if RunDirectory::is_at(&args.run) => {
            bail!(
                "{root} holds a single run, not a set of runs; leave out --seeds and --folds, or give another directory"
            )
        }
        None if args.resume => bail!("{root} does not hold a set of runs; leave out --resume to start one"),
        _ => Ok(set),
    }
}

/// All seeds, counting up from the one in `config`. Folds without --seeds have one.
fn seeds(args: &FitArgs, config: &RunConfig, saved: Option<&RunSet>) -> anyhow::Result<Vec<u64>> {
    let existing = saved.map_or(1, |set| set.seeds.len() as u64);
    let count = args.seeds.unwrap_or(existing);
    if count < existing {
        bail!(
            "{} already has {existing} seeds, so --seeds must not be {count}; give {existing} or more",
            args.run.display()
        );
    }
    let seeds: Option<Vec<u64>> = (0..count).map(|at| config.seed.checked_add(at)).collect();
    let seeds = seeds.filter(|seeds| seeds.iter().all(|&seed| seed <= LARGEST_INTEGER));
    seeds.ok_or_else(|| {
        let problem = format!("must be at most 2^53 - {count}, not {}", config.seed);
        UsageError::Setting(invalid("--seed", problem)).into()
    })
}

/// Trains one run of a set, or continues it.
fn fit_member(
    args: &FitArgs,
    member: &Member,
    choices: &[DeviceChoice],
    context: &FitContext<'_>,
) -> anyhow::Result<MemberMetrics> {
    Stopped::check(context.stop)?;
    let resumed = RunDirectory::is_at(&args.run)
        .then(|| RunDirectory::resume(&args.run))
        .transpose()?;
    let (directory, saved) = resumed.unzip();
    // Checked even for a new run: the data set must be the one that the other runs were trained on.
    let expected = saved.as_ref().unwrap_or(&member.config);
    let settings = Settings {
        // The saved split is used, even if the data set now has another split with this name.
        split: None,
        ..member.config.to_settings()
    };
    let plan = plan(settings, Some(expected), &args.run, choices.len(), context.watch)?;
    context.watch.advise(&context.advice);
    let trained = train(args, plan, directory, choices, context)?;
    let (best, validation) = (&trained.report.best, &trained.report.val);
    Ok(MemberMetrics::new(&member.label, best.epoch, &validation.tracks))
}
