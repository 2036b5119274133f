//! `train embed`.

use super::{Outcome, UsageError, imported};
use crate::cli::EmbedArgs;
use crate::data::feature_check::check_features;
use crate::data::run_data::RunData;
use crate::evaluation::embeddings::{
    ClassifierMetrics, EmbeddingClassifier, EmbeddingTable, classify, extract, to_safetensors,
};
use crate::loader::Prefetch;
use crate::metrics::ClassificationMetrics;
use crate::models::{Model, import_weights, transfer_weights};
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::run::directory::{BEST_FILE, RunDirectory};
use crate::run::split_copy;
use crate::settings::device::DeviceChoice;
use crate::settings::{RunConfig, Settings};
use crate::step::compute::Compute;
use crate::training::start::blueprint;
use anyhow::{Context, bail};
use serde_json::json;
use shared::dataset::split::Set;
use shared::dataset::{Dataset, Task};
use shared::runtime::atomic_file;
use std::path::PathBuf;

/// Writes the embeddings of all sets and evaluates classifiers on them.
pub fn run_embed(args: EmbedArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    let (mut config, weights) = resolve(&args)?;
    watch.dataset(&config.data);
    watch.advise("run the same command again");
    let data = match &args.run {
        // On its own data set a run must use its own split, or it could be evaluated on training tracks.
        Some(run) if !config.data_checksum.is_empty() => RunData::open_in_run(&config, run)?,
        _ => RunData::open(&config)?,
    };
    if config.classes.is_empty() {
        config.classes = data.dataset.classes().to_vec();
    }
    if !args.classify.is_empty() && data.dataset.task() == Task::MultiLabel {
        bail!(
            "--classify needs a single-label data set, and {} is multi-label",
            config.data.display()
        );
    }
    let (device, device_name) = choice.open()?;
    let compute = Compute::new(&config, &data, vec![device])?;
    let model = load(&config, &data, &compute, &weights, console)?;
    let mut prefetch = Prefetch::new(config.loader_threads, config.prefetch);
    let mut tables = Vec::new();
    for set in Set::ALL {
        // A set may be empty if no classifier is evaluated on it.
        let Ok(clips) = data.clips(set) else { continue };
        let table = extract(&model, &data, &clips, config.batch_size, &mut prefetch, &compute)?;
        tables.push((set, table));
    }
    let bytes = to_safetensors(&data, &tables).context("the embeddings cannot be written as safetensors")?;
    atomic_file::write_bytes(&args.out, &bytes)?;
    let dimension = tables.first().map_or(0, |(_, table)| table.dimension());
    let rows: usize = tables.iter().map(|(_, table)| table.clips.len()).sum();
    console.line(&format!("{} on {device_name}", config.model));
    let mut text = format!("{rows} rows of {dimension} embeddings: {}", args.out.display());
    let set = Set::from(args.set);
    let mut classifiers = serde_json::Map::new();
    for &classifier in &args.classify {
        let (name, metrics) = classified(classifier, args.n_neighbors.get(), &data, &tables, set)?;
        let ClassifierMetrics { tracks, clips } = metrics;
        text += &format!(
            "\n{name} on the {} set: tracks top-1 {:.4}, macro F1 {:.4} of {}; clips top-1 {:.4}, macro F1 {:.4} of {}",
            set.name(),
            tracks.top1,
            tracks.macro_f1,
            tracks.samples,
            clips.top1,
            clips.macro_f1,
            clips.samples
        );
        let summary = |metrics: &ClassificationMetrics| json!({ "top1": metrics.top1, "macro_f1": metrics.macro_f1, "samples": metrics.samples });
        classifiers.insert(
            name.to_owned(),
            json!({ "tracks": summary(&tracks), "clips": summary(&clips) }),
        );
    }
    let json = json!({ "command": "embed", "out": args.out.to_string_lossy(), "rows": rows, "dimension": dimension, "set": set.name(),
                       "classifiers": classifiers });
    Ok(Outcome { text, json })
}

