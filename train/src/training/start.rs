//! What a run begins with: newly initialized weights, those of a file or of another run, or its own last checkpoint.

use crate::data::feature_check::{check_features, run_of_weights};
use crate::data::run_data::RunData;
use crate::metrics::Tally;
use crate::models::Penalty;
use crate::models::{Blueprint, Model, freeze, parameter_ids, transfer_weights, weight_names};
use crate::process::console::Console;
use crate::run::directory::{BEST_FILE, CONFIG_FILE, RunDirectory};
use crate::run::history::HISTORY_FILE;
use crate::settings::RunConfig;
use crate::step::optimization::adam;
use crate::training::checkpoint::{self, Progress};
use anyhow::{Context, bail};
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;
use rand::RngExt;
use shared::runtime::rng::{Purpose, stream};
use std::collections::BTreeSet;
use std::path::Path;

pub const CHECKPOINT_FILE: &str = "last.checkpoint";

/// Fresh weights, imported ones, or those of the last checkpoint.
pub fn start(
    config: &RunConfig,
    data: &RunData,
    run: &RunDirectory,
    device: &Device,
    console: Console,
) -> anyhow::Result<(Progress, Model, ModuleOptimizer)> {
    check_complete(run)?;
    device.seed(stream(config.seed, 0, 0, Purpose::Model).random());
    let model = config.model.init(&blueprint(config, data), device);
    let optimizer = adam(config.weight_decay);
    if let Some(bytes) = run.read(CHECKPOINT_FILE)? {
        let path = run.path(CHECKPOINT_FILE);
        let (progress, model, optimizer) = checkpoint::from_bytes(&bytes, model, optimizer)
            .with_context(|| format!("{} cannot be continued from; begin the run again", path.display()))?;
        console.line(&format!(
            "continuing after {} steps and {} epochs",
            progress.step,
            progress.history.len()
        ));
        return Ok((progress, frozen(config, model, console)?, optimizer));
    }
    let (model, loaded) = match &config.init_from {
        None => (model, BTreeSet::new()),
        Some(path) => {
            check_features(path, config, &data.features, console)?;
            begin_from(config, path, model, console)?
        }
    };
    let progress = Progress::new(empty_tally(data), loaded);
    check_penalties(config, &model)?;
    Ok((progress, frozen(config, model, console)?, optimizer))
}

/// Refuses a run whose results would be overwritten, because a file that it goes on from is gone.
fn check_complete(run: &RunDirectory) -> anyhow::Result<()> {
    let is_there = |name: &&str| run.path(name).exists();
    let results: Vec<&str> = [CHECKPOINT_FILE, HISTORY_FILE, BEST_FILE]
        .into_iter()
        .filter(is_there)
        .collect();
    match [CONFIG_FILE, CHECKPOINT_FILE].iter().find(|name| !is_there(name)) {
        Some(missing) if !results.is_empty() => bail!(
            "{} has {} and no {missing}, without which training cannot go on and would overwrite them; restore {missing}, \
             or name another directory with --run",
            run.root().display(),
            results.join(", ")
        ),
        _ => Ok(()),
    }
}

/// What is known of an epoch before its first step.
pub fn empty_tally(data: &RunData) -> Tally {
    Tally::new(data.dataset.task(), data.dataset.classes().len())
}

/// The model with the weights of a file, or those of another run's best epoch, and the names of what was loaded.
fn begin_from(
    config: &RunConfig,
    path: &Path,
    model: Model,
    console: Console,
) -> anyhow::Result<(Model, BTreeSet<String>)> {
    let mut replace = config.replace_classifier;
    let file = if let Some(root) = run_of_weights(path) {
        let (other, begun) = RunDirectory::open(root)?;
        if begun.model != config.model && config.model.description().follows != Some(begun.model.name()) {
            bail!(
                "the run in {} is one of {}, and its weights do not fit {}",
                path.display(),
                begun.model,
                config.model
            );
        }
        // As many classes may still be others.
        replace |= begun.classes != config.classes;
        other.path(BEST_FILE)
    } else {
        path.to_owned()
    };
    let (model, transfer) = transfer_weights(model, &file, replace)?;
    let fresh = match transfer.newly_initialized.as_slice() {
        [] => String::new(),
        names => format!("; newly initialized: {}", names.join(", ")),
    };
    console.line(&format!(
        "loaded {} parameters from {}{fresh}",
        transfer.loaded.len(),
        file.display()
    ));
    Ok((model, transfer.loaded))
}

/// The model with the parameters frozen that the run says.
fn frozen(config: &RunConfig, model: Model, console: Console) -> anyhow::Result<Model> {
    if config.freeze.is_empty() {
        return Ok(model);
    }
    let names = parameter_ids(&model);
    for pattern in &config.freeze {
        if !names.iter().any(|(name, _)| pattern.matches(name)) {
            let names: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
            bail!(
                "--freeze {pattern} matches no parameter of {}; there are {}",
                config.model,
                names.join(", ")
            );
        }
    }
    let all = model.trainable_parameters();
    let (model, frozen) = freeze(model, |name| config.freezes(name));
    if frozen == all {
        bail!(
            "--freeze matches every parameter of {}; leave something to be trained",
            config.model
        );
    }
    console.line(&format!("{frozen} of {all} parameters are frozen"));
    Ok(model)
}

/// Refuses an L2 penalty that would be added to nothing.
fn check_penalties(config: &RunConfig, model: &Model) -> anyhow::Result<()> {
    let names = weight_names(model);
    let matches_none = |penalty: &&Penalty| !names.iter().any(|name| penalty.pattern.matches(name));
    match config.l2.iter().find(matches_none) {
        Some(penalty) => bail!(
            "--l2 {penalty} matches no weight of {}; there are {}",
            config.model,
            names.join(", ")
        ),
        None => Ok(()),
    }
}

/// What the run's network is built for.
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
    fn a_penalty_on_no_weight_is_refused() {
        let device = Device::flex();
        let check = |kind: ModelKind, l2: Vec<Penalty>| {
            let config = RunConfig {
                l2,
                ..crate::testing::config(Path::new("fma"), kind)
            };
            check_penalties(&config, &testing::model(kind, 8, &device)).map_err(|error| error.to_string())
        };
        let of = |pattern: &str| check(ModelKind::MfccDense, vec![Penalty::new(pattern, 0.1)]);
        of("linear0").unwrap();
        of("weight$").unwrap();
        // Nothing of that name, and biases, which no penalty is for.
        for pattern in ["convolution", "bias$"] {
            let refused = of(pattern).unwrap_err();
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
