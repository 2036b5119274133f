//! `train fit`.

use super::fit_run::{FitContext, plan, train};
use super::fit_set::fit_set;
use super::{Outcome, UsageError};
use crate::cli::FitArgs;
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::process::resume_command::resume_fit;
use crate::process::stop::{StopSignals, stop_at_eof};
use crate::run::directory::RunDirectory;
use crate::run::set::RunSet;
use crate::settings::device::DeviceChoice;
use crate::settings::{RunConfig, Settings};
use anyhow::{Context, bail};
use shared::runtime::file_error::FileError;
use std::path::Path;

/// Trains a model, or a set of models with different seeds or folds, or continues training.
pub fn run_fit(mut args: FitArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    let choices = DeviceChoice::parse_list(&args.device).map_err(UsageError::Device)?;
    let signals = StopSignals::listen().context("could not listen for signals")?;
    if args.stop_at_eof {
        stop_at_eof().context("could not watch standard input")?;
    }
    let stop = || signals.received();
    let file = args
        .config
        .as_deref()
        .map(read_settings)
        .transpose()?
        .unwrap_or_default();
    args.settings = args.settings.or(file);
    let context = FitContext {
        stop: &stop,
        watch,
        console,
        advice: format!("continue with `{}`", resume_fit(&args.run, &args.device)),
    };
    if args.seeds.is_some() || args.folds.is_some() || RunSet::is_at(&args.run) {
        return fit_set(args, &choices, &context);
    }
    if args.resume {
        RunDirectory::open_network(&args.run)?;
    }
    let (resumed, saved) = args
        .resume
        .then(|| RunDirectory::resume(&args.run))
        .transpose()?
        .unzip();
    if let Some(file) = saved
        .as_ref()
        .and_then(|saved: &RunConfig| saved.imported_from.as_ref())
    {
        let run = args.run.display();
        bail!("{run} was imported from {file} and was not trained here; train its weights with --init-from {run}");
    }
    let settings = std::mem::take(&mut args.settings);
    let plan = plan(settings, saved.as_ref(), &args.run, choices.len(), watch)?;
    Ok(train(&args, plan, resumed, &choices, &context)?.outcome())
}

/// Reads a settings file in TOML, or the settings of a run from its `config.toml`.
pub(super) fn read_settings(path: &Path) -> anyhow::Result<Settings> {
    let text = std::fs::read_to_string(path).map_err(FileError::at(path))?;
    if let Ok(run) = toml::from_str::<RunConfig>(&text) {
        return Ok(run.to_settings());
    }
    let wrong = |error: toml::de::Error| UsageError::ConfigFile {
        path: path.display().to_string(),
        detail: error.to_string(),
    };
    Ok(toml::from_str(&text).map_err(wrong)?)
}
