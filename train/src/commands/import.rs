//! `train import`: makes a run of weights that were trained elsewhere.

use super::{Outcome, UsageError, labels};
use crate::cli::ImportArgs;
use crate::data::front_end_record::{FrontEndRecord, StatisticsScale};
use crate::frontend::Normalize;
use crate::models::{Blueprint, Description, SpectrogramKind, WaveformKind, export_weights, import_weights};
use crate::process::console::Console;
use crate::run::directory::RunDirectory;
use crate::settings::{RunConfig, Settings, invalid};
use anyhow::{Context, bail};
use burn::tensor::Device;
use clap::ValueEnum;
use serde_json::json;
use shared::dataset::Task;
use shared::dataset::statistics::{Normalization, PublishedNormalization};
use shared::dsp::feature_preset::FeaturePreset;
use shared::dsp::features::FeatureConfig;
use std::fs;
use std::path::{self, Path, PathBuf};

/// Writes a run with the weights, labels, features and normalization of a published network.
pub fn run_import(args: &ImportArgs, console: Console) -> anyhow::Result<Outcome> {
    let description = args.model.description();
    let classes = labels::read(&args.labels)?;
    let features = features(args, description)?;
    let config = config(args, description, classes, &features)?;
    let record = FrontEndRecord {
        task: args.task.map_or(description.task, Task::from),
        normalization: normalization(args, &config, features.n_mels)?,
        features,
        statistics: statistics(args, description)?,
    };
    record.check(&config).map_err(|problem| unusable(args, &problem))?;
    let shape = *record.front_end(&config).shape();
    if let Err(needed) = (description.accepts)(&shape) {
        let [rows, columns] = shape.spectrogram;
        bail!(
            "{} needs {needed}, and a clip of these features has {} samples and a [{rows}, {columns}] spectrogram; give \
             other --features or --clip-samples",
            args.model,
            record.features.clip_samples
        );
    }
    let blueprint = Blueprint {
        shape,
        classes: config.classes.len(),
        dropout: config.dropout,
    };
    let (model, tensors) = import_weights(args.model.init(&blueprint, &Device::flex()), &args.weights)?;
    let weights = export_weights(&model).map_err(anyhow::Error::msg)?;
    // Written only after everything was checked. A directory with settings is a run, so they are written last.
    let run = RunDirectory::begin(&args.run)?;
    run.write_weights(&weights)?;
    record.write(&run)?;
    run.save_config(&config)?;
    console.line(&format!(
        "{tensors} tensors of {} from {}",
        args.model,
        args.weights.display()
    ));
    Ok(outcome(args, &config, &record, tensors))
}

fn outcome(args: &ImportArgs, config: &RunConfig, record: &FrontEndRecord, tensors: usize) -> Outcome {
    let (outputs, run) = (config.classes.len(), args.run.display());
    let outputs = match record.task {
        Task::SingleLabel => format!("{outputs} classes"),
        Task::MultiLabel => format!("{outputs} tags"),
    };
    let seconds = record.features.clip_samples as f64 / f64::from(record.features.sample_rate);
    Outcome {
        text: format!(
            "run {run}\nmodel {}, {outputs}, clips of {seconds:.2} s at {} Hz\nnext: train predict --run {run} FILE",
            args.model, record.features.sample_rate
        ),
        json: json!({ "command": "import", "run": args.run.to_string_lossy(), "model": args.model, "tensors": tensors,
                      "classes": config.classes, "task": record.task, "features": record.features }),
    }
}

/// The error of a file that does not fit the model.
fn unusable(args: &ImportArgs, problem: &str) -> anyhow::Error {
    match &args.normalization {
        Some(file) => anyhow::anyhow!("{} does not fit {}: {problem}", file.display(), args.model),
        None => anyhow::anyhow!("the features do not fit {}: {problem}", args.model),
    }
}

