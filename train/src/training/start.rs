//! The initial state of a run: newly initialized weights, loaded weights, or the run's last checkpoint.

use crate::data::feature_check::{check_features, run_of_weights};
use crate::data::run_data::RunData;
use crate::metrics::Tally;
use crate::models::Penalty;
use crate::models::{Blueprint, Model, transfer_weights, weight_names};
use crate::process::console::Console;
use crate::run::directory::{BEST_FILE, CONFIG_FILE, RunDirectory};
use crate::run::history::HISTORY_FILE;
use crate::settings::RunConfig;
use crate::step::averaging::Averaging;
use crate::step::optimization::optimizer;
use crate::training::checkpoint::{self, Progress};
use crate::training::freezing::Freezing;
use anyhow::{Context, bail};
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;
use rand::RngExt;
use shared::runtime::rng::{Purpose, stream};
use std::collections::BTreeSet;
use std::path::Path;

pub const CHECKPOINT_FILE: &str = "last.checkpoint";

/// Returns the progress, the model, its averages and the optimizer that training begins with.
pub fn start(
    config: &RunConfig,
    data: &RunData,
    run: &RunDirectory,
    device: &Device,
    console: Console,
) -> anyhow::Result<(Progress, Model, Averaging, ModuleOptimizer)> {
    check_complete(run)?;
    let model = initialized(config, data, device);
    let optimizer = optimizer(config);
    if let Some(bytes) = run.read(CHECKPOINT_FILE)? {
        let path = run.path(CHECKPOINT_FILE);
        let (progress, model, average, optimizer) =
            checkpoint::from_bytes(&bytes, model, optimizer).with_context(|| {
                format!(
                    "cannot continue from {}; start the run again in another directory",
                    path.display()
                )
            })?;
        let averaging = Averaging::resume(config, progress.step, progress.history.len(), average);
        let averaging = averaging.with_context(|| {
            format!(
                "the averaged weights in {} do not fit --ema and --average-last; restore {CONFIG_FILE}, or start the run \
                 again in another directory",
                path.display()
            )
        })?;
        console.line(&format!(
            "continuing after {} steps and {} epochs",
            progress.step,
            progress.history.len()
        ));
        return Ok((progress, model, averaging, optimizer));
    }
    let (model, loaded) = with_initial_weights(config, data, model, console)?;
    let progress = Progress::new(empty_tally(data), loaded);
    Ok((progress, model, Averaging::new(config), optimizer))
}

/// The model with new weights.
pub fn initialized(config: &RunConfig, data: &RunData, device: &Device) -> Model {
    device.seed(stream(config.seed, 0, 0, Purpose::Model).random());
    config.model.init(&blueprint(config, data), device)
}

/// Loads the weights of `--init-from`. Also returns the names of the loaded parameters.
pub fn with_initial_weights(
    config: &RunConfig,
    data: &RunData,
    model: Model,
    console: Console,
) -> anyhow::Result<(Model, BTreeSet<String>)> {
    let (model, loaded) = match &config.init_from {
        None => (model, BTreeSet::new()),
        Some(path) => {
            check_features(path, config, &data.features, console)?;
            load_initial_weights(config, path, model, console)?
        }
    };
    check_penalties(config, &model)?;
    Ok((model, loaded))
}

/// Checks that the weights can be loaded and that the settings name weights of the model, before anything is written.
pub fn check(config: &RunConfig, data: &RunData) -> anyhow::Result<()> {
    let model = initialized(config, data, &Device::flex());
    let (model, loaded) = with_initial_weights(config, data, model, Console::new(true))?;
    Freezing::new(config, &model, &loaded)?;
    Ok(())
}

