//! `train fit` of one run.

use super::{Outcome, UsageError};
use crate::cli::FitArgs;
use crate::data::error::RunDataError;
use crate::data::integrity::{verify, verify_copies};
use crate::data::preparation::prepare;
use crate::data::run_data::{RunData, current_split, index_of_run, training_kinds};
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::process::memory::{self, shuffle_window};
use crate::process::stop::{StopRequest, Stopped};
use crate::report::{self, CURVES_FILE, html};
use crate::run::directory::{BEST_FILE, RunDirectory};
use crate::run::history::HISTORY_FILE;
use crate::run::split_copy;
use crate::settings::device::DeviceChoice;
use crate::settings::{Cache, RunConfig, Settings};
use crate::step::compute::Compute;
use crate::training::epoch_source::clips_per_epoch;
use crate::training::fit::{FitReport, fit};
use crate::training::start;
use anyhow::{Context, bail};
use serde_json::json;
use shared::dataset::shard::ShardKind;
use shared::dataset::split::{self, CURRENT_FILE, SPLITS_DIRECTORY, Set};
use shared::dataset::{Dataset, Task};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Why a path cannot be made absolute.
pub(super) const NOT_ABSOLUTE: &str = "a path is empty, or there is no current directory";

/// An epoch of the papers' clips of 30 seconds has a half of them; one of whole songs has a twentieth.
const FEW_CLIPS: usize = 4;

/// Stop requests, fault handling and console of the process.
pub(super) struct FitContext<'a> {
    pub(super) stop: StopRequest<'a>,
    pub(super) watch: &'a FaultWatch,
    pub(super) console: Console,
    /// What the user should do if something outside the program interrupts training.
    pub(super) advice: String,
}

/// Checked settings of a run with its open data set.
pub(super) struct Plan {
    pub(super) config: RunConfig,
    pub(super) data: RunData,
    /// The directory that the split was read from.
    pub(super) split_from: PathBuf,
}

/// Resolves and checks settings and opens the data set. `saved` has the settings of the run in `run`, or of a set of
/// runs, which must not change.
pub(super) fn plan(
    settings: Settings,
    saved: Option<&RunConfig>,
    run: &Path,
    devices: usize,
    watch: &FaultWatch,
) -> anyhow::Result<Plan> {
    let fallback = saved.map(RunConfig::to_settings).unwrap_or_default();
    let window_is_set = settings.shuffle_window.is_some();
    let named_split = settings.split.clone();
    // The run may be used later from other directories.
    let settings = settings.absolute().context(NOT_ABSOLUTE)?;
    let mut config = settings.or(fallback).resolve().map_err(UsageError::Setting)?;
    config.check_beginning().map_err(UsageError::Setting)?;
    config.devices = devices;
    let keeper = saved.and_then(|_| split_copy::keeper(run));
    if let (Some(name), Some(saved)) = (&named_split, saved) {
        split_copy::check_named(name, saved, run)?;
    }
    let current = config.split.is_empty();
    if current {
        config.split = current_split(&config.data)?;
    }
    watch.dataset(&config.data);
    config.background.iter().for_each(|root| watch.dataset(root));
    watch.advise("run the same command again");
    if saved.is_some() {
        index_of_run(run, &config.data)?;
    }
    let mut data = open_data(&config, keeper.as_deref().zip(saved), current)?;
    if saved.is_none() && !window_is_set {
        let shards = data.dataset.index().shards.len();
        config.shuffle_window = shuffle_window(data.training_bytes(&config), shards, memory::available());
    }
    let index = data.dataset.index();
    // A data set with added tracks still has the run's tracks unchanged.
    let saved_checksum = saved.map(|saved| &saved.data_checksum);
    let checksum = saved_checksum
        .filter(|checksum| index.covers(checksum))
        .unwrap_or(&index.checksum);
    config.data_checksum.clone_from(checksum);
    config.background_checksum = data.open_background(&config)?;
    config.classes = data.dataset.classes().to_vec();
    config.split_checksum.clone_from(&data.split.index.checksum);
    match saved {
        Some(saved) => check_continues(&config, saved, run)?,
        None => start::check(&config, &data)?,
    }
    let split_from = match keeper {
        Some(root) => root.join(split_copy::SPLIT_DIRECTORY),
        None => split::directory(&config.data, &config.split)?,
    };
    Ok(Plan {
        config,
        data,
        split_from,
    })
}

