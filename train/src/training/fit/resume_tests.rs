//! Tests of resuming a run.

use super::*;
use crate::models::ParameterPattern;
use crate::models::{LrSchedule, ModelKind};
use crate::run::directory::BEST_FILE;
use crate::run::directory::CONFIG_FILE;
use crate::step::optimization::adam;
use crate::testing;
use crate::training::checkpoint;
use crate::training::start::CHECKPOINT_FILE;
use crate::training::start::blueprint;
use burn::tensor::Device;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// A new run of one epoch on the small data set.
struct NewRun {
    config: RunConfig,
    data: RunData,
    compute: Compute,
    run: RunDirectory,
    _roots: [TempDir; 2],
}

impl NewRun {
    fn new() -> Self {
        let (root, runs) = (testing::dataset(), tempfile::tempdir().unwrap());
        let config = RunConfig {
            epochs: 1,
            classes: ["Folk", "Rock"].map(String::from).into(),
            split: "main".into(),
            ..testing::config(root.path(), ModelKind::Cnn1d)
        };
        let data = RunData::open(&config).unwrap();
        Self {
            compute: Compute::new(&config, &data, vec![Device::flex()]).unwrap(),
            run: RunDirectory::begin(&runs.path().join("run")).unwrap(),
            config,
            data,
            _roots: [root, runs],
        }
    }

    fn fit(&self, config: &RunConfig, stop: StopRequest<'_>) -> anyhow::Result<FitReport> {
        fit(
            config,
            &self.data,
            &self.run,
            &self.compute,
            "cpu",
            stop,
            Console::new(true),
        )
    }
}

#[test]
fn resumed_epoch_counts_the_clips_and_seconds_of_all_processes() {
    let new_run = NewRun::new();
    // With four tracks the second batch has one track.
    let config = RunConfig {
        batch_size: 3,
        ..new_run.config.clone()
    };
    let run = &new_run.run;
    // `stop` is checked before the epoch and after its first step.
    let checks = AtomicUsize::new(0);
    let stop = || (checks.fetch_add(1, Ordering::Relaxed) > 0).then_some("SIGTERM");
    new_run.fit(&config, &stop).unwrap_err();
    let bytes = run.read(CHECKPOINT_FILE).unwrap().unwrap();
    let device = new_run.compute.training_device();
    let model = config.model.init(&blueprint(&config, &new_run.data), device);
    let (mut progress, model, _, optimizer) = checkpoint::from_bytes(&bytes, model, adam(config.weight_decay)).unwrap();
    assert!(
        progress.spent.seconds > 0.0 && progress.spent.clips == 3,
        "{progress:?}"
    );
    progress.spent.seconds = 1000.0;
    progress.spent.waited = 500.0;
    let bytes = checkpoint::to_bytes(&progress, &model, None, &optimizer).unwrap();
    run.write(CHECKPOINT_FILE, &bytes).unwrap();
    let history = new_run.fit(&config, &|| None).unwrap().history;
    assert_eq!((history.len(), history[0].clips), (1, 4));
    assert!((1000.0..1060.0).contains(&history[0].seconds), "{history:?}");
    assert!((0.45..0.55).contains(&history[0].data_wait), "{history:?}");
}

#[test]
fn missing_checkpoint_or_settings_never_overwrite_results() {
    let new_run = NewRun::new();
    new_run.fit(&new_run.config, &|| None).unwrap();
    let weights = new_run.run.read(BEST_FILE).unwrap();
    for missing in [CHECKPOINT_FILE, CONFIG_FILE] {
        let content = new_run.run.read(missing).unwrap().unwrap();
        new_run.run.remove(missing).unwrap();
        let error = new_run.fit(&new_run.config, &|| None).unwrap_err().to_string();
        assert!(error.contains(&format!("no {missing}")), "{error}");
        assert!(
            error.contains(BEST_FILE) && error.contains("another directory with --run"),
            "{error}"
        );
        assert_eq!(new_run.run.read(BEST_FILE).unwrap(), weights);
        new_run.run.write(missing, &content).unwrap();
    }
    new_run.fit(&new_run.config, &|| None).unwrap();
}

