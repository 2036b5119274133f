//! The training loop.
//!
//! A run's settings and data enter; weights, history and pictures leave, in the run's directory. The loop is written
//! out here rather than taken from `burn-train`, because a run resumes at any step and says how long it waited for
//! data.

use crate::checkpoint::{self, Progress};
use crate::config::RunConfig;
use crate::console::Console;
use crate::evaluate::evaluate;
use crate::history::{self, EpochRecord, Figures};
use crate::loader::{BatchSource, Batches, Clips, Prefetch, PrefetchReport, training_order};
use crate::metrics::{ClassificationMetrics, Tally};
use crate::models::{Model, export_weights, import_weights};
use crate::report;
use crate::run_data::RunData;
use crate::run_directory::RunDirectory;
use crate::step;
use anyhow::{Context, bail};
use burn::module::Module;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::Device;
use rand::RngExt;
use shared::rng::{Purpose, stream};
use shared::split::Set;

/// Weights of the epoch with the lowest validation loss.
pub const BEST_FILE: &str = "best.safetensors";
/// Where the run stands.
pub const CHECKPOINT_FILE: &str = "last.checkpoint";
/// Figures per epoch.
pub const HISTORY_FILE: &str = "history.csv";

/// PyTorch's value; Burn's own default is 1e-5.
const ADAM_EPSILON: f32 = 1e-8;

/// What a run came to.
#[derive(Debug)]
pub struct FitReport {
    /// All epochs.
    pub history: Vec<EpochRecord>,
    /// The one whose weights were kept.
    pub best: EpochRecord,
    /// Figures of those weights on the validation set.
    pub validation: ClassificationMetrics,
}

/// Trains until the epochs are done or validation loss has not fallen for `patience` of them.
pub fn fit(
    config: &RunConfig,
    data: &RunData,
    run: &RunDirectory,
    device: &Device,
    console: Console,
) -> anyhow::Result<FitReport> {
    let (train, val) = (data.positions(Set::Train)?, data.positions(Set::Val)?);
    let training_device = device.clone().autodiff();
    let (mut progress, model, mut optimizer) = start(config, run, &training_device, console)?;
    let mut model = Some(model);
    let mut prefetch = Prefetch::new(config.loader_threads, config.prefetch);
    let steps = train.len().div_ceil(config.batch_size) as u64;
    while let Some(epoch) = next_epoch(config, &progress.history) {
        let first = progress.step - epoch as u64 * steps;
        let clips = Clips::Training {
            seed: config.seed,
            epoch: epoch as u64,
            augment: config.augment,
        };
        let source = BatchSource {
            dataset: &data.dataset,
            front_end: &data.front_end,
            batches: Batches::new(training_order(train, config.seed, epoch as u64), config.batch_size),
            clips,
        };
        let mut tally = progress
            .tally()
            .context("the checkpoint's confusion matrix is not square")?;
        let bar = console.bar(format!("epoch {}", epoch + 1), steps as usize, first as usize);
        let report = prefetch.run(
            &source,
            first as usize..steps as usize,
            |number, batch| -> anyhow::Result<()> {
                let done = epoch as u64 * steps + number as u64;
                // Dropout's masks, too, are a function of the step's number.
                training_device.seed(stream(config.seed, 1 + done, 0, Purpose::Model).random());
                let input = step::upload(batch, data.front_end.input(), data.dataset.features(), &training_device);
                let current = model.take().expect("every step puts the model back");
                let (changed, logits) = step::train(
                    current,
                    &mut optimizer,
                    config.lr,
                    input,
                    &batch.labels,
                    &training_device,
                )?;
                tally.add(&logits, &batch.labels);
                if !tally.loss().is_finite() {
                    bail!(
                        "the loss is not finite any more at step {}; try a lower --lr than {}",
                        done + 1,
                        config.lr
                    );
                }
                if config.checkpoint_every > 0 && (done + 1).is_multiple_of(config.checkpoint_every as u64) {
                    let progress = Progress::at(done + 1, &tally, progress.history.clone());
                    save(run, &progress, &changed, &optimizer)?;
                }
                model = Some(changed);
                bar.inc(1);
                Ok(())
            },
        )?;
        bar.finish_and_clear();

        let trained = model.as_ref().expect("every step puts the model back");
        let validation = evaluate(&trained.valid(), data, val, config.batch_size, &mut prefetch, device)?;
        let record = record(epoch, &report, &tally, &validation, &config.classes);
        console.line(&describe(&record, config.epochs, tally.confusion.total(), &report));
        if is_best(&record, &progress.history) {
            run.write(BEST_FILE, &export_weights(trained).map_err(anyhow::Error::msg)?)?;
            report::write_validation(run, config, &record, &validation)?;
        }
        progress.history.push(record);
        progress = Progress::at(
            (epoch as u64 + 1) * steps,
            &Tally::new(config.classes.len()),
            progress.history,
        );
        run.write(HISTORY_FILE, &history::to_csv(&progress.history))?;
        report::write_curves(run, &progress.history)?;
        save(run, &progress, trained, &optimizer)?;
    }
    finish(run, progress.history)
}

