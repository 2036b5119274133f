//! Where `train embed` takes embeddings from: runs, a file of weights, or statistics of tracks.

use super::{UsageError, imported};
use crate::cli::EmbedArgs;
use crate::combine::load_network;
use crate::data::feature_check::check_features;
use crate::data::run_data::{RunData, index_of_run};
use crate::models::{Model, ModelKind, transfer_weights};
use crate::process::console::Console;
use crate::run::directory::{BEST_FILE, RunDirectory};
use crate::run::split_copy;
use crate::settings::{RunConfig, Settings};
use crate::training::start::blueprint;
use anyhow::bail;
use burn::tensor::Device;
use std::path::{Path, PathBuf};

/// A network to embed with.
pub(super) struct Source {
    /// The settings to read the data with.
    pub(super) config: RunConfig,
    /// `None`: the embeddings are statistics of tracks.
    pub(super) weights: Option<Weights>,
}

pub(super) enum Weights {
    /// Weights of the whole model, for the classes of this run.
    OfRun(PathBuf),
    /// Weights of the whole model except possibly the classifier.
    OfFile(PathBuf),
}

/// All networks that the arguments name.
pub(super) fn sources(args: &EmbedArgs) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for root in &args.runs {
        sources.push(run(args, root)?);
    }
    if let Some(file) = &args.init_from {
        let mut config = settings(args).resolve().map_err(UsageError::Setting)?;
        // Reports warn that the weights may have been trained on the same tracks.
        config.init_from = Some(file.clone());
        let weights = Some(Weights::OfFile(file.clone()));
        sources.push(Source { config, weights });
    }
    if !args.statistics.is_empty() {
        let data = args.data.clone().or_else(|| Some(sources.first()?.config.data.clone()));
        let settings = Settings {
            data,
            split: args.split.clone(),
            // The model whose input they are.
            model: Some(ModelKind::MfccDense),
            statistics: Some(args.statistics.clone()),
            batch_size: args.batch_size,
            ..Settings::default()
        };
        let config = settings.resolve().map_err(UsageError::Setting)?;
        sources.push(Source { config, weights: None });
    }
    Ok(sources)
}

fn settings(args: &EmbedArgs) -> Settings {
    Settings {
        data: args.data.clone(),
        model: args.model,
        split: args.split.clone(),
        batch_size: args.batch_size,
        clip_seconds: args.clip_seconds,
        skip_seconds: args.skip_seconds,
        eval_clips: args.eval_clips,
        ignore_features: Some(args.ignore_features),
        ..Settings::default()
    }
}

/// The network of a run, on its own data set or another.
fn run(args: &EmbedArgs, root: &Path) -> anyhow::Result<Source> {
    let (_, saved) = RunDirectory::open_network(root)?;
    if args.data.is_none() && saved.data.as_os_str().is_empty() {
        return Err(imported::needs_data(root));
    }
    let mut settings_of_run = saved.to_settings();
    let moved = args.data.as_ref().unwrap_or(&saved.data);
    let is_same_data = index_of_run(root, moved)?.covers(&saved.data_checksum);
    if saved.imported_from.is_some() {
        // Reports warn that the weights may have been trained on the same tracks.
        settings_of_run.init_from = Some(root.to_owned());
    }
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
        settings_of_run.split = None;
        // Reports warn that the weights may have been trained on the same tracks.
        settings_of_run.init_from = Some(root.to_owned());
    }
    let given = settings(args);
    let mut config = given.or(settings_of_run).resolve().map_err(UsageError::Setting)?;
    if args.clip_seconds.is_none() {
        config.clip_frames = saved.clip_frames;
        config.clip_samples = saved.clip_samples;
    }
    config.classes = saved.classes;
    if is_same_data {
        config.data_checksum = saved.data_checksum;
    }
    Ok(Source {
        config,
        weights: Some(Weights::OfRun(root.to_owned())),
    })
}

impl Source {
    /// The run, if the data set is the one that it was trained on.
    pub(super) fn own_run(&self) -> Option<&Path> {
        match &self.weights {
            Some(Weights::OfRun(root)) if !self.config.data_checksum.is_empty() => Some(root),
            _ => None,
        }
    }

    /// Loads the network; `None` for statistics.
    pub(super) fn load(
        &self,
        config: &RunConfig,
        data: &RunData,
        device: &Device,
        console: Console,
    ) -> anyhow::Result<Option<Model>> {
        match &self.weights {
            None => Ok(None),
            Some(Weights::OfRun(root)) => {
                let path = root.join(BEST_FILE);
                check_features(&path, config, &data.features, console)?;
                Ok(Some(load_network(config, *data.front_end.shape(), device, &path)?))
            }
            Some(Weights::OfFile(path)) => {
                check_features(path, config, &data.features, console)?;
                let model = config.model.init(&blueprint(config, data), device);
                let (model, transfer) = transfer_weights(model, path, true)?;
                let classifier = config.model.description().classifier;
                if let Some(missing) = transfer
                    .newly_initialized
                    .iter()
                    .find(|name| !name.starts_with(classifier))
                {
                    bail!(
                        "{} does not have `{missing}`, which {} needs for embeddings; train the model first, and give its \
                         run with --run",
                        path.display(),
                        config.model
                    );
                }
                Ok(Some(model))
            }
        }
    }
}