#[test]
fn results_never_appear_without_a_checkpoint() {
    let new_run = NewRun::new();
    // The first epoch fails after writing its weights, because a directory has the name of its table.
    let blocked = new_run.run.path("predictions-val.csv");
    std::fs::create_dir(&blocked).unwrap();
    new_run.fit(&new_run.config, &|| None).unwrap_err();
    std::fs::remove_dir(&blocked).unwrap();
    assert!(new_run.run.path(BEST_FILE).exists() && new_run.run.path(CHECKPOINT_FILE).exists());
    assert_eq!(new_run.fit(&new_run.config, &|| None).unwrap().history.len(), 1);
}

#[test]
fn better_weights_remove_all_results_of_the_replaced_weights() {
    let new_run = NewRun::new();
    let per_set = ["predictions", "confusion", "tags", "ranking"].map(|name| {
        let extension = if name == "ranking" { "svg" } else { "csv" };
        ["", "-train"].map(|set| format!("{name}{set}.{extension}"))
    });
    let others = ["confusion.svg", "confusion-train.svg", "tags-val.csv"].map(String::from);
    let old: Vec<String> = per_set.into_iter().flatten().chain(others).collect();
    for name in &old {
        new_run.run.write(name, b"of other weights").unwrap();
    }
    new_run.run.write("notes.csv", b"a file of the user").unwrap();
    new_run.fit(&new_run.config, &|| None).unwrap();
    let remaining: Vec<_> = old.iter().filter(|name| new_run.run.path(name).exists()).collect();
    assert!(remaining.is_empty(), "{remaining:?}");
    for name in [
        "notes.csv",
        "predictions-val.csv",
        "confusion-val.csv",
        "confusion-val.svg",
    ] {
        assert!(new_run.run.path(name).exists(), "{name}");
    }
}

#[test]
fn ending_is_recorded_and_larger_patience_continues_training() {
    let new_run = NewRun::new();
    // The learning rate is too small to change any f32 weight, so no epoch is better than the first.
    let config = |epochs, patience| RunConfig {
        epochs,
        patience,
        lr: 1e-30,
        freeze: vec![ParameterPattern::new("encoder")],
        ..new_run.config.clone()
    };
    let early = |epochs, patience| Ending::EarlyStopping {
        epochs,
        best_epoch: 1,
        improved_epoch: 1,
        monitor: new_run.config.monitor,
        patience,
        min_delta: 0.0,
    };
    let ended = || report::read_metrics(&new_run.run).unwrap().ended;
    assert_eq!(new_run.fit(&config(9, 2), &|| None).unwrap().ending, early(3, 2));
    assert_eq!(ended(), Some(early(3, 2)));
    // More epochs alone do not continue the training; more patience does.
    assert_eq!(new_run.fit(&config(60, 2), &|| None).unwrap().history.len(), 3);
    assert_eq!(new_run.fit(&config(60, 4), &|| None).unwrap().ending, early(5, 4));
    // While a run is being continued, no ending is recorded.
    let stop = || ended().is_none().then_some("SIGTERM");
    new_run.fit(&config(60, 6), &stop).unwrap_err();
    assert_eq!(ended(), None);
    let report = new_run.fit(&config(6, 6), &|| None).unwrap();
    assert_eq!(
        (report.ending, ended()),
        (Ending::AllEpochs { epochs: 6 }, Some(report.ending))
    );
}

#[test]
fn plateau_halves_the_rate_of_a_resumed_run_too() {
    let new_run = NewRun::new();
    // No epoch is better than the first, as above.
    let config = |epochs| RunConfig {
        epochs,
        patience: 0,
        lr: 1e-30,
        lr_schedule: LrSchedule::Plateau,
        freeze: vec![ParameterPattern::new("encoder")],
        ..new_run.config.clone()
    };
    new_run.fit(&config(3), &|| None).unwrap();
    let history = new_run.fit(&config(5), &|| None).unwrap().history;
    let rates: Vec<f64> = history.iter().map(|epoch| epoch.lr / 1e-30).collect();
    assert_eq!(rates, [1.0, 1.0, 1.0, 1.0, 0.5]);
}
