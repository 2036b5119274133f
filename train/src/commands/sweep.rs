//! `train sweep`.

use super::fit::read_settings;
use super::fit_run::NOT_ABSOLUTE;
use super::{Outcome, UsageError};
use crate::cli::SweepArgs;
use crate::data::run_data::{RunData, current_split};
use crate::models::Monitor;
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::process::memory::{self, shuffle_window};
use crate::process::stop::{StopSignals, Stopped};
use crate::process::text_table::terminal_width;
use crate::run::directory::{RunDirectory, refuse_data_set};
use crate::settings::Settings;
use crate::settings::device::DeviceChoice;
use crate::sweep::child::{Program, threads_per_trial};
use crate::sweep::directory::{PICTURE_FILE, SPECIFICATION_FILE, SweepDirectory, TABLE_FILE};
use crate::sweep::progress::Lines;
use crate::sweep::schedule::{Schedule, State};
use crate::sweep::search::{Trial, monitor, trials};
use crate::sweep::setting_table::{from_table, to_table};
use crate::sweep::table::Results;
use crate::sweep::{Ended, Specification, Sweep};
use anyhow::{Context, bail};
use serde_json::{Value, json};

/// Starts or continues a sweep.
pub fn run_sweep(args: SweepArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    let choices = DeviceChoice::parse_list(&args.devices).map_err(UsageError::Device)?;
    choices.iter().try_for_each(|choice| choice.check_built_in())?;
    let slots: Vec<_> = (0..args.jobs_per_device.get())
        .flat_map(|_| choices.iter().copied())
        .collect();
    let signals = StopSignals::listen().context("could not listen for signals")?;
    let stop = || signals.received();
    let directory = SweepDirectory::new(&args.sweep);
    watch.advise("run the same command again");
    // Arguments are checked before the directory is created.
    let mut plan = Plan::new(&args, &directory, slots.len(), watch)?;
    refuse_data_set(&args.sweep)?;
    let lock = directory.lock()?;
    // Another process may have started the same sweep in the meantime.
    if saved_specification(&directory)? != plan.saved {
        plan = Plan::new(&args, &directory, slots.len(), watch)?;
    }
    let program = Program {
        path: std::env::current_exe().context("could not find the executable of `train`, which runs the trials")?,
        threads: threads_per_trial(slots.len()),
    };
    let adds_trials = plan
        .saved
        .is_some_and(|saved| saved.random != plan.specification.random);
    let _joined = directory.join(adds_trials)?;
    directory.save_specification(&plan.specification)?;
    announce(&plan.schedule, &plan.trials, &slots, console);
    let sweep = Sweep {
        specification: &plan.specification,
        trials: &plan.trials,
        schedule: &plan.schedule,
        monitor: plan.metric,
        directory: &directory,
        program,
        slots,
        stop: &stop,
        lines: Lines::new(console),
    };
    let mut records = sweep.begin(args.retry_failed)?;
    drop(lock);
    let ended = sweep.run(&mut records)?;
    let states = plan.schedule.states(&records);
    let results = Results {
        trials: &plan.trials,
        records: &records,
        states: &states,
        monitor: plan.metric,
    };
    match ended {
        Ended::Done => outcome(&directory, &results),
        Ended::LeftToOthers => Ok(unfinished(&directory, &results)),
        Ended::Stopped(signal) => Err(anyhow::Error::from(Stopped::Sweep {
            signal,
            done: plan.trials.len() - results.count(State::Due),
            trials: plan.trials.len(),
            sweep: args.sweep,
            devices: args.devices,
            jobs_per_device: args.jobs_per_device.get(),
        })),
    }
}

/// What a command line means for the sweep in a directory.
struct Plan {
    specification: Specification,
    /// The saved specification, if the sweep was started before.
    saved: Option<Specification>,
    trials: Vec<Trial>,
    metric: Monitor,
    schedule: Schedule,
}

