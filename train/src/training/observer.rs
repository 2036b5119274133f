//! Progress bar, log, `metrics.json` with its tables and plots, and TensorBoard during training. One method per event,
//! so the training loop does not depend on any output.

use crate::evaluation::evaluate::Evaluation;
use crate::loader::PrefetchReport;
use crate::metrics::{MetricSummary, SetReport};
use crate::process::console::Console;
use crate::report;
use crate::report::tensorboard::EventFile;
use crate::run::directory::RunDirectory;
use crate::run::ending::Ending;
use crate::run::environment::Environment;
use crate::run::history::EpochRecord;
use crate::settings::{RunConfig, cores};
use crate::step::compute::Compute;
use crate::step::pace::{DeviceTimes, Pace};
use indicatif::ProgressBar;
use shared::runtime::text::clock;
use std::cell::Cell;
use std::ops::Range;
use std::time::{Duration, Instant};
use tracing::{debug, info, warn};

/// All outputs of a training.
pub struct Observer<'a> {
    config: &'a RunConfig,
    run: &'a RunDirectory,
    compute: &'a Compute,
    console: Console,
    events: Option<EventFile>,
    advised: bool,
    /// How long the last evaluation took.
    evaluation: Cell<Duration>,
}

/// The progress bar of an epoch's training steps.
pub struct EpochWatch<'a> {
    observer: &'a Observer<'a>,
    bar: ProgressBar,
    /// Epochs after this one.
    later_epochs: usize,
    began: Instant,
    steps: Cell<u32>,
    clips: Cell<usize>,
}

/// The progress bar of an epoch's evaluation.
pub struct EvaluationWatch<'a> {
    observer: &'a Observer<'a>,
    bar: ProgressBar,
    began: Instant,
}

impl<'a> Observer<'a> {
    pub fn new(config: &'a RunConfig, run: &'a RunDirectory, compute: &'a Compute, console: Console) -> Self {
        Self {
            config,
            run,
            compute,
            console,
            events: None,
            advised: false,
            evaluation: Cell::default(),
        }
    }

    pub fn training_begins(&mut self, history: &[EpochRecord], device: &str) -> anyhow::Result<()> {
        if self.config.tensorboard {
            self.events = Some(EventFile::open(self.run, history)?);
        }
        match Ending::reached(self.config, history) {
            Some(ending) => {
                let advice = match (ending, self.config.depends_on_epochs()) {
                    (Ending::AllEpochs { .. }, Some(setting)) => {
                        format!("with {setting}, more --epochs need a new run")
                    }
                    _ => ending.advice(),
                };
                warn!("nothing left to train: {ending}; {advice}");
            }
            None => {
                Environment::here(device).write(self.run)?;
                report::write_ending(self.run, None)?;
            }
        }
        Ok(())
    }

    /// From this epoch on, `count` parameters are trained that were frozen before.
    pub fn parameters_are_thawed(&self, epoch: usize, count: usize) {
        if count > 0 {
            self.console
                .line(&format!("{count} frozen parameters are trained from epoch {epoch} on"));
        }
    }

