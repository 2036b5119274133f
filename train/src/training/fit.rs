//! The training loop.
//!
//! It does not use `burn-train`, because a run can resume at any step and measures how long it waits for data. The
//! [`Observer`] logs and writes reports.

use super::observer::Observer;
use super::session::Session;
use crate::data::run_data::RunData;
use crate::metrics::SetReport;
use crate::process::console::Console;
use crate::process::stop::StopRequest;
use crate::report;
use crate::run::directory::RunDirectory;
use crate::run::ending::Ending;
use crate::run::history::{EpochRecord, best};
use crate::settings::RunConfig;
use crate::step::compute::Compute;
use anyhow::Context;

/// The result of a training.
#[derive(Debug)]
pub struct FitReport {
    pub history: Vec<EpochRecord>,
    /// The epoch whose weights were kept.
    pub best: EpochRecord,
    /// Validation metrics of these weights.
    pub val: SetReport,
    /// Why training ended.
    pub ending: Ending,
}

/// Trains until all epochs are done or the monitored metric did not improve for `patience` epochs. If any epoch is
/// trained, the run records this machine and `device`.
///
/// # Errors
/// Among others [`Stopped`](crate::process::stop::Stopped) after the current step, once `stop` returns a signal.
/// Continuing from the run's checkpoint then gives the same weights as an uninterrupted run.
pub fn fit(
    config: &RunConfig,
    data: &RunData,
    run: &RunDirectory,
    compute: &Compute,
    device: &str,
    stop: StopRequest<'_>,
    console: Console,
) -> anyhow::Result<FitReport> {
    let mut session = Session::start(config, data, run, compute, stop, console)?;
    let mut observer = Observer::new(config, run, compute, console);
    observer.training_begins(&session.progress.history, device)?;
    let ending = loop {
        if let Some(ending) = Ending::reached(config, &session.progress.history) {
            break ending;
        }
        session.check_stop()?;
        let epoch = session.train_epoch(&observer)?;
        let evaluation = session.evaluate(&epoch, &observer)?;
        let report = evaluation.report(&config.classes, None)?;
        let record = session.record(&epoch, &report)?;
        let is_best = session.is_best(&record);
        observer.epoch_was_evaluated(&record, is_best, &epoch.loader, epoch.device);
        if is_best {
            session.keep_weights(&epoch)?;
            observer.weights_were_kept(&record, report, &evaluation)?;
        }
        session.finish_epoch(epoch, record)?;
        observer.epoch_ends(&session.progress.history)?;
        session.save_checkpoint()?;
    };
    observer.training_ends(ending)?;
    let history = session.progress.history;
    let best = best(&history, config.monitor)
        .context("no epoch was trained; --epochs must be at least 1")?
        .clone();
    let val = report::read_metrics(run)?
        .val
        .context("metrics.json lacks the validation metrics of the best epoch")?;
    Ok(FitReport {
        history,
        best,
        val,
        ending,
    })
}

