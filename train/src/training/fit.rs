//! The training loop.
//!
//! A run's settings and data enter; weights, history and pictures leave, in the run's directory. The loop is written
//! out here rather than taken from `burn-train`, because a run resumes at any step and says how long it waited for
//! data.

use crate::data::front_end_record::FrontEndRecord;
use crate::data::run_data::{RunData, training_kinds};
use crate::evaluation::evaluate::evaluate;
use crate::loader::{BatchSource, Batches, Clips, Prefetch, PrefetchReport, ReadAhead, balanced, training_order};
use crate::metrics::{Figures, SetReport};
use crate::models::{Monitor, export_weights};
use crate::process::console::Console;
use crate::process::resume_command::DEFAULT_DEVICE;
use crate::process::stop::{StopRequest, Stopped};
use crate::report;
use crate::report::tensorboard::EventFile;
use crate::run::directory::{BEST_FILE, RunDirectory};
use crate::run::ending::Ending;
use crate::run::environment::Environment;
use crate::run::history::{self, EpochRecord, HISTORY_FILE, best};
use crate::settings::{Cache, RunConfig};
use crate::step::batch::Rule;
use crate::step::compute::Compute;
use crate::step::objective::Objective;
use crate::step::optimization::learning_rates;
use crate::step::pace::{DeviceTimes, Pace};
use crate::step::trainer::Trainer;
use crate::training::checkpoint::{self, Progress, Spent};
use crate::training::start::{CHECKPOINT_FILE, empty_tally, start};
use anyhow::{Context, bail};
use burn::module::Module;
use shared::dataset::split::Set;
use std::time::Instant;
use tracing::{info, warn};

/// What a run came to.
#[derive(Debug)]
pub struct FitReport {
    /// All epochs.
    pub history: Vec<EpochRecord>,
    /// The one whose weights were kept.
    pub best: EpochRecord,
    /// Figures of those weights on the validation set.
    pub validation: SetReport,
    /// Why no other epoch was trained.
    pub ending: Ending,
}