/// Trains a classifier on the training set; returns its name and its metrics on `set`.
fn classified(
    classifier: EmbeddingClassifier,
    neighbours: usize,
    data: &RunData,
    tables: &[(Set, EmbeddingTable)],
    set: Set,
) -> anyhow::Result<(&'static str, ClassifierMetrics)> {
    let (training, evaluated) = (table(tables, Set::Train, data)?, table(tables, set, data)?);
    let name = match classifier {
        EmbeddingClassifier::Knn => "knn",
        EmbeddingClassifier::Svm => "svm",
    };
    Ok((name, classify(classifier, neighbours, data, training, evaluated)?))
}

fn table<'a>(tables: &'a [(Set, EmbeddingTable)], wanted: Set, data: &RunData) -> anyhow::Result<&'a EmbeddingTable> {
    let found = tables.iter().find(|(set, _)| *set == wanted);
    found.map(|(_, table)| table).with_context(|| {
        format!(
            "--classify needs tracks in the {} set of split `{}`",
            wanted.name(),
            data.split.index.name
        )
    })
}

/// The settings to read the data with, and the source of the weights.
fn resolve(args: &EmbedArgs) -> anyhow::Result<(RunConfig, Weights)> {
    let given = Settings {
        data: args.data.clone(),
        model: args.model,
        split: args.split.clone(),
        batch_size: args.batch_size,
        excerpt_seconds: args.excerpt_seconds,
        skip_seconds: args.skip_seconds,
        eval_clips: args.eval_clips,
        ignore_features: Some(args.ignore_features),
        ..Settings::default()
    };
    match (&args.run, &args.init_from) {
        (Some(root), None) => {
            let (run, saved) = RunDirectory::open(root)?;
            if args.data.is_none() && saved.data.as_os_str().is_empty() {
                return Err(imported::needs_data(root));
            }
            let mut settings = saved.to_settings();
            let moved = args.data.as_ref().unwrap_or(&saved.data);
            let is_same_data = Dataset::read_index(moved)?.covers(&saved.data_checksum);
            if is_same_data {
                let saved = RunConfig {
                    data: moved.clone(),
                    ..saved.clone()
                };
                args.split
                    .iter()
                    .try_for_each(|name| split_copy::check_named(name, &saved, root))?;
            } else {
                if args.data.is_none() {
                    bail!(
                        "{} is not the data set that {} was trained on; give that one, or another, with --data",
                        moved.display(),
                        root.display()
                    );
                }
                // Another data set has other splits.
                settings.split = None;
            }
            let mut config = given.or(settings).resolve().map_err(UsageError::Setting)?;
            if args.excerpt_seconds.is_none() {
                config.clip_frames = saved.clip_frames;
                config.clip_samples = saved.clip_samples;
            }
            config.classes = saved.classes;
            if is_same_data {
                config.data_checksum = saved.data_checksum;
            }
            Ok((config, Weights::OfRun(run.path(BEST_FILE))))
        }
        (None, Some(file)) => {
            let config = given.resolve().map_err(UsageError::Setting)?;
            Ok((config, Weights::OfFile(file.clone())))
        }
        _ => Err(UsageError::Setting(crate::settings::invalid(
            "--run",
            "or --init-from is needed for the weights; give one of them",
        ))
        .into()),
    }
}

enum Weights {
    /// Weights of the whole model, for the run's classes.
    OfRun(PathBuf),
    /// Weights of the whole model except possibly the classifier.
    OfFile(PathBuf),
}

fn load(
    config: &RunConfig,
    data: &RunData,
    compute: &Compute,
    weights: &Weights,
    console: Console,
) -> anyhow::Result<Model> {
    let (Weights::OfRun(path) | Weights::OfFile(path)) = weights;
    check_features(path, config, &data.features, console)?;
    let model = config.model.init(&blueprint(config, data), &compute.device);
    match weights {
        Weights::OfRun(path) => Ok(import_weights(model, path)?.0),
        Weights::OfFile(path) => {
            let (model, transfer) = transfer_weights(model, path, true)?;
            let classifier = config.model.description().classifier;
            if let Some(missing) = transfer
                .newly_initialized
                .iter()
                .find(|name| !name.starts_with(classifier))
            {
                bail!(
                    "{} does not have `{missing}`, which {} needs for embeddings; train the model first, and give its run \
                     with --run",
                    path.display(),
                    config.model
                );
            }
            Ok(model)
        }
    }
}
