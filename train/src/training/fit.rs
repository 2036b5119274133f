//! The training loop.
//!
//! It is written out here rather than taken from `burn-train`, because a run resumes at any step and says how long it waited
//! for data. What watches it is the [`Observer`]'s.

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
    /// All epochs.
    pub history: Vec<EpochRecord>,
    /// The one whose weights were kept.
    pub best: EpochRecord,
    /// Metrics of those weights on the validation set.
    pub val: SetReport,
    /// Why no other epoch was trained.
    pub ending: Ending,
}

/// Trains until the epochs are done or the monitored metric has not become better for `patience` of them. Where an epoch is
/// due, the run records that it was trained here, on `device`.
///
/// # Errors
/// Among others [`Stopped`](crate::process::stop::Stopped), after the step under way, once `stop` says so. The run's
/// checkpoint then continues to the weights that it would have come to.
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
        session.leave_if_asked()?;
        let epoch = session.train_epoch(&observer)?;
        let evaluation = session.evaluate(&epoch)?;
        let report = evaluation.report(&config.classes, None)?;
        let record = session.record(&epoch, &report)?;
        observer.epoch_was_evaluated(&record, &epoch.loader, epoch.device);
        if session.is_best(&record) {
            session.keep_weights()?;
            observer.weights_were_kept(&record, report, &evaluation)?;
        }
        session.finish_epoch(record)?;
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
    use crate::models::ModelKind;
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
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_run_stopped_at_any_place_ends_as_if_it_had_not_been() {
        let root = testing::dataset();
        // Dropout and newly initialized weights come from the device's generator, which other tests draw from at the same time: none
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