/// Trains until the epochs are done or the watched figure has not become better for `patience` of them. Where an epoch is
/// due, the run says from then on that it was trained here, on `device`.
///
/// # Errors
/// Among others [`Stopped`], after the step under way, once `stop` says so. The run's checkpoint then continues to the
/// weights that it would have come to.
pub fn fit(
    config: &RunConfig,
    data: &RunData,
    run: &RunDirectory,
    compute: &Compute,
    device: &str,
    stop: StopRequest<'_>,
    console: Console,
) -> anyhow::Result<FitReport> {
    data.tracks(Set::Train)?;
    let val = data.clips(Set::Val)?;
    let (mut progress, model, optimizer) = start(config, data, run, compute.training_device(), console)?;
    let rule = Rule {
        objective: Objective::new(config, data),
        lr: learning_rates(config, &model, &progress.loaded),
    };
    FrontEndRecord::of(data).write(run)?;
    run.save_config(config)?;
    let events = config.tensorboard.then(|| EventFile::open(run, &progress.history));
    let mut events = events.transpose()?;
    let mut trainer = Trainer::new(config, compute, data, rule, model, optimizer);
    let mut prefetch = Prefetch::new(config.loader_threads, config.prefetch);
    let steps = training_source(config, data, compute, 0).batches.len() as u64;
    let mut advised = false;
    match Ending::of(config, &progress.history) {
        Some(ending) => warn!("nothing is left to train: {ending}; {}", ending.advice()),
        None => {
            Environment::here(device).write(run)?;
            report::write_ending(run, None)?;
        }
    }
    let ending = loop {
        let epoch = progress.history.len();
        if let Some(ending) = Ending::of(config, &progress.history) {
            break ending;
        }
        if let Some(signal) = stop() {
            return Err(leave(run, &progress, &trainer, signal)?.into());
        }
        let first = progress.step - epoch as u64 * steps;
        let source = training_source(config, data, compute, epoch as u64);
        let mut tally = progress.tally.clone();
        let bar = console.bar(format!("epoch {}", epoch + 1), steps as usize, first as usize);
        trainer.times = DeviceTimes::default();
        let numbers = first as usize..steps as usize;
        let mut ahead = (config.cache != Cache::Ram && config.shuffle_window > 0).then(|| {
            let kinds = training_kinds(config);
            ReadAhead::new(
                &data.dataset,
                &kinds,
                config.shuffle_window,
                &source.batches,
                numbers.start,
            )
        });
        let (before, began) = (progress.spent, Instant::now());
        let report = prefetch.run(&source, numbers, |number, batch, so_far| -> anyhow::Result<()> {
            let done = epoch as u64 * steps + number as u64;
            let spent = || before.and(began.elapsed(), so_far);
            if let Some(ahead) = &mut ahead {
                ahead.advance(&data.dataset, &data.training, &source.batches, number);
            }
            trainer.step(done, batch, &mut tally)?;
            if let Some(signal) = stop() {
                trainer.settle(&mut tally)?;
                let trained = progress.at(done + 1, tally.clone(), spent());
                return Err(leave(run, &trained, &trainer, signal)?.into());
            }
            if config.checkpoint_every > 0 && (done + 1).is_multiple_of(config.checkpoint_every as u64) {
                trainer.settle(&mut tally)?;
                save(run, &progress.at(done + 1, tally.clone(), spent()), &trainer)?;
            }
            bar.inc(1);
            if !bar.is_hidden() {
                bar.set_message(pace(config, compute, so_far, trainer.times).describe());
            }
            Ok(())
        })?;
        trainer.settle(&mut tally)?;
        bar.finish_and_clear();
        let spent = before.and(began.elapsed(), &report);

        let trained = || progress.at((epoch as u64 + 1) * steps, tally.clone(), spent);
        if !run.path(CHECKPOINT_FILE).exists() {
            // So that there are never results without a checkpoint to go on from.
            save(run, &trained(), &trainer)?;
        }
        let model = trainer.model();
        // A judgement changes nothing that training goes on with, so one that is left is made again from the start, out
        // of a checkpoint from before it. Finishing it could take longer than a batch system waits.
        let keep_on = || match stop() {
            None => Ok(()),
            Some(signal) => Err(anyhow::Error::from(leave(run, &trained(), &trainer, signal)?)),
        };
        let judgement = evaluate(
            &model.valid(),
            data,
            &val,
            config.batch_size,
            &mut prefetch,
            compute,
            keep_on,
        )?;
        if !judgement.tracks.loss().is_finite() {
            bail!(
                "the validation loss is not finite after epoch {}; try a lower --lr than {}",
                epoch + 1,
                config.lr
            );
        }
        let validation = judgement.report(&config.classes, None)?;
        let record = EpochRecord {
            epoch: epoch + 1,
            seconds: spent.seconds,
            data_wait: spent.waited / spent.seconds.max(f64::MIN_POSITIVE),
            clips: spent.clips,
            train: Figures::from(&tally.metrics(&config.classes, None)?),
            val: Figures::from(&validation.tracks),
        };
        if config.monitor == Monitor::AucRoc && record.val.auc_roc.is_none() {
            bail!(
                "no tag is on some of the validation tracks and not on others, so that --monitor auc-roc watches nothing; use loss"
            );
        }
        let pace = pace(config, compute, &report, trainer.times);
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
            describe(&record, config.epochs, &pace)
        );
        if let Some(advice) = pace.advice().filter(|_| !advised) {
            console.line(&advice);
            advised = true;
        }
        if is_best(&record, &progress.history, config.monitor) {
            run.write(BEST_FILE, &export_weights(model).map_err(anyhow::Error::msg)?)?;
            report::write_validation(run, config, &record, validation, &judgement)?;
        }
        progress.history.push(record);
        progress = progress.at((epoch as u64 + 1) * steps, empty_tally(data), Spent::default());
        run.write(HISTORY_FILE, &history::to_csv(&progress.history))?;
        report::write_curves(run, &progress.history)?;
        if let (Some(events), Some(record)) = (&mut events, progress.history.last()) {
            events.append(record)?;
        }
        save(run, &progress, &trainer)?;
    };
    finish(run, progress.history, config.monitor, ending)
}

/// The batches of one epoch.
pub fn training_source<'a>(config: &RunConfig, data: &'a RunData, compute: &Compute, epoch: u64) -> BatchSource<'a> {
    let shard = |excerpt: usize| data.dataset.tracks()[data.training[excerpt].position].shard;
    let class = |excerpt: usize| data.dataset.class(data.training[excerpt].position).unwrap_or(0);
    let all: Vec<usize> = (0..data.training.len()).collect();
    let drawn = balanced(&all, class, config.balance, config.seed, epoch);
    let order = training_order(&drawn, shard, config.shuffle_window, config.seed, epoch);
    BatchSource {
        dataset: &data.dataset,
        excerpts: &data.training,
        features: &data.features,
        target: compute.training_target(data),
        batches: Batches::new(order, config.batch_size),
        clips: Clips::Training {
            seed: config.seed,
            epoch,
            augment: config.augment,
        },
    }
}

