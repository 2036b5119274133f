//! `train embed`.

use super::embed_files::embed_files;
use super::embed_source::{Source, sources};
use super::eval_run::{Options, RunEvaluation, metrics, write_evaluation};
use super::{Outcome, UsageError};
use crate::classical::{ClassifierConfig, ClassifierKind, TrainingSet, VectorClassifier};
use crate::cli::EmbedArgs;
use crate::combine::{NetworkOnData, classified, same_tracks, save_classifier};
use crate::data::run_data::RunData;
use crate::evaluation::embeddings::{EmbeddingTable, joined, to_safetensors};
use crate::metrics::SetMetrics;
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::run::directory::{BEST_FILE, RunDirectory};
use crate::run::split_copy::{self, SPLIT_DIRECTORY};
use crate::settings::device::DeviceChoice;
use crate::settings::{Combination, STATISTICS, invalid};
use anyhow::{Context, bail};
use burn::tensor::Device;
use serde_json::json;
use shared::dataset::split::{self, Set};
use shared::dataset::{DatasetIndex, Task};
use shared::runtime::atomic_file;
use shared::runtime::output_file::check_new;
use std::path::PathBuf;

/// Embeddings of each set that has tracks.
type Tables = Vec<(Set, EmbeddingTable)>;

/// Writes the embeddings of all sets, evaluates classifiers on them, and saves one as a run.
pub fn run_embed(args: EmbedArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    check_usage(&args)?;
    if !args.files.is_empty() {
        return embed_files(&args, &choice, console);
    }
    if let Some(out) = &args.out {
        let weights = args.runs.iter().map(|run| run.join(BEST_FILE));
        let inputs: Vec<PathBuf> = weights.chain(args.init_from.clone()).collect();
        check_new("--out", out, &inputs, args.force)?;
    }
    let sources = sources(&args)?;
    watch.advise("run the same command again");
    sources.iter().for_each(|source| watch.dataset(&source.config.data));
    // Refused before the work, and locked until its end.
    let saved = args.save_run.as_deref().map(RunDirectory::begin).transpose()?;
    let (device, device_name) = choice.open()?;
    let (embedders, split_from) = open(&sources, &device, console)?;
    let data = &embedders[0].data;
    if !args.classify.is_empty() && data.dataset.task() == Task::MultiLabel {
        bail!(
            "--classify needs a single-label data set, and {} is multi-label",
            data.dataset.root().display()
        );
    }
    let (per_clip, per_track) = extract(&embedders)?;
    // Clips of several networks differ.
    let written = if embedders.len() == 1 { &per_clip } else { &per_track };
    let rows: usize = written.iter().map(|(_, table)| table.clips.len()).sum();
    let dimension = written.first().map_or(0, |(_, table)| table.dimension());
    console.line(&format!("{} on {device_name}", names(&sources).join(" + ")));
    let mut text = format!("{rows} rows of {dimension} embeddings");
    if let Some(out) = &args.out {
        let bytes = to_safetensors(data, written).context("the embeddings cannot be written as safetensors")?;
        atomic_file::write_bytes(out, &bytes)?;
        text += &format!(": {}", out.display());
    }
    let set = Set::from(args.set);
    let mut json =
        json!({ "command": "embed", "out": args.out, "rows": rows, "dimension": dimension, "set": set.name() });
    let mut classifiers = serde_json::Map::new();
    let mut trained = None;
    for &kind in &args.classify {
        let classifier = fit(&args, kind, data, &per_track)?;
        let evaluation = classified(&classifier, data, table(&per_track, set, data)?)?;
        let SetMetrics::Classes(metrics) = evaluation.tracks.metrics(data.dataset.classes(), None)? else {
            unreachable!("the data set is single-label")
        };
        let c = classifier.c().map_or(String::new(), |c| format!(" (C {c})"));
        text += &format!(
            "\n{kind}{c} on the {} set: top-1 {:.4}, macro F1 {:.4} of {} tracks",
            set.name(),
            metrics.top1,
            metrics.macro_f1,
            metrics.samples
        );
        let tracks = json!({ "top1": metrics.top1, "macro_f1": metrics.macro_f1, "samples": metrics.samples });
        classifiers.insert(kind.name().to_owned(), json!({ "tracks": tracks, "c": classifier.c() }));
        trained = Some(classifier);
    }
    json["classifiers"] = classifiers.into();
    if let (Some(run), Some(classifier)) = (saved, trained) {
        let combination = Combination {
            classifier: Some(classifier.kind()),
            members: names(&sources),
        };
        let config = save_classifier(&run, &embedders, &classifier, combination, &split_from)?;
        drop(run);
        let mut last: Option<RunEvaluation> = None;
        // Reports fall back to the validation set.
        let sets = [Set::Val, set]
            .into_iter()
            .filter(|&one| one == set || data.tracks(one).is_ok());
        for one in sets.collect::<std::collections::BTreeSet<_>>() {
            let root = args.save_run.as_ref().expect("the run is saved");
            let (run, _) = RunDirectory::resume(root)?;
            let evaluation = classified(&classifier, data, table(&per_track, one, data)?)?;
            let options = Options {
                set: one,
                calibrate: false,
                tune_thresholds: false,
                audio: false,
                verify: false,
            };
            let so_far = metrics(&run, &config)?;
            let evaluated = write_evaluation(run, &config, so_far, &evaluation, None, &options, device_name.clone())?;
            if one == set {
                last = Some(evaluated);
            }
        }
        let outcome = last.context("the set was evaluated")?.outcome();
        text += &format!("\n{}", outcome.text);
        json["run"] = outcome.json;
    }
    Ok(Outcome { text, json })
}