/// Refuses a run with results whose settings or checkpoint are missing, because training would overwrite the results.
fn check_complete(run: &RunDirectory) -> anyhow::Result<()> {
    let exists = |name: &&str| run.path(name).exists();
    let results: Vec<&str> = [CHECKPOINT_FILE, HISTORY_FILE, BEST_FILE]
        .into_iter()
        .filter(exists)
        .collect();
    match [CONFIG_FILE, CHECKPOINT_FILE].iter().find(|name| !exists(name)) {
        Some(missing) if !results.is_empty() => bail!(
            "{} has {} but no {missing}, so training would start over and overwrite them; restore {missing}, or give \
             another directory with --run",
            run.root().display(),
            results.join(", ")
        ),
        _ => Ok(()),
    }
}

/// The metrics of an epoch before its first step.
pub fn empty_tally(data: &RunData) -> Tally {
    Tally::new(data.dataset.task(), data.dataset.classes().len())
}

/// Loads weights from a file or from the best epoch of another run. Also returns the names of the loaded parameters.
fn load_initial_weights(
    config: &RunConfig,
    path: &Path,
    model: Model,
    console: Console,
) -> anyhow::Result<(Model, BTreeSet<String>)> {
    let mut replace = config.replace_classifier;
    let file = if let Some(root) = run_of_weights(path) {
        let (other, other_config) = RunDirectory::open_network(root)?;
        if other_config.model != config.model && config.model.description().follows != Some(other_config.model.name()) {
            bail!(
                "the run in {} trained {}, whose weights do not fit {}",
                path.display(),
                other_config.model,
                config.model
            );
        }
        // The same number of classes may still be different classes.
        replace |= other_config.classes != config.classes;
        other.path(BEST_FILE)
    } else {
        path.to_owned()
    };
    let (model, transfer) = transfer_weights(model, &file, replace)?;
    let newly_initialized = match transfer.newly_initialized.as_slice() {
        [] => String::new(),
        names => format!("; newly initialized: {}", names.join(", ")),
    };
    console.line(&format!(
        "loaded {} parameters from {}{newly_initialized}",
        transfer.loaded.len(),
        file.display()
    ));
    Ok((model, transfer.loaded))
}

/// Refuses an L2 penalty that matches no weight.
fn check_penalties(config: &RunConfig, model: &Model) -> anyhow::Result<()> {
    let names = weight_names(model);
    let matches_none = |penalty: &&Penalty| !names.iter().any(|name| penalty.pattern.matches(name));
    match config.l2.iter().find(matches_none) {
        Some(penalty) => bail!(
            "--l2 {penalty} matches no weight of {}; its weights are {}",
            config.model,
            names.join(", ")
        ),
        None => Ok(()),
    }
}

/// Input shape, number of classes and dropout of the run's network.
pub fn blueprint(config: &RunConfig, data: &RunData) -> Blueprint {
    Blueprint {
        shape: *data.front_end.shape(),
        classes: config.classes.len(),
        dropout: config.dropout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ModelKind, testing};

    #[test]
    fn penalty_that_matches_no_weight_is_refused() {
        let device = Device::flex();
        let check = |kind: ModelKind, l2: Vec<Penalty>| {
            let config = RunConfig {
                l2,
                ..crate::testing::config(Path::new("fma"), kind)
            };
            check_penalties(&config, &testing::model(kind, 8, &device)).map_err(|error| error.to_string())
        };
        let check_pattern = |pattern: &str| check(ModelKind::MfccDense, vec![Penalty::new(pattern, 0.1)]);
        check_pattern("linear0").unwrap();
        check_pattern("weight$").unwrap();
        // No parameter has the first name, and penalties do not apply to biases.
        for pattern in ["convolution", "bias$"] {
            let refused = check_pattern(pattern).unwrap_err();
            assert!(
                refused.starts_with(&format!("--l2 {pattern}=0.1 matches no weight of mfcc-dense"))
                    && refused.contains("linear0.weight, "),
                "{refused}"
            );
        }
        for &kind in ModelKind::ALL {
            check(kind, crate::testing::config(Path::new("fma"), kind).l2).unwrap();
        }
    }
}