/// Fresh weights, imported ones, or those of the last checkpoint.
fn start(
    config: &RunConfig,
    run: &RunDirectory,
    device: &Device,
    console: Console,
) -> anyhow::Result<(Progress, Model, ModuleOptimizer)> {
    device.seed(stream(config.seed, 0, 0, Purpose::Model).random());
    let model = config.model.init(config.classes.len(), config.dropout, device);
    let optimizer = AdamConfig::new()
        .with_epsilon(ADAM_EPSILON)
        .with_weight_decay((config.weight_decay > 0.0).then(|| WeightDecayConfig::new(config.weight_decay)))
        .init();
    if let Some(bytes) = run.read(CHECKPOINT_FILE)? {
        let path = run.path(CHECKPOINT_FILE);
        let (progress, model, optimizer) = checkpoint::from_bytes(&bytes, model, optimizer)
            .with_context(|| format!("{} cannot be continued from; begin the run again", path.display()))?;
        console.line(&format!(
            "continuing after {} steps and {} epochs",
            progress.step,
            progress.history.len()
        ));
        return Ok((progress, model, optimizer));
    }
    let progress = Progress::new(config.classes.len());
    match &config.init_from {
        None => Ok((progress, model, optimizer)),
        Some(path) => {
            let (model, tensors) = import_weights(model, path)?;
            console.line(&format!("loaded {tensors} tensors from {}", path.display()));
            Ok((progress, model, optimizer))
        }
    }
}

/// The epoch to train, counted from 0, unless the run is over.
fn next_epoch(config: &RunConfig, history: &[EpochRecord]) -> Option<usize> {
    let since_best = best(history).map_or(0, |best| history.len() - best.epoch);
    let stopped = config.patience > 0 && since_best >= config.patience;
    (history.len() < config.epochs && !stopped).then_some(history.len())
}

/// The epoch with the lowest validation loss; the earliest of several.
fn best(history: &[EpochRecord]) -> Option<&EpochRecord> {
    history.iter().min_by(|a, b| a.val.loss.total_cmp(&b.val.loss))
}

fn is_best(record: &EpochRecord, history: &[EpochRecord]) -> bool {
    best(history).is_none_or(|best| record.val.loss < best.val.loss)
}

fn record(epoch: usize, report: &PrefetchReport, train: &Tally, val: &Tally, classes: &[String]) -> EpochRecord {
    EpochRecord {
        epoch: epoch + 1,
        seconds: report.elapsed.as_secs_f64(),
        data_wait: report.wait_share(),
        train: Figures::from(&train.metrics(classes)),
        val: Figures::from(&val.metrics(classes)),
    }
}

fn describe(record: &EpochRecord, epochs: usize, clips: u64, report: &PrefetchReport) -> String {
    format!(
        "epoch {}/{epochs}: train loss {:.4}, top-1 {:.3}; validation loss {:.4}, top-1 {:.3}, macro F1 {:.3}; \
         {:.1} s, {:.1} clips/s, {:.1} % waiting for data, {:.1} batches ready",
        record.epoch,
        record.train.loss,
        record.train.top1,
        record.val.loss,
        record.val.top1,
        record.val.macro_f1,
        record.seconds,
        clips as f64 / record.seconds.max(f64::MIN_POSITIVE),
        100.0 * record.data_wait,
        report.ready as f64 / report.batches.max(1) as f64,
    )
}

fn save(run: &RunDirectory, progress: &Progress, model: &Model, optimizer: &ModuleOptimizer) -> anyhow::Result<()> {
    Ok(run.write(CHECKPOINT_FILE, &checkpoint::to_bytes(progress, model, optimizer)?)?)
}

fn finish(run: &RunDirectory, history: Vec<EpochRecord>) -> anyhow::Result<FitReport> {
    let best = best(&history)
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::models::ModelKind;

    fn history(losses: &[f64]) -> Vec<EpochRecord> {
        let figures = |loss| Figures {
            loss,
            top1: 0.0,
            macro_f1: 0.0,
            paper: [0.0; 4],
        };
        let record = |(at, &loss): (usize, &f64)| EpochRecord {
            epoch: at + 1,
            seconds: 1.0,
            data_wait: 0.0,
            train: figures(1.0),
            val: figures(loss),
        };
        losses.iter().enumerate().map(record).collect()
    }

    fn config(epochs: usize, patience: usize) -> RunConfig {
        let settings = Settings {
            data: Some("fma".into()),
            model: Some(ModelKind::Cnn2d),
            epochs: Some(epochs),
            patience: Some(patience),
            ..Settings::default()
        };
        settings.resolve().unwrap()
    }

    #[test]
    fn training_stops_after_the_epochs_or_when_patience_is_over() {
        assert_eq!(next_epoch(&config(3, 10), &history(&[])), Some(0));
        assert_eq!(next_epoch(&config(3, 10), &history(&[3.0, 2.0])), Some(2));
        assert_eq!(next_epoch(&config(3, 10), &history(&[3.0, 2.0, 1.0])), None);
        assert_eq!(next_epoch(&config(9, 2), &history(&[3.0, 2.0, 2.5])), Some(3));
        assert_eq!(next_epoch(&config(9, 2), &history(&[3.0, 2.0, 2.5, 2.0])), None);
        assert_eq!(next_epoch(&config(9, 0), &history(&[3.0, 4.0, 5.0, 6.0])), Some(4));
    }

    #[test]
    fn the_best_epoch_is_the_first_with_the_lowest_validation_loss() {
        let past = history(&[3.0, 1.5, 2.0, 1.5]);
        assert_eq!(best(&past).unwrap().epoch, 2);
        assert!(!is_best(&past[3], &past[..3]));
        assert!(is_best(&past[1], &past[..1]));
    }
}