#[cfg(test)]
mod resume_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{LrSchedule, ModelKind, ParameterPattern, export_weights, parameters};
    use crate::process::stop::Stopped;
    use crate::run::directory::BEST_FILE;
    use crate::run::environment::Environment;
    use crate::run::history::HISTORY_FILE;
    use crate::step::optimization::adam;
    use crate::testing;
    use crate::training::checkpoint::{self, Progress};
    use crate::training::start::blueprint;
    use crate::training::start::{CHECKPOINT_FILE, empty_tally};
    use burn::tensor::Device;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Stops a run at every point where that is possible, resumes it, and compares it with an uninterrupted one.
    /// `expected` has the finished steps of each point. Each epoch has two steps.
    fn stop_everywhere_and_resume(change: impl Fn(&mut RunConfig), expected: &[u64]) {
        let root = testing::dataset();
        // Dropout and new weights are drawn from the device's generator, which other tests also use. So there is no
        // dropout, and all runs start from the same checkpoint.
        let mut config = RunConfig {
            epochs: 2,
            batch_size: 2,
            micro_batch_size: Some(1),
            lr_schedule: LrSchedule::Cosine,
            warmup_epochs: 0.5,
            clip_grad_norm: 1.0,
            dropout: 0.0,
            classes: ["Folk", "Rock"].map(String::from).into(),
            split: "main".into(),
            ..testing::config(root.path(), ModelKind::Cnn1d)
        };
        change(&mut config);
        let data = RunData::open(&config).unwrap();
        let compute = Compute::new(&config, &data, vec![Device::flex()]).unwrap();
        let runs = tempfile::tempdir().unwrap();
        let fit_until = |run: &RunDirectory, max_checks: usize| {
            let checks = AtomicUsize::new(0);
            let stop = || (checks.fetch_add(1, Ordering::Relaxed) >= max_checks).then_some("SIGTERM");
            fit(&config, &data, run, &compute, "cpu", &stop, Console::new(true))
        };
        let step = |outcome: anyhow::Result<FitReport>| match outcome.unwrap_err().downcast::<Stopped>() {
            Ok(Stopped::AtStep { step, .. }) => step,
            other => panic!("{other:?}"),
        };
        let new_model = || config.model.init(&blueprint(&config, &data), compute.training_device());
        let untrained = new_model();
        let loaded = parameters(&untrained).into_iter().map(|parameter| parameter.name);
        let progress = Progress::new(empty_tally(&data), loaded.collect());
        let initial = checkpoint::to_bytes(&progress, &untrained, None, &adam(config.weight_decay)).unwrap();
        let begin = |name: &str| {
            let run = RunDirectory::begin(&runs.path().join(name)).unwrap();
            run.save_config(&config).unwrap();
            run.write(CHECKPOINT_FILE, &initial).unwrap();
            run
        };
        let history = |run: &RunDirectory| {
            let table = String::from_utf8(run.read(HISTORY_FILE).unwrap().unwrap()).unwrap();
            // Skips epoch, seconds and data_wait. The clip count is that of the full epoch, even if it was stopped.
            let without_times = |line: &str| line.split(',').skip(3).map(String::from).collect::<Vec<_>>();
            table.lines().map(without_times).collect::<Vec<_>>()
        };
        // The plain and the averaged weights after the last epoch.
        let weights = |run: &RunDirectory| {
            let bytes = run.read(CHECKPOINT_FILE).unwrap().unwrap();
            let (_, plain, average, _) =
                checkpoint::from_bytes(&bytes, new_model(), adam(config.weight_decay)).unwrap();
            [Some(plain), average].map(|model| model.map(|model| export_weights(&model).unwrap()))
        };
        let uninterrupted = begin("uninterrupted");
        fit_until(&uninterrupted, usize::MAX).unwrap();
        let [plain, average] = weights(&uninterrupted);
        assert_eq!(average.is_some(), config.ema > 0.0 || config.average_last > 0);
        assert_ne!(plain, average);
        // Fitting a finished run trains nothing and does not change its environment.
        let trained_on = Environment::read(&uninterrupted).unwrap();
        assert!(trained_on.is_some());
        fit(
            &config,
            &data,
            &uninterrupted,
            &compute,
            "cuda:0",
            &|| None,
            Console::new(true),
        )
        .unwrap();
        assert_eq!(Environment::read(&uninterrupted).unwrap(), trained_on);
        for (checks, &expected) in expected.iter().enumerate() {
            let run = begin(&checks.to_string());
            assert_eq!(step(fit_until(&run, checks)), expected, "{checks}");
            fit_until(&run, usize::MAX).unwrap();
            assert!(
                run.read(BEST_FILE).unwrap() == uninterrupted.read(BEST_FILE).unwrap(),
                "{checks}"
            );
            assert_eq!(history(&run), history(&uninterrupted), "{checks}");
            assert!(weights(&run) == weights(&uninterrupted), "{checks}");
        }
    }

    // `stop` is checked before an epoch, after each of its two steps and after each of its two validation batches.

    #[test]
    fn run_stopped_at_any_point_resumes_to_identical_results() {
        stop_everywhere_and_resume(|_| (), &[0, 1, 2, 2, 2, 2, 3, 4, 4, 4]);
    }

    #[test]
    fn run_with_a_moving_average_resumes_to_identical_results() {
        stop_everywhere_and_resume(|config| config.ema = 0.9, &[0, 1, 2, 2, 2, 2, 3, 4, 4, 4]);
    }

    #[test]
    fn run_that_averages_its_last_epochs_resumes_to_identical_results() {
        let change = |config: &mut RunConfig| (config.epochs, config.average_last) = (3, 2);
        stop_everywhere_and_resume(change, &[0, 1, 2, 2, 2, 2, 3, 4, 4, 4, 4, 5, 6, 6, 6]);
    }

    #[test]
    fn run_that_thaws_its_encoder_resumes_to_identical_results() {
        let change = |config: &mut RunConfig| {
            config.freeze = vec![ParameterPattern::new("^encoder")];
            (config.thaw_after, config.freeze_batch_norm) = (1, true);
        };
        stop_everywhere_and_resume(change, &[0, 1, 2, 2, 2, 2, 3, 4, 4, 4]);
    }
}