fn pace<'a>(config: &'a RunConfig, compute: &Compute, loader: &'a PrefetchReport, device: DeviceTimes) -> Pace<'a> {
    Pace {
        loader,
        device,
        config,
        on_cpu: compute.on_cpu(),
        host_front_end: !compute.has_front_end(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn is_best(record: &EpochRecord, history: &[EpochRecord], monitor: Monitor) -> bool {
    best(history, monitor).is_none_or(|best| record.val.better(&best.val, monitor))
}

fn describe(record: &EpochRecord, epochs: usize, pace: &Pace<'_>) -> String {
    // Of classes the share of right first guesses; of tags the mean area under their ROC curves.
    let main = |figures: &Figures| match (figures.top1, figures.auc_roc) {
        (Some(top1), _) => format!("top-1 {top1:.3}"),
        (None, Some(area)) => format!("AUC-ROC {area:.3}"),
        (None, None) => format!("accuracy {:.3}", figures.paper[0]),
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

fn save(run: &RunDirectory, progress: &Progress, trainer: &Trainer<'_>) -> anyhow::Result<()> {
    let bytes = checkpoint::to_bytes(progress, trainer.model(), &trainer.optimizer)?;
    Ok(run.write(CHECKPOINT_FILE, &bytes)?)
}

/// Saves where the run stands; what to end with. Before the first step there is nothing to save, and nothing is: Burn draws
/// weights when they are first looked at, and looking at them here would draw others.
fn leave(
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

fn finish(
    run: &RunDirectory,
    history: Vec<EpochRecord>,
    monitor: Monitor,
    ending: Ending,
) -> anyhow::Result<FitReport> {
    report::write_ending(run, Some(ending))?;
    let best = best(&history, monitor)
        .context("no epoch was trained; --epochs must be at least 1")?
        .clone();
    let metrics = report::read_metrics(run)?;
    let validation = metrics
        .validation
        .context("metrics.json lacks the validation figures of the best epoch")?;
    Ok(FitReport {
        history,
        best,
        validation,
        ending,
    })
}

#[cfg(test)]
mod resume_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::step::optimization::adam;
    use crate::testing;
    use crate::training::start::blueprint;
    use burn::tensor::Device;
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_run_stopped_at_any_place_ends_as_if_it_had_not_been() {
        let root = testing::dataset();
        // Dropout and fresh weights come from the device's generator, which other tests draw from at the same time: none
        // of the one, and of the other those of one checkpoint for all.
        let config = RunConfig {
            epochs: 2,
            batch_size: 2,
            dropout: 0.0,
            classes: ["Folk", "Rock"].map(String::from).into(),
            split: "main".into(),
            ..testing::config(root.path(), ModelKind::Cnn1d)
        };
        let data = RunData::open(&config).unwrap();
        let compute = Compute::new(&config, &data, vec![Device::flex()]).unwrap();
        let runs = tempfile::tempdir().unwrap();
        let go = |run: &RunDirectory, checks: usize| {
            let asked = AtomicUsize::new(0);
            let stop = || (asked.fetch_add(1, Ordering::Relaxed) >= checks).then_some("SIGTERM");
            fit(&config, &data, run, &compute, "cpu", &stop, Console::new(true))
        };
        let step = |outcome: anyhow::Result<FitReport>| match outcome.unwrap_err().downcast::<Stopped>() {
            Ok(Stopped::AtStep { step, .. }) => step,
            other => panic!("{other:?}"),
        };
        let untrained = config.model.init(&blueprint(&config, &data), compute.training_device());
        let progress = Progress::new(empty_tally(&data), BTreeSet::new());
        let begun = checkpoint::to_bytes(&progress, &untrained, &adam(config.weight_decay)).unwrap();
        let begin = |name: &str| {
            let run = RunDirectory::begin(&runs.path().join(name)).unwrap();
            run.save_config(&config).unwrap();
            run.write(CHECKPOINT_FILE, &begun).unwrap();
            run
        };
        let history = |run: &RunDirectory| {
            let table = String::from_utf8(run.read(HISTORY_FILE).unwrap().unwrap()).unwrap();
            // The clips are those of the whole epoch, wherever it was stopped.
            let without_times = |line: &str| line.split(',').skip(3).map(String::from).collect::<Vec<_>>();
            table.lines().map(without_times).collect::<Vec<_>>()
        };
        let whole = begin("whole");
        go(&whole, usize::MAX).unwrap();
        // Nothing is left to be trained, so nothing is trained elsewhere.
        let trained_on = Environment::read(&whole).unwrap();
        assert!(trained_on.is_some());
        fit(&config, &data, &whole, &compute, "cuda:0", &|| None, Console::new(true)).unwrap();
        assert_eq!(Environment::read(&whole).unwrap(), trained_on);
        // Asked before an epoch, after each of its two steps and after each of its two batches of validation.
        for (checks, expected) in [0, 1, 2, 2, 2, 2, 3, 4, 4, 4].into_iter().enumerate() {
            let run = begin(&checks.to_string());
            assert_eq!(step(go(&run, checks)), expected, "{checks}");
            go(&run, usize::MAX).unwrap();
            assert_eq!(run.read(BEST_FILE).unwrap(), whole.read(BEST_FILE).unwrap(), "{checks}");
            assert_eq!(history(&run), history(&whole), "{checks}");
        }
    }
}
