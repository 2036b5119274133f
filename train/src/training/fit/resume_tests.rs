//! What a run keeps for its resumption, and what becomes of it.

use super::*;
use crate::models::ModelKind;
use crate::models::ParameterPattern;
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

/// A run of one epoch on the small data set, which is about to begin.
struct Small {
    config: RunConfig,
    data: RunData,
    compute: Compute,
    run: RunDirectory,
    _roots: [TempDir; 2],
}

impl Small {
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
fn a_resumed_epoch_has_the_clips_and_the_seconds_of_the_whole_epoch() {
    let small = Small::new();
    // Four tracks: the second batch has one of them.
    let config = RunConfig {
        batch_size: 3,
        ..small.config.clone()
    };
    let run = &small.run;
    // Asked before the epoch, and after its first step.
    let asked = AtomicUsize::new(0);
    let stop = || (asked.fetch_add(1, Ordering::Relaxed) > 0).then_some("SIGTERM");
    small.fit(&config, &stop).unwrap_err();
    let bytes = run.read(CHECKPOINT_FILE).unwrap().unwrap();
    let device = small.compute.training_device();
    let model = config.model.init(&blueprint(&config, &small.data), device);
    let (mut progress, model, optimizer) = checkpoint::from_bytes(&bytes, model, adam(config.weight_decay)).unwrap();
    assert!(
        progress.spent.seconds > 0.0 && progress.spent.clips == 3,
        "{progress:?}"
    );
    progress.spent.seconds = 1000.0;
    progress.spent.waited = 500.0;
    let bytes = checkpoint::to_bytes(&progress, &model, &optimizer).unwrap();
    run.write(CHECKPOINT_FILE, &bytes).unwrap();
    let history = small.fit(&config, &|| None).unwrap().history;
    assert_eq!((history.len(), history[0].clips), (1, 4));
    assert!((1000.0..1060.0).contains(&history[0].seconds), "{history:?}");
    assert!((0.45..0.55).contains(&history[0].data_wait), "{history:?}");
}

#[test]
fn results_without_the_file_that_training_goes_on_from_are_not_overwritten() {
    let small = Small::new();
    small.fit(&small.config, &|| None).unwrap();
    let weights = small.run.read(BEST_FILE).unwrap();
    for missing in [CHECKPOINT_FILE, CONFIG_FILE] {
        let kept = small.run.read(missing).unwrap().unwrap();
        small.run.remove(missing).unwrap();
        let error = small.fit(&small.config, &|| None).unwrap_err().to_string();
        assert!(error.contains(&format!("no {missing}")), "{error}");
        assert!(
            error.contains(BEST_FILE) && error.contains("another directory with --run"),
            "{error}"
        );
        assert_eq!(small.run.read(BEST_FILE).unwrap(), weights);
        small.run.write(missing, &kept).unwrap();
    }
    small.fit(&small.config, &|| None).unwrap();
}

#[test]
fn results_never_appear_without_a_checkpoint() {
    let small = Small::new();
    // The first epoch writes its weights, and then fails: a directory has the name of a table.
    let blocked = small.run.path("predictions-val.csv");
    std::fs::create_dir(&blocked).unwrap();
    small.fit(&small.config, &|| None).unwrap_err();
    std::fs::remove_dir(&blocked).unwrap();
    assert!(small.run.path(BEST_FILE).exists() && small.run.path(CHECKPOINT_FILE).exists());
    assert_eq!(small.fit(&small.config, &|| None).unwrap().history.len(), 1);
}

#[test]
fn better_weights_remove_every_file_of_those_they_replace() {
    let small = Small::new();
    let of_sets = ["predictions", "confusion", "tags", "ranking"].map(|name| {
        let end = if name == "ranking" { "svg" } else { "csv" };
        ["", "-train"].map(|set| format!("{name}{set}.{end}"))
    });
    let pictures = ["confusion.svg", "confusion-train.svg", "tags-val.csv"].map(String::from);
    let old: Vec<String> = of_sets.into_iter().flatten().chain(pictures).collect();
    for name in &old {
        small.run.write(name, b"of other weights").unwrap();
    }
    small.run.write("notes.csv", b"somebody's own").unwrap();
    small.fit(&small.config, &|| None).unwrap();
    let left: Vec<_> = old.iter().filter(|name| small.run.path(name).exists()).collect();
    assert!(left.is_empty(), "{left:?}");
    for name in [
        "notes.csv",
        "predictions-val.csv",
        "confusion-val.csv",
        "confusion-val.svg",
    ] {
        assert!(small.run.path(name).exists(), "{name}");
    }
}

#[test]
fn the_reason_of_the_end_is_kept_and_a_larger_patience_trains_on() {
    let small = Small::new();
    // What is not frozen has steps that are too short to change an f32: no epoch is better than the first.
    let config = |epochs, patience| RunConfig {
        epochs,
        patience,
        lr: 1e-30,
        freeze: vec![ParameterPattern::new("encoder")],
        ..small.config.clone()
    };
    let early = |epochs, patience| Ending::EarlyStopping {
        epochs,
        best_epoch: 1,
        monitor: small.config.monitor,
        patience,
    };
    let ended = || report::read_metrics(&small.run).unwrap().ended;
    assert_eq!(small.fit(&config(9, 2), &|| None).unwrap().ending, early(3, 2));
    assert_eq!(ended(), Some(early(3, 2)));
    // More epochs alone change nothing, and more patience does.
    assert_eq!(small.fit(&config(60, 2), &|| None).unwrap().history.len(), 3);
    assert_eq!(small.fit(&config(60, 4), &|| None).unwrap().ending, early(5, 4));
    // A run that is trained on has not ended.
    let stop = || ended().is_none().then_some("SIGTERM");
    small.fit(&config(60, 6), &stop).unwrap_err();
    assert_eq!(ended(), None);
    let report = small.fit(&config(6, 6), &|| None).unwrap();
    assert_eq!(
        (report.ending, ended()),
        (Ending::AllEpochs { epochs: 6 }, Some(report.ending))
    );
}
