//! Fits the temperature of a network to its validation set.

use super::network::NetworkOnData;
use crate::evaluation::evaluate::{Evaluation, evaluate_logits};
use crate::evaluation::temperature::LabelledLogits;
use crate::run::calibration::{Calibration, CalibrationMetrics, weights_blake3};
use crate::run::directory::RunDirectory;
use anyhow::Context;
use shared::dataset::split::Set;

/// Fits the temperature of `network`, which has the best weights of `run`. Returns it with the evaluation of the
/// validation set that uses it. Nothing is written.
///
/// # Errors
/// If the loss of the validation set does not have a minimum.
pub fn calibrate(network: &NetworkOnData, run: &RunDirectory) -> anyhow::Result<(Calibration, Evaluation)> {
    let (data, set) = (&network.data, Set::Val);
    let (logits, map) = network.logits(set)?;
    let fitted = LabelledLogits::new(data, &logits).fit();
    let temperature = fitted.with_context(|| format!("no temperature fits {}", run.root().display()))?;
    let metrics = |evaluation: &Evaluation| CalibrationMetrics {
        loss: evaluation.tracks.loss(),
        ece: evaluation.reliability().ece(),
    };
    let (before, after) = (
        evaluate_logits(data, &logits, 1.0),
        evaluate_logits(data, &logits, temperature),
    );
    let calibration = Calibration {
        temperature,
        set,
        tracks: after.tracks.samples(),
        before: metrics(&before),
        after: metrics(&after),
        weights_blake3: weights_blake3(run)?,
    };
    Ok((calibration, Evaluation { map, ..after }))
}