impl Plan {
    /// Checks it. `jobs` is the number of trials that run at once.
    fn new(args: &SweepArgs, directory: &SweepDirectory, jobs: usize, watch: &FaultWatch) -> anyhow::Result<Self> {
        let (mut specification, saved) = specification(args, directory)?;
        let mut all_trials = trials(&specification).map_err(UsageError::Sweep)?;
        let metric = monitor(&all_trials).map_err(UsageError::Sweep)?;
        let schedule = Schedule::new(&all_trials, specification.halving, metric).map_err(UsageError::Sweep)?;
        if let Some(difference) = saved.as_ref().and_then(|saved| specification.difference(saved)) {
            bail!(
                "the sweep in {} was started with other settings: {difference}; give the same settings, or another directory",
                args.sweep.display()
            );
        }
        watch.dataset(&all_trials[0].config.data);
        fix_shared_settings(&mut specification, &all_trials, jobs, saved.is_none())?;
        all_trials = trials(&specification).map_err(UsageError::Sweep)?;
        Ok(Self {
            specification,
            saved,
            trials: all_trials,
            metric,
            schedule,
        })
    }
}

/// The requested specification, and the saved one if the sweep was started before.
fn specification(
    args: &SweepArgs,
    directory: &SweepDirectory,
) -> anyhow::Result<(Specification, Option<Specification>)> {
    let saved = saved_specification(directory)?;
    let requested = from_arguments(args)?.absolute().context(NOT_ABSOLUTE)?;
    let root = args.sweep.display();
    let specification = match &saved {
        Some(saved) => requested.or(saved),
        None if args.resume => {
            bail!("{root} does not hold a sweep, because it has no {SPECIFICATION_FILE}; start one without --resume")
        }
        None if RunDirectory::is_at(&args.sweep) => bail!("{root} holds a run; give another directory for the sweep"),
        None => requested,
    };
    Ok((specification, saved))
}

/// The saved specification with absolute paths, because the sweep may be continued from another directory.
fn saved_specification(directory: &SweepDirectory) -> anyhow::Result<Option<Specification>> {
    let saved = directory.specification()?.map(Specification::absolute).transpose();
    saved.context(NOT_ABSOLUTE)
}

/// The specification from the command line and the settings file.
fn from_arguments(args: &SweepArgs) -> anyhow::Result<Specification> {
    let file = args.config.as_deref().map(read_settings).transpose()?;
    let mut specification = Specification {
        data_checksum: String::new(),
        random: args.random,
        halving: args.halving,
        settings: Settings::default(),
        grid: args.grid.clone(),
        ranges: args.range.clone(),
    };
    // The file may be a run's `config.toml`, so varied settings are removed from it. A flag for a varied setting is
    // kept and refused later.
    let mut file = to_table(&file.unwrap_or_default());
    let varies = |name: &str| specification.names().contains(&name);
    file.retain(|name, _| !varies(name));
    let file = from_table(file).map_err(anyhow::Error::msg)?;
    specification.settings = args.settings.clone().or(file);
    Ok(specification)
}

/// Fixes settings that each trial would otherwise choose for itself, possibly differently: the current split, the data
/// set's tracks, and the shuffle window, which depends on free memory.
fn fix_shared_settings(
    specification: &mut Specification,
    trials: &[Trial],
    jobs: usize,
    is_new: bool,
) -> anyhow::Result<()> {
    let mut config = trials[0].config.clone();
    let names: Vec<_> = specification.names().into_iter().map(String::from).collect();
    let varies = |name: &str| names.iter().any(|varied| varied == name);
    if config.split.is_empty() {
        config.split = current_split(&config.data)?;
    }
    let data = RunData::open(&config)?;
    let index = data.dataset.index();
    if !is_new {
        if !index.covers(&specification.data_checksum) {
            bail!(
                "the tracks of {} have changed since the sweep was started; start a new sweep",
                config.data.display()
            );
        }
        return Ok(());
    }
    specification.data_checksum.clone_from(&index.checksum);
    if !varies("split") {
        specification.settings.split = Some(config.split);
    }
    if !varies("shuffle_window") && specification.settings.shuffle_window.is_none() {
        let available = memory::available().map(|bytes| bytes / jobs as u64);
        let bytes = trials
            .iter()
            .map(|trial| data.training_bytes(&trial.config))
            .max()
            .unwrap_or(0);
        specification.settings.shuffle_window = Some(shuffle_window(bytes, index.shards.len(), available));
    }
    Ok(())
}

