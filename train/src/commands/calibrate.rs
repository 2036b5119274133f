//! `--calibrate` of `train eval`.

use crate::combine::{self, RunOnData};
use crate::evaluation::evaluate::Evaluation;
use crate::report::{self, RunMetrics};
use crate::run::directory::RunDirectory;
use crate::settings::RunConfig;
use anyhow::{Context, bail};
use std::path::Path;

/// Refuses a run without a network of its own.
pub(super) fn check(root: &Path, config: &RunConfig) -> anyhow::Result<()> {
    if config.combination.is_some() {
        bail!(
            "{} combines other runs, so --calibrate does not apply to it; calibrate these runs, then combine them again",
            root.display()
        );
    }
    Ok(())
}

/// Fits the temperature of the run, stores it, and uses it in `opened`. Results of other probabilities are removed.
/// Returns the evaluation of the validation set and the metrics without any set.
pub(super) fn calibrate(
    run: &RunDirectory,
    opened: &mut RunOnData,
    metrics: RunMetrics,
) -> anyhow::Result<(Evaluation, RunMetrics)> {
    let network = opened.network_mut().context("a combined run cannot be calibrated")?;
    let (calibration, validation) = combine::calibrate(network, run)?;
    report::remove_sets(run)?;
    calibration.write(run)?;
    network.temperature = calibration.temperature;
    let metrics = RunMetrics {
        train: None,
        val: None,
        test: None,
        intervals: Vec::new(),
        ..metrics
    };
    Ok((validation, metrics))
}