    /// `epoch` is counted from 1. It has `steps.end` steps, of which earlier processes took the first `steps.start`.
    pub fn epoch_begins(&self, epoch: usize, steps: Range<usize>) -> EpochWatch<'_> {
        EpochWatch {
            observer: self,
            bar: self.console.bar(self.label(epoch), steps.end, steps.start),
            later_epochs: self.config.epochs.saturating_sub(epoch),
            began: Instant::now(),
            steps: Cell::default(),
            clips: Cell::default(),
        }
    }

    /// The validation set has this many batches.
    pub fn evaluation_begins(&self, epoch: usize, batches: usize) -> EvaluationWatch<'_> {
        EvaluationWatch {
            observer: self,
            bar: self.console.bar(self.label(epoch) + " validation", batches, 0),
            began: Instant::now(),
        }
    }

    fn label(&self, epoch: usize) -> String {
        format!("epoch {epoch}/{}", self.config.epochs)
    }

    /// `is_best` if no earlier epoch was better.
    pub fn epoch_was_evaluated(
        &mut self,
        record: &EpochRecord,
        is_best: bool,
        loader: &PrefetchReport,
        device: DeviceTimes,
    ) {
        let pace = self.pace(loader, device);
        let advice = pace.advice();
        info!(
            epoch = record.epoch,
            seconds = record.seconds,
            data_wait = record.data_wait,
            clips_per_second = record.clips_per_second(),
            train_loss = record.train.loss,
            train_macro_f1 = record.train.macro_f1,
            train_top1 = record.train.top1,
            val_loss = record.val.loss,
            val_macro_f1 = record.val.macro_f1,
            val_top1 = record.val.top1,
            val_auc_roc = record.val.auc_roc,
            val_auc_pr = record.val.auc_pr,
            "{}: {}{}",
            self.label(record.epoch),
            describe(record),
            if is_best { ", best so far" } else { "" }
        );
        debug!(
            "training: {}; {:.1} clips/s, {}",
            accuracy(&record.train),
            record.clips_per_second().unwrap_or(0.0),
            pace.describe()
        );
        if let Some(advice) = advice.filter(|_| !self.advised) {
            self.console.line(&advice);
            self.advised = true;
        }
    }

    /// The weights of this epoch became the run's best ones.
    pub fn weights_were_kept(
        &self,
        record: &EpochRecord,
        validation: SetReport,
        evaluation: &Evaluation,
    ) -> anyhow::Result<()> {
        report::write_validation(self.run, self.config, record, validation, evaluation)
    }

    pub fn epoch_ends(&mut self, history: &[EpochRecord]) -> anyhow::Result<()> {
        report::write_curves(self.run, history)?;
        if let (Some(events), Some(record)) = (&mut self.events, history.last()) {
            events.append(record)?;
        }
        Ok(())
    }

    pub fn training_ends(&self, ending: Ending) -> anyhow::Result<()> {
        if let Ending::EarlyStopping { .. } = ending {
            self.console.line(&ending.to_string());
        }
        Ok(report::write_ending(self.run, Some(ending))?)
    }

    fn pace<'b>(&'b self, loader: &'b PrefetchReport, device: DeviceTimes) -> Pace<'b> {
        Pace {
            loader,
            device,
            config: self.config,
            on_cpu: self.compute.on_cpu(),
            host_front_end: !self.compute.has_front_end(),
            cores: cores(),
        }
    }
}

impl EpochWatch<'_> {
    /// `loss` is the mean of the epoch's steps so far; `None` until the first one is known.
    pub fn step_was_taken(&self, clips: usize, loss: Option<f64>) {
        self.bar.inc(1);
        self.steps.set(self.steps.get() + 1);
        self.clips.set(self.clips.get() + clips);
        if self.bar.is_hidden() {
            return;
        }
        let elapsed = self.began.elapsed();
        let step = elapsed / self.steps.get();
        let length = self.bar.length().unwrap_or(0);
        let left = step * (length - self.bar.position().min(length)) as u32;
        let later_epoch = step * length as u32 + self.observer.evaluation.get();
        let run = left + self.observer.evaluation.get() + later_epoch * self.later_epochs as u32;
        let loss = loss.map_or(String::new(), |loss| format!("loss {loss:.3}, "));
        self.bar.set_message(format!(
            "{loss}{:.0} clips/s, {} left, run {}",
            self.clips.get() as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE),
            clock(left.as_secs_f64()),
            clock(run.as_secs_f64())
        ));
    }
}

impl Drop for EpochWatch<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl EvaluationWatch<'_> {
    pub fn batch_was_evaluated(&self) {
        self.bar.inc(1);
    }
}

impl Drop for EvaluationWatch<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.observer.evaluation.set(self.began.elapsed());
    }
}

/// The results of an epoch, in less than 80 characters with the epoch's number.
fn describe(record: &EpochRecord) -> String {
    let main = match (record.val.top1, record.val.auc_roc) {
        (None, Some(area)) => format!("AUC-ROC {area:.3}"),
        _ => format!("macro F1 {:.3}", record.val.macro_f1),
    };
    format!(
        "loss {:.4}, val loss {:.4}, {main}, {:.1} s",
        record.train.loss, record.val.loss, record.seconds
    )
}

/// Accuracy if there is one label per track, else the mean area under the ROC curves.
fn accuracy(metrics: &MetricSummary) -> String {
    match (metrics.top1, metrics.auc_roc) {
        (Some(top1), _) => format!("top-1 {top1:.3}"),
        (None, Some(area)) => format!("AUC-ROC {area:.3}"),
        (None, None) => format!("accuracy {:.3}", metrics.paper[0]),
    }
}
