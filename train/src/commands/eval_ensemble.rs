//! `train eval` of the mean of several runs.

use super::eval_run::{Options, evaluate_into, watch_networks};
use super::{Outcome, UsageError, imported};
use crate::cli::EvalArgs;
use crate::combine::{DataOptions, RunModel, RunOnData, save_ensemble};
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::run::directory::RunDirectory;
use crate::run::set::RunSet;
use crate::run::split_copy;
use crate::settings::device::DeviceChoice;
use anyhow::{Context, bail};
use shared::dataset::split::Set;

/// Averages the probabilities of runs and evaluates the mean. It is saved as a run if --save-run names one.
pub(super) fn eval_ensemble(args: &EvalArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    if args.audio {
        bail!("--audio needs a single run; save the mean with --save-run and evaluate that with --audio");
    }
    if args.calibrate {
        bail!("--calibrate needs a single run; calibrate each run by itself, and the mean uses their temperatures");
    }
    let members = members(args, watch, console)?;
    if let Some(name) = &args.split {
        for member in &members {
            split_copy::check_named(name, &member.config, &member.root)?;
        }
    }
    members.iter().for_each(|member| watch_networks(member, args, watch));
    // Without --save-run the files of the mean are needed for its intervals only.
    let temporary = tempfile::tempdir().context("could not create a temporary directory")?;
    let root = args.save_run.as_deref().unwrap_or(temporary.path());
    let run = RunDirectory::begin(root)?;
    let (device, device_name) = choice.open()?;
    let options = DataOptions {
        data: args.data.clone(),
        eval_clips: args.eval_clips,
    };
    let mut opened = RunOnData::ensemble(members.clone(), &options, &device)?;
    let mut config = save_ensemble(&run, &members, opened.data(), args.save_run.is_some())?;
    if let Some(moved) = &args.data {
        config.data.clone_from(moved);
    }
    let options = Options {
        set: Set::from(args.set),
        calibrate: false,
        tune_thresholds: args.tune_thresholds,
        audio: false,
        verify: args.verify,
    };
    console.line(&format!("evaluating {} on {device_name}", config.model_name()));
    let evaluated = evaluate_into(run, &config, &mut opened, &options, device_name)?;
    Ok(match &args.save_run {
        Some(_) => evaluated.outcome(),
        None => evaluated.outcome_without_files(),
    })
}

/// The runs to average. A set of seeds stands for all its runs.
fn members(args: &EvalArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Vec<RunModel>> {
    let mut members = Vec::new();
    for root in &args.runs {
        match RunSet::open(root)? {
            None => {
                imported::attach_if_imported(root, args, watch, console)?;
                members.push(RunModel::read(root)?);
            }
            Some(set) if set.is_folds() => bail!(
                "{} has folds, which evaluate different tracks, so they cannot be averaged; leave out --save-run to evaluate \
                 each fold",
                root.display()
            ),
            Some(set) => {
                for member in set.members(root) {
                    members.push(RunModel::read(&member.path)?);
                }
            }
        }
    }
    Ok(members)
}