/// The features of the preset, with the clip length of the arguments or of the published network.
fn features(args: &ImportArgs, description: &Description) -> anyhow::Result<FeatureConfig> {
    let published = description.features.map(|published| {
        let preset = FeaturePreset::from_str(published.preset, false);
        (preset.expect("descriptions name presets"), published.clip_samples)
    });
    let Some(preset) = args.features.or(published.map(|(preset, _)| preset)) else {
        let problem = format!(
            "is missing: the features of {} are not known; give the ones it was trained with, such as paper1",
            description.name
        );
        return Err(UsageError::from(invalid("--features", problem)).into());
    };
    let mut features = preset.config();
    // The published clip length is in samples at the rate of the published preset.
    let published = published.filter(|(published, _)| *published == preset);
    if let Some(samples) = args.clip_samples.or(published.map(|(_, samples)| samples)) {
        features.clip_samples = samples;
    }
    let checked = features.validate();
    checked.map_err(|error| UsageError::from(invalid("--clip-samples", error.to_string())))?;
    Ok(features)
}

/// The model's default settings, without a data set.
fn config(
    args: &ImportArgs,
    description: &Description,
    classes: Vec<String>,
    features: &FeatureConfig,
) -> anyhow::Result<RunConfig> {
    // The default is not to normalize the input of a network that does so itself.
    let normalize = (description.normalizes_input && args.normalization.is_some()).then_some(Normalize::ZScore);
    let settings = Settings {
        data: Some(PathBuf::new()),
        model: Some(args.model),
        normalize,
        ..Settings::default()
    };
    let weights = path::absolute(&args.weights).context("--weights is empty, or there is no current directory")?;
    let config = settings.resolve().map_err(UsageError::Setting)?;
    Ok(RunConfig {
        classes,
        clip_frames: None,
        clip_samples: Some(features.clip_samples),
        imported_from: Some(weights.display().to_string()),
        ..config
    })
}

/// The normalization of the file; neutral where the model's input does not depend on it.
fn normalization(args: &ImportArgs, config: &RunConfig, n_mels: usize) -> anyhow::Result<Normalization> {
    let input = config.model.description().input;
    let normalized = matches!(config.normalize, Normalize::ZScore | Normalize::Mean);
    let waveform = normalized && input.waveform == Some(WaveformKind::Normalized);
    let mel = normalized && input.spectrogram == Some(SpectrogramKind::Mel);
    let Some(file) = &args.normalization else {
        if waveform || mel {
            let problem = format!(
                "is missing: the input of {} is normalized with the statistics of its training set; give a JSON file with \
                 {}",
                config.model,
                needed(waveform, mel)
            );
            return Err(UsageError::from(invalid("--normalization", problem)).into());
        }
        return Ok(PublishedNormalization::default().complete(n_mels));
    };
    let mut published = PublishedNormalization::read(file)?;
    let has_waveform = published.waveform_mean.is_some() && published.waveform_std.is_some();
    let has_mel = !published.mel_mean.is_empty() && !published.mel_std.is_empty();
    if waveform && !has_waveform || mel && !has_mel {
        bail!(
            "{} lacks {}, which {} needs; add them",
            file.display(),
            needed(waveform && !has_waveform, mel && !has_mel),
            config.model
        );
    }
    if !mel {
        // Bands of other features would not fit.
        (published.mel_mean, published.mel_std) = Default::default();
    }
    Ok(published.complete(n_mels))
}

fn needed(waveform: bool, mel: bool) -> String {
    let names = [
        (waveform, "waveform_mean and waveform_std"),
        (mel, "mel_mean and mel_std"),
    ];
    let names: Vec<&str> = names.into_iter().filter_map(|(is, name)| is.then_some(name)).collect();
    names.join(", ")
}

/// The normalization of track statistics, for a model with that input, from `statistics` in the file.
fn statistics(args: &ImportArgs, description: &Description) -> anyhow::Result<Option<StatisticsScale>> {
    if !description.input.statistics {
        return Ok(None);
    }
    let Some(file) = &args.normalization else {
        let problem = format!(
            "is missing: {} takes normalized statistics of tracks; give front_end.json of the run that trained it",
            description.name
        );
        return Err(UsageError::from(invalid("--normalization", problem)).into());
    };
    read_statistics(file).with_context(|| format!("{} does not have the field `statistics`", file.display()))
}

fn read_statistics(file: &Path) -> anyhow::Result<Option<StatisticsScale>> {
    let value: serde_json::Value = serde_json::from_slice(&fs::read(file)?)?;
    Ok(serde_json::from_value(value["statistics"].clone())?)
}
