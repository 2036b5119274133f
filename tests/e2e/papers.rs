//! `train` with the models of papers 2 to 4: tags, excerpts, track statistics and images, and errors for settings that
//! contradict each other.

use crate::train::{dataset as fma, weights};
use predicates::str::contains;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Collection, Program, json_line, stderr_text};

/// Clips of 1.5 seconds that every model of papers 2 and 3 accepts: more than 3^9 samples, and 96 mel bands.
const FEATURES: &str = "--sample-rate 16000 --clip-samples 24576 --n-fft 512 --hop-length 256 --n-mels 96 --f-max 8000";

fn build(collection: &Collection, more: &[&str], seed: &str) -> BuiltDataset {
    let dataset = BuiltDataset::empty();
    Program::Preprocess
        .command(collection.build_arguments(&dataset.path()))
        .args(FEATURES.split(' '))
        .args(more)
        .assert()
        .success();
    dataset
        .split(&format!(
            "--strategy random --ratios 60,20,20 --name main --seed {seed}"
        ))
        .success();
    dataset
}

/// A multi-label data set.
pub fn tagged() -> &'static BuiltDataset {
    static TAGGED: LazyLock<BuiltDataset> = LazyLock::new(|| {
        let tags = "guitar,classical,slow,techno,strings,drums,electronic,rock,fast,piano";
        build(Collection::magnatagatune(), &["--tags", tags], "0")
    });
    &TAGGED
}

/// A single-label data set of eight GTZAN genres. With this seed the training set has all classes and is unbalanced.
pub fn genres() -> &'static BuiltDataset {
    static GENRES: LazyLock<BuiltDataset> = LazyLock::new(|| build(Collection::gtzan(), &[], "1"));
    &GENRES
}

/// `train fit` with one epoch and small batches, unless `more` has other values.
pub fn fit(dataset: &Path, model: &str, run: &Path, more: &[&str]) -> assert_cmd::Command {
    let mut command = Program::Train.command(["fit", "--model", model, "--device", "cpu", "--json", "--seed", "4"]);
    command.arg("--data").arg(dataset).arg("--run").arg(run).args(more);
    for (flag, value) in [("--epochs", "1"), ("--batch-size", "4")] {
        if !more.contains(&flag) {
            command.args([flag, value]);
        }
    }
    command
}

/// Runs `train eval` and returns its metrics.
fn eval(run: &Path, more: &[&str]) -> Value {
    let mut command = Program::Train.command(["eval", "--device", "cpu", "--json", "--run"]);
    json_line(&command.arg(run).args(more).assert().success())["metrics"].clone()
}