/// The data set with the split and the classes that the run has saved, else with the split of `config`. `current` is true
/// if no split was named and the current split is used.
fn open_data(config: &RunConfig, keeper: Option<(&Path, &RunConfig)>, current: bool) -> anyhow::Result<RunData> {
    let opened = match keeper {
        Some((root, saved)) => RunData::open_in_run(config, root, Some(&saved.classes)),
        None => RunData::open(config),
    };
    opened.map_err(|error| {
        let is_split_error = matches!(error, RunDataError::Split(_) | RunDataError::UnknownTrack { .. });
        let error = anyhow::Error::from(error);
        if !current || !is_split_error {
            return error;
        }
        let path = config.data.join(SPLITS_DIRECTORY).join(CURRENT_FILE);
        error.context(format!(
            "could not read the current split, which {} names",
            path.display()
        ))
    })
}

/// Refuses settings that would change the weights of the run.
fn check_continues(config: &RunConfig, saved: &RunConfig, run: &Path) -> anyhow::Result<()> {
    if config.data_checksum == saved.data_checksum && config.classes != saved.classes {
        bail!(
            "{} has other classes than the run in {} was started with, and the run has no copy of its split; start a new run",
            config.data.display(),
            run.display()
        );
    }
    if let Some(name) = config.difference(saved) {
        bail!(
            "the run in {} was started with another {name}; leave it out, or start a new run",
            run.display()
        );
    }
    match config.depends_on_epochs() {
        Some(setting) if config.epochs != saved.epochs => bail!(
            "{setting} depends on the {} epochs that the run in {} was started with, so --epochs cannot change; leave it out, \
             or start a new run",
            saved.epochs,
            run.display()
        ),
        _ => Ok(()),
    }
}

/// The result of training a run.
pub(super) struct Trained {
    run: PathBuf,
    device: String,
    page: Option<PathBuf>,
    pub(super) report: FitReport,
}

/// Trains as planned. `resumed` is the directory of a run to continue.
pub(super) fn train(
    args: &FitArgs,
    plan: Plan,
    resumed: Option<RunDirectory>,
    choices: &[DeviceChoice],
    context: &FitContext<'_>,
) -> anyhow::Result<Trained> {
    let FitContext {
        stop, watch, console, ..
    } = *context;
    let Plan {
        config,
        mut data,
        split_from,
    } = plan;
    let mut devices = Vec::new();
    let mut names = Vec::new();
    for choice in choices {
        let (device, name) = choice.open()?;
        devices.push(device);
        names.push(name);
    }
    let device_name = names.join(", ");
    let compute = Compute::new(&config, &data, devices)?;
    if args.verify {
        verify_originals(&config, &data, stop)?;
    }
    // Write only after all arguments have been checked.
    let run = match resumed {
        Some(run) => run,
        None => RunDirectory::begin(&args.run)?,
    };
    announce(&config, &data, &device_name, console)?;
    if !compute.on_cpu() {
        console.line("the first steps take a minute or more: the device compiles its kernels and chooses the fastest");
    }
    Stopped::check(stop)?;
    let copies = prepare(&mut data, &config, watch, stop, console)?;
    if let Some(directory) = copies.filter(|_| args.verify) {
        verify_copies(
            &data.dataset,
            &training_kinds(&config, &data.features),
            &directory,
            stop,
        )?;
    }
    split_copy::keep(&data.split, &split_from, data.dataset.index(), &run)?;
    watch.advise(&context.advice);
    let report = fit(&config, &data, &run, &compute, &device_name, stop, console);
    let report = report.map_err(|error| match error.downcast::<Stopped>() {
        Ok(stopped) => stopped.on_device(&args.device).into(),
        Err(other) => other,
    })?;
    // If no better weights were found, the run keeps the evaluation of its test set.
    let metrics = report::read_metrics(&run)?;
    let options = html::Options {
        reported: &metrics.intervals,
        ..html::Options::default()
    };
    Ok(Trained {
        run: args.run.clone(),
        device: device_name,
        page: report::write_page(&run, &config, &options),
        report,
    })
}

impl Trained {
    pub(super) fn outcome(&self) -> Outcome {
        let Self {
            run,
            device,
            page,
            report,
        } = self;
        let page = page
            .as_ref()
            .map_or(String::new(), |page| format!("\nreport {}", page.display()));
        let validation = &report.val;
        let best = format!(
            "validation at the best epoch, {} of {}",
            report.best.epoch,
            report.history.len()
        );
        let text = format!(
            "{}\n{}\nweights {}\nhistory {}\ncurves {}{page}",
            report.ending,
            validation.tracks.below(&best),
            run.join(BEST_FILE).display(),
            run.join(HISTORY_FILE).display(),
            run.join(CURVES_FILE).display(),
        );
        let seconds: f64 = report.history.iter().map(|epoch| epoch.seconds).sum();
        let waited: f64 = report.history.iter().map(|epoch| epoch.seconds * epoch.data_wait).sum();
        let json = json!({
            "command": "fit",
            "run": run.to_string_lossy(),
            "device": device,
            "epochs": report.history.len(),
            "best_epoch": report.best.epoch,
            "ended": report.ending,
            "seconds": seconds,
            "data_wait": if seconds > 0.0 { waited / seconds } else { 0.0 },
            "val": validation,
        });
        Outcome { text, json }
    }
}