fn check_usage(args: &EmbedArgs) -> anyhow::Result<()> {
    let wrong = |name: &str, problem: &str| Err(UsageError::Setting(invalid(name, problem)).into());
    if args.runs.is_empty() && args.init_from.is_none() && args.statistics.is_empty() {
        return wrong(
            "--run",
            "or --init-from is needed for the weights, or --statistics without weights; give one of them",
        );
    }
    if args.out.is_none() && args.classify.is_empty() {
        return wrong(
            "--out",
            "or --classify is needed; give a file for the embeddings, or classifiers to train on them",
        );
    }
    if args.save_run.is_some() && args.classify.len() != 1 {
        return wrong("--save-run", "needs --classify with one classifier, which is saved");
    }
    Ok(())
}

fn names(sources: &[Source]) -> Vec<String> {
    let name = |source: &Source| match source.weights {
        None => STATISTICS.to_owned(),
        Some(_) => source.config.model.name().to_owned(),
    };
    sources.iter().map(name).collect()
}

/// Opens the data set for each network. Also returns the directory of the split.
fn open(sources: &[Source], device: &Device, console: Console) -> anyhow::Result<(Vec<NetworkOnData>, PathBuf)> {
    // On its own data set a run must use its own split, or it could be evaluated on training tracks. Other networks use
    // the same.
    let keeper = sources.iter().find_map(|source| source.own_run());
    let mut embedders: Vec<NetworkOnData> = Vec::new();
    for source in sources {
        let mut config = source.config.clone();
        let data = match keeper {
            Some(run) => RunData::open_in_run(&config, run, None)?,
            None => RunData::open(&config)?,
        };
        let index = data.dataset.index();
        if let Some(first) = embedders.first() {
            check_same_data(index, &source.config.data, first)?;
        }
        if let (Some(run), Some(keeper)) = (source.own_run(), keeper) {
            same_tracks(run, &split_copy::read(run, index)?, keeper, &data.split)?;
        }
        if config.classes.is_empty() {
            config.classes = data.dataset.classes().to_vec();
        }
        embedders.push(NetworkOnData::new(
            config,
            data,
            device.clone(),
            |config, data, device| source.load(config, data, device, console),
        )?);
    }
    let data = &embedders[0].data;
    let split_from = match keeper {
        Some(run) => run.join(SPLIT_DIRECTORY),
        None => split::directory(data.dataset.root(), &data.split.index.name)?,
    };
    Ok((embedders, split_from))
}

fn check_same_data(index: &DatasetIndex, root: &std::path::Path, first: &NetworkOnData) -> anyhow::Result<()> {
    if index.checksum != first.data.dataset.index().checksum {
        bail!(
            "{} and {} are different data sets; give the one whose tracks all runs should embed with --data",
            first.data.dataset.root().display(),
            root.display()
        );
    }
    Ok(())
}

/// The embeddings of each set: those of the first network per clip, and those of all networks per track.
fn extract(embedders: &[NetworkOnData]) -> anyhow::Result<(Tables, Tables)> {
    let (mut per_clip, mut per_track) = (Vec::new(), Vec::new());
    for set in Set::ALL {
        // A set may be empty if no classifier is evaluated on it.
        if embedders[0].data.tracks(set).is_err() {
            continue;
        }
        let tables = embedders.iter().map(|embedder| embedder.embeddings(set));
        let tables: Vec<EmbeddingTable> = tables.collect::<anyhow::Result<_>>()?;
        per_track.push((set, joined(&tables)));
        per_clip.extend(tables.into_iter().next().map(|table| (set, table)));
    }
    Ok((per_clip, per_track))
}

/// Trains a classifier on the training set; C and the temperature are chosen on the validation set.
fn fit(args: &EmbedArgs, kind: ClassifierKind, data: &RunData, tables: &Tables) -> anyhow::Result<VectorClassifier> {
    let config = ClassifierConfig {
        kind,
        n_neighbors: args.n_neighbors.get(),
        c: args.c,
    };
    let train = table(tables, Set::Train, data)?;
    let none = EmbeddingTable::default();
    let val = tables
        .iter()
        .find(|(set, _)| *set == Set::Val)
        .map_or(&none, |(_, table)| table);
    let labels = |table: &EmbeddingTable| -> Vec<usize> {
        table
            .clips
            .iter()
            .map(|clip| data.dataset.class(clip.position).unwrap_or(0))
            .collect()
    };
    let (train_labels, val_labels) = (labels(train), labels(val));
    let training_set = TrainingSet {
        vectors: &train.values,
        dimension: train.dimension(),
        labels: &train_labels,
        classes: data.dataset.classes().len(),
    };
    let val = TrainingSet {
        vectors: &val.values,
        labels: &val_labels,
        ..training_set
    };
    Ok(VectorClassifier::fit(&config, &training_set, &val)?)
}

fn table<'a>(tables: &'a Tables, wanted: Set, data: &RunData) -> anyhow::Result<&'a EmbeddingTable> {
    let found = tables.iter().find(|(set, _)| *set == wanted);
    found.map(|(_, table)| table).with_context(|| {
        format!(
            "--classify needs tracks in the {} set of split `{}`",
            wanted.name(),
            data.split.index.name
        )
    })
}
