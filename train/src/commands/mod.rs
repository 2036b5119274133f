//! The commands: arguments as typed enter; they are resolved and checked, the work is done, its result is printed.

mod bench;
mod eval;
mod features;

pub use bench::run_bench;
pub use eval::run_eval;
pub use features::run_features;

use crate::cli::FitArgs;
use crate::compute::Compute;
use crate::config::{InvalidSetting, RunConfig, Settings};
use crate::console::Console;
use crate::device::DeviceChoice;
use crate::fit::{BEST_FILE, HISTORY_FILE, fit};
use crate::memory::{self, shuffle_window};
use crate::models::{Blueprint, ModelKind};
use crate::report::CURVES_FILE;
use crate::run_data::RunData;
use crate::run_directory::RunDirectory;
use anyhow::{Context, bail};
use burn::tensor::Device;
use serde_json::{Value, json};
use shared::dataset::Task;
use shared::split::{Set, SplitError, current};
use std::path::Path;

/// What a command says at its end: for people, and for scripts.
#[derive(Debug)]
pub struct Outcome {
    /// Lines for standard output.
    pub text: String,
    /// The line that `--json` prints.
    pub json: Value,
}

/// A mistake in the arguments, as opposed to work that failed.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A setting is missing or impossible.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// A device's name is none.
    #[error(transparent)]
    Device(#[from] crate::device::DeviceError),
    /// The settings file is not one.
    #[error("{path}: {detail}")]
    ConfigFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        detail: String,
    },
}

/// `train fit`.
pub fn run_fit(args: FitArgs, console: Console) -> anyhow::Result<Outcome> {
    let choices = DeviceChoice::parse_list(&args.device).map_err(UsageError::Device)?;
    let file = args
        .config
        .as_deref()
        .map(read_settings)
        .transpose()?
        .unwrap_or_default();
    let settings = args.settings.or(file);
    let (resumed, begun) = args
        .resume
        .then(|| RunDirectory::resume(&args.run))
        .transpose()?
        .unzip();
    let fallback = begun.as_ref().map(RunConfig::to_settings).unwrap_or_default();
    let window_is_set = settings.shuffle_window.is_some();
    let mut config = settings.or(fallback).resolve().map_err(UsageError::Setting)?;
    config.check_beginning().map_err(UsageError::Setting)?;
    config.devices = choices.len();
    if config.split.is_empty() {
        config.split = current(&config.data)?.ok_or_else(|| SplitError::NoSplit {
            dataset: config.data.clone(),
        })?;
    }
    let mut data = RunData::open(&config)?;
    if begun.is_none() && !window_is_set {
        let shards = data.dataset.index().shards.len();
        config.shuffle_window = shuffle_window(data.training_bytes(&config), shards, memory::available());
    }
    config.data_checksum.clone_from(&data.dataset.index().checksum);
    config.background_checksum = data.open_background(&config)?;
    config.classes = data.dataset.classes().to_vec();
    if let Some(name) = begun.as_ref().and_then(|begun| config.difference(begun)) {
        bail!(
            "the run in {} was begun with another {name}; leave it out, or begin another run",
            args.run.display()
        );
    }
    let mut devices = Vec::new();
    let mut names = Vec::new();
    for choice in choices {
        let (device, name) = choice.open()?;
        devices.push(device);
        names.push(name);
    }
    let device_name = names.join(", ");
    let compute = Compute::new(&config, &data, devices)?;
    // Nothing is written before everything that was asked for has been looked at.
    let run = match resumed {
        Some(run) => run,
        None => RunDirectory::begin(&args.run)?,
    };
    announce(&config, &data, &device_name, console)?;
    data.prepare(&config).with_context(|| {
        format!(
            "could not bring the shards of {} into memory; use --cache mapped",
            config.data.display()
        )
    })?;
    let report = fit(&config, &data, &run, &compute, console)?;
    let validation = &report.validation;
    let text = format!(
        "best epoch {} of {}: validation {}\nweights {}\nhistory {}\ncurves {}",
        report.best.epoch,
        report.history.len(),
        validation.tracks.describe(),
        run.path(BEST_FILE).display(),
        run.path(HISTORY_FILE).display(),
        run.path(CURVES_FILE).display(),
    );
    let seconds: f64 = report.history.iter().map(|epoch| epoch.seconds).sum();
    let waited: f64 = report.history.iter().map(|epoch| epoch.seconds * epoch.data_wait).sum();
    let json = json!({
        "command": "fit",
        "run": args.run,
        "device": device_name,
        "epochs": report.history.len(),
        "best_epoch": report.best.epoch,
        "data_wait": if seconds > 0.0 { waited / seconds } else { 0.0 },
        "validation": validation,
    });
    Ok(Outcome { text, json })
}

