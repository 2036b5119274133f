//! `train sweep`.

use super::fit::read_settings;
use super::fit_run::NOT_ABSOLUTE;
use super::{Outcome, UsageError};
use crate::cli::SweepArgs;
use crate::data::run_data::{RunData, current_split};
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::process::memory::{self, shuffle_window};
use crate::process::stop::{StopSignals, Stopped};
use crate::run::directory::RunDirectory;
use crate::settings::Settings;
use crate::settings::device::DeviceChoice;
use crate::sweep::child::{Program, threads_of_each};
use crate::sweep::directory::{PICTURE_FILE, SPECIFICATION_FILE, SweepDirectory, TABLE_FILE};
use crate::sweep::progress::Lines;
use crate::sweep::schedule::{Schedule, State};
use crate::sweep::search::{Trial, monitor, trials};
use crate::sweep::setting_table::{from_table, to_table};
use crate::sweep::table::Results;
use crate::sweep::{Specification, Sweep};
use anyhow::{Context, bail};
use serde_json::json;

/// Tries settings, or continues a sweep.
pub fn run_sweep(args: SweepArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    let choices = DeviceChoice::parse_list(&args.devices).map_err(UsageError::Device)?;
    choices.iter().try_for_each(|choice| choice.check_built_in())?;
    let slots: Vec<_> = (0..args.jobs_per_device.get())
        .flat_map(|_| choices.iter().copied())
        .collect();
    let signals = StopSignals::listen().context("could not listen for signals")?;
    let stop = || signals.received();
    let directory = SweepDirectory::new(&args.sweep);
    let (mut specification, begun) = specification(&args, &directory)?;
    let mut of_sweep = trials(&specification).map_err(UsageError::Sweep)?;
    let metric = monitor(&of_sweep).map_err(UsageError::Sweep)?;
    let schedule = Schedule::new(&of_sweep, specification.halving, metric).map_err(UsageError::Sweep)?;
    if let Some(difference) = begun.as_ref().and_then(|begun| specification.difference(begun)) {
        bail!(
            "the sweep in {} was begun otherwise: {difference}; give what it was begun with, or name another directory",
            args.sweep.display()
        );
    }
    watch.dataset(&of_sweep[0].config.data);
    watch.advise("run the same command again");
    settle(&mut specification, &of_sweep, slots.len(), begun.is_none())?;
    of_sweep = trials(&specification).map_err(UsageError::Sweep)?;
    let program = Program {
        path: std::env::current_exe().context("could not find this program's own file, of which trials are made")?,
        threads: threads_of_each(slots.len()),
    };
    let _lock = directory.lock()?;
    directory.save_specification(&specification)?;
    let mut records = directory.records(of_sweep.len())?;
    if args.retry_failed {
        records.iter_mut().for_each(|record| record.failure = None);
    }
    announce(&schedule, &of_sweep, &slots, console);
    let sweep = Sweep {
        specification: &specification,
        trials: &of_sweep,
        schedule: &schedule,
        monitor: metric,
        directory: &directory,
        program,
        slots,
        stop: &stop,
        lines: Lines::new(console),
    };
    let stopped = sweep.run(&mut records)?;
    let states = schedule.states(&records);
    let results = Results {
        trials: &of_sweep,
        records: &records,
        states: &states,
        monitor: metric,
    };
    if let Some(signal) = stopped {
        return Err(anyhow::Error::from(Stopped::Sweep {
            signal,
            done: of_sweep.len() - results.count(State::Due),
            trials: of_sweep.len(),
            sweep: args.sweep,
            devices: args.devices,
            jobs_per_device: args.jobs_per_device.get(),
        }));
    }
    outcome(&directory, &results)
}

/// What is to be tried, and what the sweep was begun with, if it was.
fn specification(
    args: &SweepArgs,
    directory: &SweepDirectory,
) -> anyhow::Result<(Specification, Option<Specification>)> {
    // It may be continued from another directory.
    let begun = directory.specification()?.map(Specification::absolute).transpose();
    let begun = begun.context(NOT_ABSOLUTE)?;
    let asked = asked_for(args)?.absolute().context(NOT_ABSOLUTE)?;
    let root = args.sweep.display();
    let specification = match &begun {
        Some(begun) => asked.or(begun),
        None if args.resume => {
            bail!("{root} holds no sweep: it has no {SPECIFICATION_FILE}; begin one without --resume")
        }
        None if RunDirectory::is_at(&args.sweep) => bail!("{root} holds a run; name another directory for the sweep"),
        None => asked,
    };
    Ok((specification, begun))
}

/// What the command line says.
fn asked_for(args: &SweepArgs) -> anyhow::Result<Specification> {
    let file = args.config.as_deref().map(read_settings).transpose()?;
    let mut specification = Specification {
        data_checksum: String::new(),
        random: args.random,
        halving: args.halving,
        settings: Settings::default(),
        grid: args.grid.clone(),
        ranges: args.range.clone(),
    };
    // A file may be that of a run; what varies is taken out of it. A flag for the same setting is a mistake and stays.
    let mut file = to_table(&file.unwrap_or_default());
    let varies = |name: &str| specification.names().contains(&name);
    file.retain(|name, _| !varies(name));
    let file = from_table(file).map_err(anyhow::Error::msg)?;
    specification.settings = args.settings.clone().or(file);
    Ok(specification)
}

/// Fixes what would otherwise be found out by each trial for itself, and might be found to be something else: the live
/// split, the data set's tracks, and how much memory is free.
fn settle(specification: &mut Specification, trials: &[Trial], jobs: usize, is_new: bool) -> anyhow::Result<()> {
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
                "{} holds other tracks than when the sweep began; begin another sweep",
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
            "{} of {count} trials failed and none was trained to its end; trial {trial}: {reason}; the whole story is in {}; \
             --retry-failed tries again",
            failures.len(),
            directory.log(*trial).display()
        );
    };
    let mut text = results.to_text();
    for (trial, reason) in &failures {
        text += &format!("\ntrial {trial} failed: {reason} ({})", directory.log(*trial).display());
    }
    let run = directory.run(best);
    let name = results.monitor.describe();
    let metric = results.watched(best);
    text += &format!(
        "\nbest is trial {best} ({}): validation {name} {} at epoch {} of {}\ntable {}\npicture {}\nevaluate it on the test set, \
         once: train eval --run {}\ntrain it anew, with another seed: train fit --config {} --run RUN --seed 1",
        results.trials[best].describe(),
        metric.map_or("undefined".into(), |metric| format!("{metric:.4}")),
        result.best_epoch,
        result.epochs,
        directory.path(TABLE_FILE).display(),
        directory.path(PICTURE_FILE).display(),
        run.display(),
        directory.settings(best).display(),
    );
    let json = json!({
        "command": "sweep",
        "sweep": directory.root().to_string_lossy(),
        "trials": count,
        "finished": results.count(State::Finished),
        "dropped": results.count(State::Dropped),
        "failed": failures.len(),
        "monitor": results.monitor,
        "best": { "trial": best, "run": run.to_string_lossy(), "metric": metric },
        "table": results.to_json(),
    });
    Ok(Outcome { text, json })
}