/// Rows of a table: cells by column name.
fn table(path: PathBuf) -> Vec<BTreeMap<String, String>> {
    let rows = csv::Reader::from_path(path).unwrap().into_deserialize();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Mean of a metric over the tags for which it is defined.
fn mean_of_tags(metrics: &Value, metric: &str) -> f64 {
    let tags = metrics["per_tag"].as_array().unwrap();
    let values: Vec<f64> = tags.iter().filter_map(|tag| tag[metric].as_f64()).collect();
    assert!(values.iter().all(|value| (0.0..=1.0).contains(value)), "{metrics}");
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn taggers_are_trained_evaluated_and_tuned() {
    let root = TempDir::new().unwrap();
    let (dataset, index) = (tagged(), tagged().text("dataset.json"));
    let classes = serde_json::from_str::<Value>(&index).unwrap()["classes"].clone();
    // One model on waveforms, one on power spectral densities.
    for model in ["chunk-cnn", "crnn2d-gru"] {
        let run = root.path().join(model);
        fit(&dataset.path(), model, &run, &[]).assert().success();
        let metrics = eval(&run, &[]);
        let kept: Value = serde_json::from_slice(&fs::read(run.join("metrics.json")).unwrap()).unwrap();
        assert_eq!(kept["test"], metrics, "{model}");
        let tags = metrics["per_tag"].as_array().unwrap();
        let names: Vec<_> = tags.iter().map(|tag| tag["name"].clone()).collect();
        assert_eq!(Value::from(names), classes);
        for (mean, metric) in [
            ("auc_roc", "auc_roc"),
            ("auc_pr", "auc_pr"),
            ("macro_f1", "f1"),
            ("accuracy", "accuracy"),
        ] {
            let difference = metrics[mean].as_f64().unwrap() - mean_of_tags(&metrics, metric);
            assert!(difference.abs() < 1e-9, "{model}: {mean} in {metrics}");
        }
        let rows = table(run.join("tags.csv"));
        assert_eq!(rows.len(), tags.len());
        for (row, tag) in rows.iter().zip(tags) {
            assert_eq!(
                (row["tag"].as_str(), row["threshold"].as_str()),
                (tag["name"].as_str().unwrap(), "0.500000")
            );
        }
        assert!(fs::read_to_string(run.join("ranking.svg")).unwrap().starts_with("<svg"));
        assert!(run.join("ranking-val.svg").is_file() && !run.join("confusion.csv").exists());
        let history = table(run.join("history.csv"));
        assert_eq!(history[0]["val_top1"], "");
        let area: f64 = history[0]["val_auc_roc"].parse().unwrap();
        assert!((area - kept["val"]["auc_roc"].as_f64().unwrap()).abs() < 1e-6);

        let tuned = eval(&run, &["--tune-thresholds"]);
        assert_eq!(
            tuned["auc_roc"], metrics["auc_roc"],
            "thresholds do not change the ranking"
        );
        assert_ne!(tuned["thresholds"], metrics["thresholds"], "{model}");
        // On the set that the thresholds were tuned on, they are better than 0.5.
        let (before, after) = (
            eval(&run, &["--set", "val"]),
            eval(&run, &["--set", "val", "--tune-thresholds"]),
        );
        assert!(
            after["macro_f1"].as_f64() > before["macro_f1"].as_f64(),
            "{before} {after}"
        );
        assert_eq!(after["thresholds"], tuned["thresholds"]);
    }
}

#[test]
fn resumed_multi_label_run_has_the_weights_of_an_uninterrupted_one() {
    let root = TempDir::new().unwrap();
    let (uninterrupted, resumed) = (root.path().join("uninterrupted"), root.path().join("resumed"));
    let fit = |run: &Path, epochs: &str| fit(&tagged().path(), "chunk-cnn", run, &["--epochs", epochs]);
    fit(&uninterrupted, "3").assert().success();
    fit(&resumed, "1").assert().success();
    let mut resume = Program::Train.command(["fit", "--resume", "--epochs", "3", "--device", "cpu", "--run"]);
    resume
        .arg(&resumed)
        .assert()
        .success()
        .stderr(contains("continuing after 4 steps and 1 epochs"));
    let without_times = |run: &Path| {
        let mut rows = table(run.join("history.csv"));
        rows.iter_mut()
            .for_each(|row| row.retain(|column, _| column != "seconds" && column != "data_wait"));
        rows
    };
    assert_eq!(without_times(&resumed), without_times(&uninterrupted));
    assert_eq!(weights(&resumed), weights(&uninterrupted));
}

#[test]
fn excerpts_are_evaluated_per_excerpt_and_per_track() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    let excerpts = ["--clip-seconds", "0.6", "--skip-seconds", "0.2"];
    fit(&genres().path(), "choi-crnn", &run, &excerpts).assert().success();
    let metrics = eval(&run, &[]);
    let rows = table(genres().path().join("tracks.csv"));
    let test_samples: Vec<f64> = table(genres().path().join("splits/main/test.csv"))
        .iter()
        .map(|row| {
            let track = rows.iter().find(|track| track["track_id"] == row["track_id"]).unwrap();
            track["samples"].parse().unwrap()
        })
        .collect();
    assert_eq!(metrics["samples"], test_samples.len());
    // 0.6 s are 37 hops of 256 samples, 0.2 s are 12. One more excerpt covers the remainder.
    let excerpts = test_samples
        .iter()
        .map(|samples| ((samples / 256.0).floor() - 2.0 * 12.0) / 37.0);
    let excerpts: f64 = excerpts.map(f64::ceil).sum();
    assert!(excerpts > test_samples.len() as f64);
    assert_eq!(metrics["clips"].as_f64(), Some(excerpts));
    assert_eq!(metrics["per_clip"]["samples"].as_f64(), Some(excerpts));
    assert!(metrics["per_clip"]["top1"].is_number());
}

/// Number of clips in an epoch with `--balance`: the number of steps with batch size 1.
fn clips_per_epoch(balance: &str) -> usize {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    let more = ["--batch-size", "1", "--balance", balance];
    fit(&genres().path(), "mfcc-dense", &run, &more).assert().success();
    let mut resume = Program::Train.command(["fit", "--resume", "--epochs", "2", "--device", "cpu", "--run"]);
    let stderr = stderr_text(&resume.arg(&run).assert().success());
    let steps = stderr.split("continuing after ").nth(1).unwrap();
    steps.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn classes_are_balanced_by_sampling_or_by_class_weights() {
    let rows = table(genres().path().join("tracks.csv"));
    let train = table(genres().path().join("splits/main/train.csv"));
    let mut counts = BTreeMap::new();
    for row in &train {
        let track = rows.iter().find(|track| track["track_id"] == row["track_id"]).unwrap();
        *counts.entry(&track["labels"]).or_insert(0) += 1;
    }
    let (least, most) = (*counts.values().min().unwrap(), *counts.values().max().unwrap());
    assert!(least < most, "the split must be unbalanced: {counts:?}");
    assert_eq!(clips_per_epoch("none"), train.len());
    assert_eq!(clips_per_epoch("oversample"), counts.len() * most);
    assert_eq!(clips_per_epoch("undersample"), counts.len() * least);
    assert_eq!(clips_per_epoch("class-weights"), train.len());

    let root = TempDir::new().unwrap();
    let trained = |dataset: &BuiltDataset, model: &str, balance: &str| {
        let run = root.path().join(format!("{model}-{balance}"));
        fit(&dataset.path(), model, &run, &["--balance", balance])
            .assert()
            .success();
        weights(&run)
    };
    for (dataset, model) in [(genres(), "mfcc-dense"), (tagged(), "chunk-cnn")] {
        assert_ne!(
            trained(dataset, model, "none"),
            trained(dataset, model, "class-weights"),
            "{model}"
        );
    }
}

#[test]
fn class_weights_work_if_a_class_has_no_training_track() {
    let dataset = genres().copy();
    let arguments = "--strategy random --ratios 60,20,20 --seed 0";
    let split = json_line(&dataset.split(arguments).success());
    assert!(
        split["warnings"].to_string().contains("the train set has no track of"),
        "{split}"
    );
    let root = TempDir::new().unwrap();
    let more = ["--balance", "class-weights"];
    fit(&dataset.path(), "mfcc-dense", &root.path().join("run"), &more)
        .assert()
        .success();
}

#[test]
fn augmentation_does_not_depend_on_the_number_of_loader_threads() {
    let root = TempDir::new().unwrap();
    let sounds = genres().path();
    let augmented = |name: &str, more: &[&str]| {
        let run = root.path().join(name);
        fit(&tagged().path(), "chunk-cnn", &run, more).assert().success();
        weights(&run)
    };
    let all = [
        "--augment",
        "noise,pitch-shift,background",
        "--background",
        sounds.to_str().unwrap(),
    ];
    let with_threads = |threads| augmented(threads, &[&all[..], &["--loader-threads", threads]].concat());
    let one = with_threads("1");
    assert_eq!(one, with_threads("3"));
    let config = fs::read_to_string(root.path().join("3/config.toml")).unwrap();
    assert!(
        config.contains("augment = \"noise+pitch-shift+background\""),
        "{config}"
    );
    for (name, augment) in [("plain", "none"), ("shifted", "noise,pitch-shift")] {
        assert_ne!(one, augmented(name, &["--augment", augment]), "{augment}");
    }
}

#[test]
fn mfcc_dense_and_small_cnn_train_with_every_normalization() {
    let root = TempDir::new().unwrap();
    let run = |name: &str| root.path().join(name);
    for (name, model, more) in [
        ("z-score", "mfcc-dense", &[][..]),
        ("min-max", "mfcc-dense", &["--normalize", "min-max"]),
        ("chroma", "mfcc-dense", &["--statistics", "mfcc,chroma"]),
        ("cnn", "small-cnn", &[]),
        ("cnn-min-max", "small-cnn", &["--normalize", "min-max"]),
    ] {
        fit(&fma(), model, &run(name), more).assert().success();
        let metrics = eval(&run(name), &[]);
        assert!(metrics["loss"].as_f64().unwrap().is_finite(), "{name}");
        let scores = [&metrics["top1"], &metrics["paper"]["f1"]].map(|metric| metric.as_f64().unwrap());
        assert!(
            scores.iter().all(|score| (0.0..=1.0).contains(score)),
            "{name}: {metrics}"
        );
    }
    assert_ne!(weights(&run("z-score")), weights(&run("min-max")));
    assert_ne!(weights(&run("cnn")), weights(&run("cnn-min-max")));
    for (name, inputs) in [("z-score", 140), ("chroma", 140 + 84)] {
        let bytes = fs::read(run(name).join("best.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("linear0.weight").unwrap().shape(), [inputs, 50]);
    }
}

#[test]
fn contradicting_settings_are_refused_with_a_reason() {
    let root = TempDir::new().unwrap();
    let run = |name: &str| root.path().join(name);
    let (fma, tagged, genres) = (fma(), tagged().path(), genres().path());
    let sounds = fma.to_str().unwrap();
    // Contradictions between settings are usage errors.
    for (model, more, expected) in [
        ("crnn", &["--augment", "image"][..], "crnn does not take an image"),
        ("mfcc-dense", &["--clip-seconds", "3"], "statistics of whole tracks"),
        ("mfcc-dense", &["--augment", "noise"], "must be none for mfcc-dense"),
        ("vgg16", &[], "--init-from is missing"),
        ("crnn", &["--loaded-lr", "0.1"], "--loaded-lr needs --init-from"),
        ("mfcc-dense", &["--train-clips", "all"], "statistics of whole tracks"),
        ("crnn", &["--augment", "background"], "need each other"),
        ("mfcc-dense", &["--statistics", "mfcc,mfcc"], "must name each kind once"),
    ] {
        let refused = fit(&fma, model, &run("usage"), more).assert().code(2);
        assert!(
            stderr_text(&refused).contains(expected),
            "{model} {more:?}: {}",
            stderr_text(&refused)
        );
    }
    // Settings that do not fit the data set.
    let cases = [
        (&fma, "choi-crnn", &[][..], "needs 96 mel bands"),
        (&genres, "crnn", &[], "needs 128 mel bands"),
        (
            &genres,
            "sample-cnn",
            &["--clip-seconds", "1"],
            "at least 19683 samples",
        ),
        (&genres, "choi-crnn", &["--clip-seconds", "0.01"], "make it longer"),
        (
            &tagged,
            "chunk-cnn",
            &["--balance", "oversample"],
            "use --balance class-weights",
        ),
        (
            &tagged,
            "chunk-cnn",
            &["--augment", "background", "--background", sounds],
            "--sample-rate 16000",
        ),
        (&genres, "choi-crnn", &["--freeze", "head"], "matches no parameter"),
        (&genres, "choi-crnn", &["--freeze", "."], "leave at least one to train"),
    ];
    for (dataset, model, more, expected) in cases {
        let refused = fit(dataset, model, &run("data"), more).assert().code(1);
        assert!(
            stderr_text(&refused).contains(expected),
            "{model} {more:?}: {}",
            stderr_text(&refused)
        );
    }
    // None of these commands created a run.
    assert!(!run("usage").exists());
    fit(&genres, "mfcc-dense", &run("data"), &[]).assert().success();
    // Settings that do not fit the task or model of a run.
    let classes = run("classes");
    fit(&genres, "mfcc-dense", &classes, &[]).assert().success();
    let mut tune = Program::Train.command(["eval", "--tune-thresholds", "--run"]);
    tune.arg(&classes)
        .assert()
        .code(1)
        .stderr(contains("--tune-thresholds is only for multi-label runs"));
    let other = ["--init-from", classes.to_str().unwrap()];
    fit(&genres, "choi-crnn", &run("other"), &other)
        .assert()
        .code(1)
        .stderr(contains("trained mfcc-dense"));
}