fn read_settings(path: &Path) -> anyhow::Result<Settings> {
    let text = std::fs::read_to_string(path).with_context(|| format!("could not read settings {}", path.display()))?;
    let wrong = |error: toml::de::Error| UsageError::ConfigFile {
        path: path.display().to_string(),
        detail: error.to_string(),
    };
    Ok(toml::from_str(&text).map_err(wrong)?)
}

/// Says what is about to be trained, and what is odd about its data.
fn announce(config: &RunConfig, data: &RunData, device: &str, console: Console) -> anyhow::Result<()> {
    let count = |set| data.set(set).map(<[usize]>::len);
    let (unit, outputs) = (
        if config.frame_seconds.is_some() {
            "frames"
        } else {
            "tracks"
        },
        match data.dataset.task() {
            Task::SingleLabel => "classes",
            Task::MultiLabel => "tags",
        },
    );
    console.line(&format!(
        "{} on {device}: {} training, {} validation {unit} of split `{}`, {} {outputs}",
        config.model,
        count(Set::Train)?,
        count(Set::Val)?,
        config.split,
        config.classes.len(),
    ));
    let constant = &data.split.normalization.constant_bands;
    if config.model.description().input.has_mel() && !constant.is_empty() {
        console.line(&format!(
            "{} of {} mel bands never vary in the training set, as those above an MP3 encoder's low-pass do; they \
             normalize to zero",
            constant.len(),
            data.dataset.features().n_mels,
        ));
    }
    let leaks = &data.split.index.leaks;
    if !leaks.artists.is_empty() || !leaks.duplicates.is_empty() {
        console.line(&format!(
            "{} artists and {} duplicate recordings stand in more than one set of this split; figures will flatter",
            leaks.artists.len(),
            leaks.duplicates.len(),
        ));
    }
    Ok(())
}

/// `train models`.
pub fn run_models() -> Outcome {
    // Parameters are counted as the paper has them: for its clips and a data set of 8 genres.
    let parameters = |kind: ModelKind| {
        let description = kind.description();
        let blueprint = Blueprint {
            shape: description.usual_shape,
            classes: MODELS_CLASSES,
            dropout: description.defaults.dropout,
        };
        kind.init(&blueprint, &Device::flex().autodiff()).trainable_parameters()
    };
    let widest = ModelKind::ALL.iter().map(|kind| kind.name().len()).max().unwrap_or(0);
    let mut text = format!("{:<widest$} {:>12}  {:<24} what it is", "model", "parameters", "input");
    let (mut list, mut paper) = (Vec::new(), "");
    for &kind in ModelKind::ALL {
        let description = kind.description();
        if description.paper != paper {
            paper = description.paper;
            text += &format!("\n{paper}");
        }
        let (name, summary) = (description.name, description.summary);
        let (count, input) = (parameters(kind), description.input.describe());
        text += &format!("\n{name:<widest$} {count:>12}  {input:<24} {summary}");
        list.push(json!({ "name": name, "paper": paper, "parameters": count, "input": input, "summary": summary }));
    }
    text += &format!("\nParameters are those of {MODELS_CLASSES} classes and the paper's clips.");
    Outcome {
        text,
        json: json!({ "command": "models", "models": list }),
    }
}

/// Classes for which `train models` counts parameters.
const MODELS_CLASSES: usize = 8;
