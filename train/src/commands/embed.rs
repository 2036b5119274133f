//! `train embed`.

use super::{Outcome, UsageError};
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

/// Writes the penultimate activations of all sets, and tries classifiers on top of them.
pub fn run_embed(args: EmbedArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    let (mut config, weights) = resolve(&args)?;
    watch.dataset(&config.data);
    watch.advise("run the same command again");
    let data = match &args.run {
        // On its own data set a run keeps to its own split: elsewhere tracks that it was trained on could be evaluated.
        Some(run) if !config.data_checksum.is_empty() => RunData::of_run(&config, run)?,
        _ => RunData::open(&config)?,
    };
    if config.classes.is_empty() {
        config.classes = data.dataset.classes().to_vec();
    }
    if !args.classify.is_empty() && data.dataset.task() == Task::MultiLabel {
        bail!(
            "--classify needs one class a track, and {} has tags",
            config.data.display()
        );
    }
    let (device, device_name) = choice.open()?;
    let compute = Compute::new(&config, &data, vec![device])?;
    let model = load(&config, &data, &compute, &weights, console)?;
    let mut prefetch = Prefetch::new(config.loader_threads, config.prefetch);
    let mut tables = Vec::new();
    for set in Set::ALL {
        // A set may be empty where only embeddings are wanted.
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
    let mut on_top = serde_json::Map::new();
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
        let of = |metrics: &ClassificationMetrics| json!({ "top1": metrics.top1, "macro_f1": metrics.macro_f1, "samples": metrics.samples });
        on_top.insert(name.to_owned(), json!({ "tracks": of(&tracks), "clips": of(&clips) }));
    }
    let json = json!({ "command": "embed", "out": args.out.to_string_lossy(), "rows": rows, "dimension": dimension, "set": set.name(),
                       "classifiers": on_top });
    Ok(Outcome { text, json })
}

/// The classifier's name, and its metrics on a set after it was trained on the training set.
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

/// The settings to look at the data with, and where the weights are.
fn resolve(args: &EmbedArgs) -> anyhow::Result<(RunConfig, Weights)> {
    let own = Settings {
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
            let (run, begun) = RunDirectory::open(root)?;
            let mut settings = begun.to_settings();
            let moved = args.data.as_ref().unwrap_or(&begun.data);
            let is_own = Dataset::read_index(moved)?.covers(&begun.data_checksum);
            if is_own {
                let begun = RunConfig {
                    data: moved.clone(),
                    ..begun.clone()
                };
                args.split
                    .iter()
                    .try_for_each(|name| split_copy::check_named(name, &begun, root))?;
            } else {
                if args.data.is_none() {
                    bail!(
                        "{} is not the data set that {} was trained on; name it, or another, with --data",
                        moved.display(),
                        root.display()
                    );
                }
                // Another data set has splits of its own.
                settings.split = None;
            }
            let mut config = own.or(settings).resolve().map_err(UsageError::Setting)?;
            if args.excerpt_seconds.is_none() {
                config.clip_frames = begun.clip_frames;
            }
            config.classes = begun.classes;
            if is_own {
                config.data_checksum = begun.data_checksum;
            }
            Ok((config, Weights::OfRun(run.path(BEST_FILE))))
        }
        (None, Some(file)) => {
            let config = own.resolve().map_err(UsageError::Setting)?;
            Ok((config, Weights::OfFile(file.clone())))
        }
        _ => Err(UsageError::Setting(crate::settings::invalid(
            "--run",
            "or --init-from is needed, one of them: they name the weights",
        ))
        .into()),
    }
}

enum Weights {
    /// All of the model, of the run's classes.
    OfRun(PathBuf),
    /// At least all but the classifier.
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
            if let Some(fresh) = transfer
                .newly_initialized
                .iter()
                .find(|name| !name.starts_with(classifier))
            {
                bail!(
                    "{} has no `{fresh}`, without which {} has no embeddings; train it first, and give --run",
                    path.display(),
                    config.model
                );
            }
            Ok(model)
        }
    }
}
