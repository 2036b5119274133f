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
use crate::settings::RunConfig;
use crate::step::compute::Compute;
use crate::step::pace::{DeviceTimes, Pace};
use indicatif::ProgressBar;
use std::ops::Range;
use tracing::{info, warn};

/// All outputs of a training.
pub struct Observer<'a> {
    config: &'a RunConfig,
    run: &'a RunDirectory,
    compute: &'a Compute,
    console: Console,
    events: Option<EventFile>,
    advised: bool,
}

/// The progress bar of one epoch.
pub struct EpochWatch<'a> {
    observer: &'a Observer<'a>,
    bar: ProgressBar,
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
            bar: self.console.bar(format!("epoch {epoch}"), steps.end, steps.start),
        }
    }

    pub fn epoch_was_evaluated(&mut self, record: &EpochRecord, loader: &PrefetchReport, device: DeviceTimes) {
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
            "{}",
            describe(record, self.config.epochs, &pace)
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
        Ok(report::write_ending(self.run, Some(ending))?)
    }

    fn pace<'b>(&'b self, loader: &'b PrefetchReport, device: DeviceTimes) -> Pace<'b> {
        Pace {
            loader,
            device,
            config: self.config,
            on_cpu: self.compute.on_cpu(),
            host_front_end: !self.compute.has_front_end(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl EpochWatch<'_> {
    pub fn step_was_taken(&self, loader: &PrefetchReport, device: DeviceTimes) {
        self.bar.inc(1);
        if !self.bar.is_hidden() {
            self.bar.set_message(self.observer.pace(loader, device).describe());
        }
    }
}

impl Drop for EpochWatch<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn describe(record: &EpochRecord, epochs: usize, pace: &Pace<'_>) -> String {
    // Single-label: accuracy; multi-label: mean area under the ROC curves.
    let main = |metrics: &MetricSummary| match (metrics.top1, metrics.auc_roc) {
        (Some(top1), _) => format!("top-1 {top1:.3}"),
        (None, Some(area)) => format!("AUC-ROC {area:.3}"),
        (None, None) => format!("accuracy {:.3}", metrics.paper[0]),
    };
    format!(
        "epoch {}/{epochs}: train loss {:.4}, {}; validation loss {:.4}, {}, macro F1 {:.3}; {:.1} s, {:.1} clips/s; {}",
        record.epoch,
        record.train.loss,
        main(&record.train),
        record.val.loss,
        main(&record.val),
        record.val.macro_f1,
        record.seconds,
        record.clips_per_second().unwrap_or(0.0),
        pace.describe(),
    )
}
