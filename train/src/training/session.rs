//! The state of a run during training: model, progress and checkpoints.

use super::checkpoint::{self, Progress, Spent};
use super::epoch_source::epoch_source;
use super::freezing::Freezing;
use super::observer::Observer;
use super::start::{CHECKPOINT_FILE, empty_tally, start};
use crate::data::front_end_record::FrontEndRecord;
use crate::data::run_data::{RunData, training_kinds};
use crate::evaluation::evaluate::{Evaluation, evaluate};
use crate::loader::{BatchSource, Excerpt, Prefetch, PrefetchReport, ReadAhead};
use crate::metrics::{MetricSummary, SetReport, Tally};
use crate::models::{Model, export_weights};
use crate::process::console::Console;
use crate::process::resume_command::DEFAULT_DEVICE;
use crate::process::stop::{StopRequest, Stopped};
use crate::run::directory::RunDirectory;
use crate::run::history::{self, EpochRecord, HISTORY_FILE, best};
use crate::settings::{Cache, RunConfig};
use crate::step::batch::TrainingStep;
use crate::step::compute::Compute;
use crate::step::objective::Objective;
use crate::step::optimization::LearningRates;
use crate::step::pace::DeviceTimes;
use crate::step::schedule::Schedule;
use crate::step::trainer::Trainer;
use anyhow::bail;
use shared::dataset::split::Set;
use std::time::Instant;

pub struct Session<'a> {
    config: &'a RunConfig,
    data: &'a RunData,
    run: &'a RunDirectory,
    compute: &'a Compute,
    stop: StopRequest<'a>,
    freezing: Freezing<'a>,
    trainer: Trainer<'a>,
    schedule: Schedule,
    prefetch: Prefetch,
    val_clips: Vec<Excerpt>,
    steps_per_epoch: u64,
    /// The progress after the last finished epoch, or that of the checkpoint that the run was resumed from.
    pub progress: Progress,
}

/// An epoch after its last training step.
pub struct TrainedEpoch {
    /// Counted from 1.
    pub number: usize,
    pub spent: Spent,
    pub loader: PrefetchReport,
    pub device: DeviceTimes,
    tally: Tally,
    /// The weights to evaluate and to keep: the plain ones, or their average.
    weights: Model,
}

impl<'a> Session<'a> {
    /// Starts or continues a run, and writes its settings and its front end, which are needed to use its weights.
    pub fn start(
        config: &'a RunConfig,
        data: &'a RunData,
        run: &'a RunDirectory,
        compute: &'a Compute,
        stop: StopRequest<'a>,
        console: Console,
    ) -> anyhow::Result<Self> {
        data.tracks(Set::Train)?;
        let val_clips = data.clips(Set::Val)?;
        let (progress, model, averaging, optimizer) = start(config, data, run, compute.training_device(), console)?;
        let freezing = Freezing::new(config, &model, &progress.loaded)?;
        let model = freezing.freeze(model, progress.history.len(), console)?;
        let objective = Objective::new(config, data);
        let rates = LearningRates::new(config.lr, config.loaded_lr, &model, &progress.loaded);
        let step = TrainingStep::new(config, objective, rates);
        let steps_per_epoch = epoch_source(config, data, compute, 0).batches.len() as u64;
        FrontEndRecord::new(data).write(run)?;
        run.save_config(config)?;
        Ok(Self {
            config,
            data,
            run,
            compute,
            stop,
            freezing,
            trainer: Trainer::new(config.seed, compute, data, step, model, optimizer, averaging),
            prefetch: Prefetch::new(config.loader_threads, config.prefetch),
            schedule: Schedule::new(config, steps_per_epoch),
            val_clips,
            steps_per_epoch,
            progress,
        })
    }