fn announce(schedule: &Schedule, trials: &[Trial], slots: &[DeviceChoice], console: Console) {
    let rungs: Vec<_> = schedule
        .rungs()
        .map(|(trials, epochs)| format!("{trials} to epoch {epochs}"))
        .collect();
    let halving = if rungs.len() > 1 {
        format!(", {}", rungs.join(", "))
    } else {
        String::new()
    };
    let at_once = if slots.len() > 1 {
        format!(", {} at once", slots.len())
    } else {
        String::new()
    };
    console.line(&format!("{} trials{halving}{at_once}", trials.len()));
}

fn outcome(directory: &SweepDirectory, results: &Results<'_>) -> anyhow::Result<Outcome> {
    let count = results.trials.len();
    let failures = results.records.iter().enumerate();
    let failures: Vec<_> = failures
        .filter_map(|(trial, record)| Some((trial, record.failure.as_deref()?)))
        .collect();
    let (Some(best), Some(result)) = (
        results.best(),
        results.best().and_then(|best| results.records[best].last()),
    ) else {
        let (trial, reason) = failures.first().context("no trial was trained")?;
        bail!(
            "no trial finished, and {} of {count} failed; trial {trial}: {reason}; see {}, and retry with --retry-failed",
            failures.len(),
            directory.log(*trial).display()
        );
    };
    let mut text = results.to_text(terminal_width());
    for (trial, reason) in &failures {
        text += &format!("\ntrial {trial} failed: {reason} ({})", directory.log(*trial).display());
    }
    let run = directory.run(best);
    let name = results.monitor.describe();
    let metric = results.watched(best);
    text += &format!(
        "\nbest trial {best} ({}): validation {name} {} at epoch {} of {}\ntable {}\npicture {}\nevaluate it once on the test \
         set: train eval --run {}\ntrain it with another seed: train fit --config {} --run RUN --seed 1",
        results.trials[best].describe(),
        metric.map_or("undefined".into(), |metric| format!("{metric:.4}")),
        result.best_epoch,
        result.epochs,
        directory.path(TABLE_FILE).display(),
        directory.path(PICTURE_FILE).display(),
        run.display(),
        directory.settings(best).display(),
    );
    let best = json!({ "trial": best, "run": run.to_string_lossy(), "metric": metric });
    Ok(Outcome {
        text,
        json: json(directory, results, &best),
    })
}

/// The outcome while other processes train the last trials.
fn unfinished(directory: &SweepDirectory, results: &Results<'_>) -> Outcome {
    let text = format!(
        "{}\n{} of {} trials are still being trained by other `train` processes; when they end, {} is complete",
        results.to_text(terminal_width()),
        results.count(State::Due),
        results.trials.len(),
        directory.path(TABLE_FILE).display()
    );
    Outcome {
        text,
        json: json(directory, results, &Value::Null),
    }
}

fn json(directory: &SweepDirectory, results: &Results<'_>, best: &Value) -> Value {
    json!({
        "command": "sweep",
        "sweep": directory.root().to_string_lossy(),
        "trials": results.trials.len(),
        "finished": results.count(State::Finished),
        "dropped": results.count(State::Dropped),
        "failed": results.count(State::Failed),
        "due": results.count(State::Due),
        "monitor": results.monitor,
        "best": best,
        "table": results.to_json(),
    })
}
