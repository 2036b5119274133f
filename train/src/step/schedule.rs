//! Learning rate schedules: the factor of the learning rate at each step, as in PyTorch.
//!
//! A factor is a function of the number of the step and of the finished epochs, so a resumed run needs no other state.
//! Burn's schedulers count their own calls. Their state would have to be in the checkpoint.

use crate::models::{LrSchedule, Monitor};
use crate::run::history::EpochRecord;
use crate::settings::RunConfig;
use std::f64::consts::PI;

/// Epochs without a better metric after which `plateau` multiplies the rate by [`PLATEAU_FACTOR`]. PyTorch's `patience`
/// is one less.
const PLATEAU_EPOCHS: usize = 3;
const PLATEAU_FACTOR: f64 = 0.5;

/// Defaults of PyTorch's `OneCycleLR`: the fraction of steps in which the rate rises, how many times lower than the highest
/// the first rate is, and how many times lower than the first the last is.
const PCT_START: f64 = 0.3;
const DIV_FACTOR: f64 = 25.0;
const FINAL_DIV_FACTOR: f64 = 1e4;

/// The schedule of a run.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    kind: LrSchedule,
    monitor: Monitor,
    /// Steps of the warm-up; a part of a step counts.
    warmup: f64,
    /// Steps of the whole run.
    steps: f64,
}

impl Schedule {
    pub fn new(config: &RunConfig, steps_per_epoch: u64) -> Self {
        let per_epoch = steps_per_epoch as f64;
        Self {
            kind: config.lr_schedule,
            monitor: config.monitor,
            warmup: config.warmup_epochs * per_epoch,
            steps: config.epochs as f64 * per_epoch,
        }
    }

    /// The factor of the learning rate at a step, counted from 0, after the epochs of `history`.
    pub fn factor(&self, step: u64, history: &[EpochRecord]) -> f64 {
        let warm_up = match self.warmup {
            0.0 => 1.0,
            steps => ((step + 1) as f64 / steps).min(1.0),
        };
        // The decay begins when the warm-up has ended.
        let step = step as f64;
        let done = ((step - self.warmup) / (self.steps - self.warmup)).clamp(0.0, 1.0);
        let decay = match self.kind {
            LrSchedule::Constant => 1.0,
            LrSchedule::Cosine => cosine(1.0, 0.0, done),
            LrSchedule::Linear => 1.0 - done,
            LrSchedule::OneCycle => one_cycle(step, self.steps),
            LrSchedule::Plateau => plateau(history, self.monitor),
        };
        warm_up * decay
    }
}

/// From `first` to `last` along half a cosine; `done` is from 0 to 1.
fn cosine(first: f64, last: f64, done: f64) -> f64 {
    last + (first - last) * (1.0 + (PI * done).cos()) / 2.0
}

/// `OneCycleLR(total_steps=steps)`, whose last step has the lowest rate.
fn one_cycle(step: f64, steps: f64) -> f64 {
    let first = 1.0 / DIV_FACTOR;
    let highest_at = PCT_START * steps - 1.0;
    if step <= highest_at {
        return cosine(first, 1.0, step / highest_at);
    }
    let done = (step - highest_at) / (steps - 1.0 - highest_at);
    cosine(1.0, first / FINAL_DIV_FACTOR, done.min(1.0))
}

/// `ReduceLROnPlateau(factor=0.5, patience=2, threshold=0)`.
fn plateau(history: &[EpochRecord], monitor: Monitor) -> f64 {
    let (mut factor, mut without_better) = (1.0, 0);
    let mut best: Option<&EpochRecord> = None;
    for record in history {
        if best.is_none_or(|best| record.val.better(&best.val, monitor)) {
            best = Some(record);
            without_better = 0;
        } else {
            without_better += 1;
        }
        if without_better == PLATEAU_EPOCHS {
            factor *= PLATEAU_FACTOR;
            without_better = 0;
        }
    }
    factor
}