    /// Takes the remaining steps of the current epoch.
    pub fn train_epoch(&mut self, observer: &Observer<'_>) -> anyhow::Result<TrainedEpoch> {
        let Self {
            config,
            data,
            run,
            progress,
            trainer,
            schedule,
            freezing,
            ..
        } = self;
        let done_epochs = progress.history.len();
        if freezing.thaws_after(done_epochs) {
            let mut count = 0;
            trainer.change_model(|model| {
                let (model, thawed) = freezing.thaw(model);
                count = thawed;
                model
            });
            observer.parameters_are_thawed(done_epochs + 1, count);
        }
        let first_step = done_epochs as u64 * self.steps_per_epoch;
        let source = epoch_source(config, data, self.compute, done_epochs as u64);
        let numbers = (progress.step - first_step) as usize..self.steps_per_epoch as usize;
        let mut ahead = read_ahead(config, data, &source, numbers.start);
        let mut tally = progress.tally.clone();
        let watch = observer.epoch_begins(done_epochs + 1, numbers.clone());
        trainer.times = DeviceTimes::default();
        let began = Instant::now();
        let loader = self.prefetch.run(&source, numbers, |number, batch, so_far| {
            if let Some(ahead) = &mut ahead {
                ahead.advance(&data.dataset, &data.training, &source.batches, number);
            }
            let step = first_step + number as u64;
            trainer.step(step, schedule.factor(step, &progress.history), batch, &mut tally)?;
            let signal = (self.stop)();
            let every = config.checkpoint_every as u64;
            if signal.is_some() || every > 0 && (step + 1).is_multiple_of(every) {
                trainer.settle(&mut tally)?;
                let spent = progress.spent.and(began.elapsed(), so_far);
                let current = progress.at(step + 1, tally.clone(), spent);
                match signal {
                    Some(signal) => return Err(save_and_stop(run, &current, trainer, signal)?.into()),
                    None => save(run, &current, trainer)?,
                }
            }
            watch.step_was_taken(batch.clips(), (tally.samples() > 0).then(|| tally.loss()));
            anyhow::Ok(())
        })?;
        trainer.settle(&mut tally)?;
        Ok(TrainedEpoch {
            number: done_epochs + 1,
            spent: progress.spent.and(began.elapsed(), &loader),
            device: trainer.times,
            loader,
            tally,
            weights: trainer.averaging.evaluated(trainer.model(), done_epochs + 1),
        })
    }

    pub fn evaluate(&mut self, epoch: &TrainedEpoch, observer: &Observer<'_>) -> anyhow::Result<Evaluation> {
        let trained = self.progress.at(
            epoch.number as u64 * self.steps_per_epoch,
            epoch.tally.clone(),
            epoch.spent,
        );
        if !self.run.path(CHECKPOINT_FILE).exists() {
            // Results must never exist without a checkpoint to continue from.
            save(self.run, &trained, &self.trainer)?;
        }
        let batches = self.val_clips.len().div_ceil(self.config.batch_size);
        let watch = observer.evaluation_begins(epoch.number, batches);
        // A stopped evaluation is repeated after resuming from a checkpoint saved before it. Finishing it first could
        // take longer than a batch system waits.
        let check_stop = || {
            watch.batch_was_evaluated();
            match (self.stop)() {
                None => Ok(()),
                Some(signal) => Err(anyhow::Error::from(save_and_stop(
                    self.run,
                    &trained,
                    &self.trainer,
                    signal,
                )?)),
            }
        };
        evaluate(
            &epoch.weights,
            self.data,
            &self.val_clips,
            self.config.batch_size,
            &mut self.prefetch,
            self.compute,
            check_stop,
        )
    }