/// Checks the checksums of shards that are read in place; local copies are checked later.
fn verify_originals(config: &RunConfig, data: &RunData, stop: StopRequest<'_>) -> anyhow::Result<()> {
    let kinds = match config.cache {
        Cache::Local(_) => Vec::new(),
        Cache::Mapped | Cache::Ram => training_kinds(config, &data.features),
    };
    verify(&data.dataset, &kinds, stop)?;
    if let Some(root) = &config.background {
        verify(&Dataset::open(root)?, &[ShardKind::Waveform], stop)?;
    }
    Ok(())
}

/// The classes or tags that no track of a set has.
fn missing_classes(data: &RunData, set: Set) -> Vec<&str> {
    let tracks = data.tracks(set).unwrap_or_default();
    let found: BTreeSet<usize> = tracks
        .iter()
        .flat_map(|&position| data.dataset.tags(position))
        .collect();
    let missing = data
        .dataset
        .classes()
        .iter()
        .enumerate()
        .filter(|(class, _)| !found.contains(class));
    missing.map(|(_, name)| &**name).collect()
}

/// Prints what will be trained, and warns about problems of the data.
fn announce(config: &RunConfig, data: &RunData, device: &str, console: Console) -> anyhow::Result<()> {
    let outputs = match data.dataset.task() {
        Task::SingleLabel => "classes",
        Task::MultiLabel => "tags",
    };
    let clips = clips_per_epoch(config, data);
    console.line(&format!(
        "{} on {device}: {} training tracks in {clips} clips an epoch, {} validation tracks in {} clips of split `{}`, {} {outputs}",
        config.model,
        data.tracks(Set::Train)?.len(),
        data.tracks(Set::Val)?.len(),
        data.clips(Set::Val)?.len(),
        config.split,
        config.classes.len(),
    ));
    let all_clips = data.all_training_clips();
    if clips.saturating_mul(FEW_CLIPS) <= all_clips {
        console.line(&format!(
            "an epoch has {clips} of the {all_clips} clips of the training set; train on all of them with --train-clips all"
        ));
    }
    for set in [Set::Train, Set::Val] {
        let missing = missing_classes(data, set);
        if !missing.is_empty() {
            tracing::warn!("the {} set has no track of {}", set.name(), missing.join(", "));
        }
    }
    let constant = &data.split.normalization.constant_bands;
    if config.model.description().input.has_mel() && !constant.is_empty() {
        console.line(&format!(
            "{} of {} mel bands are constant in the training set, for example above an MP3 encoder's low-pass filter; they \
             normalize to zero",
            constant.len(),
            data.dataset.features().n_mels,
        ));
    }
    let leaks = &data.split.index.leaks;
    if !leaks.artists.is_empty() || !leaks.recordings.is_empty() {
        tracing::warn!(
            "{} artists and {} recordings are in more than one set of this split, so scores are too optimistic",
            leaks.artists.len(),
            leaks.recordings.len(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{LrSchedule, ModelKind};

    #[test]
    fn epochs_change_only_if_the_schedule_does_not_depend_on_them() {
        let run = Path::new("run");
        let saved = |lr_schedule| RunConfig {
            lr_schedule,
            epochs: 50,
            ..crate::testing::config(Path::new("fma"), ModelKind::Crnn)
        };
        let longer = |lr_schedule| RunConfig {
            epochs: 60,
            ..saved(lr_schedule)
        };
        for schedule in [LrSchedule::Constant, LrSchedule::Plateau] {
            check_continues(&longer(schedule), &saved(schedule), run).unwrap();
        }
        for schedule in [LrSchedule::Cosine, LrSchedule::Linear, LrSchedule::OneCycle] {
            check_continues(&saved(schedule), &saved(schedule), run).unwrap();
            let refused = check_continues(&longer(schedule), &saved(schedule), run).unwrap_err();
            let refused = refused.to_string();
            assert!(
                refused.starts_with(&format!("--lr-schedule {schedule} depends on the 50 epochs")),
                "{refused}"
            );
        }
        let averaged = |epochs| RunConfig {
            average_last: 2,
            epochs,
            ..saved(LrSchedule::Constant)
        };
        let refused = check_continues(&averaged(60), &averaged(50), run).unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("--average-last depends on the 50 epochs"),
            "{refused}"
        );
    }
}