    /// The history row of the epoch.
    ///
    /// # Errors
    /// If training has failed: the validation loss is not finite, or the monitored metric is undefined.
    pub fn record(&self, epoch: &TrainedEpoch, validation: &SetReport) -> anyhow::Result<EpochRecord> {
        let TrainedEpoch { number, spent, .. } = *epoch;
        let last_step = number as u64 * self.steps_per_epoch - 1;
        let record = EpochRecord {
            epoch: number,
            seconds: spent.seconds,
            data_wait: spent.waited / spent.seconds.max(f64::MIN_POSITIVE),
            clips: spent.clips,
            lr: self.config.lr * self.schedule.factor(last_step, &self.progress.history),
            train: MetricSummary::from(&epoch.tally.metrics(&self.config.classes, None)?),
            val: MetricSummary::from(&validation.tracks),
        };
        if !record.val.loss.is_finite() {
            bail!(
                "the validation loss is not finite after epoch {number}; try a lower --lr than {}",
                self.config.lr
            );
        }
        let monitor = self.config.monitor;
        if record.val.watched(monitor).is_none() {
            bail!(
                "every tag is on all validation tracks or on none, so --monitor {} is undefined; use loss",
                monitor.name()
            );
        }
        Ok(record)
    }

    /// Whether the epoch is better than all previous ones.
    pub fn is_best(&self, record: &EpochRecord) -> bool {
        let monitor = self.config.monitor;
        best(&self.progress.history, monitor).is_none_or(|best| record.val.better(&best.val, monitor))
    }

    /// Writes the weights of the epoch as the run's best ones.
    pub fn keep_weights(&self, epoch: &TrainedEpoch) -> anyhow::Result<()> {
        let weights = export_weights(&epoch.weights).map_err(anyhow::Error::msg)?;
        Ok(self.run.write_weights(&weights)?)
    }

    /// Adds the epoch to the history.
    pub fn finish_epoch(&mut self, epoch: TrainedEpoch, record: EpochRecord) -> anyhow::Result<()> {
        self.progress.history.push(record);
        self.trainer.averaging.add_epoch(epoch.number, epoch.weights);
        let step = self.progress.history.len() as u64 * self.steps_per_epoch;
        self.progress = self.progress.at(step, empty_tally(self.data), Spent::default());
        let table = history::to_csv(&self.progress.history);
        Ok(self.run.write(HISTORY_FILE, &table)?)
    }

    pub fn save_checkpoint(&self) -> anyhow::Result<()> {
        save(self.run, &self.progress, &self.trainer)
    }

    /// Saves a checkpoint and returns [`Stopped`] if a stop signal was received.
    pub fn check_stop(&self) -> anyhow::Result<()> {
        match (self.stop)() {
            None => Ok(()),
            Some(signal) => Err(save_and_stop(self.run, &self.progress, &self.trainer, signal)?.into()),
        }
    }
}

/// Reads the shards of the next shuffle window ahead; `None` if shards are not shuffled in windows or are in memory.
fn read_ahead(config: &RunConfig, data: &RunData, source: &BatchSource<'_>, first: usize) -> Option<ReadAhead> {
    let windowed = config.cache != Cache::Ram && config.shuffle_window > 0;
    windowed.then(|| {
        ReadAhead::new(
            &data.dataset,
            &training_kinds(config, &data.features),
            config.shuffle_window,
            &source.batches,
            first,
        )
    })
}

fn save(run: &RunDirectory, progress: &Progress, trainer: &Trainer<'_>) -> anyhow::Result<()> {
    let average = trainer.averaging.average();
    let bytes = checkpoint::to_bytes(progress, trainer.model(), average, &trainer.optimizer)?;
    Ok(run.write(CHECKPOINT_FILE, &bytes)?)
}

/// Saves a checkpoint and returns the error that ends the training. Before the first step nothing is saved: Burn draws
/// weights when they are first read, and reading them here would draw different ones.
fn save_and_stop(
    run: &RunDirectory,
    progress: &Progress,
    trainer: &Trainer<'_>,
    signal: &'static str,
) -> anyhow::Result<Stopped> {
    if progress.step > 0 {
        save(run, progress, trainer)?;
    }
    Ok(Stopped::AtStep {
        signal,
        step: progress.step,
        run: run.root().to_owned(),
        device: DEFAULT_DEVICE.into(),
    })
}
