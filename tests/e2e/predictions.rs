//! `predictions.csv` has one row per track of the set. The metrics in `metrics.json` can be computed from it.

use crate::papers::{fit, genres, tagged};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tests::harness::Program;

struct Row {
    track_id: String,
    labels: Vec<String>,
    predicted: Vec<String>,
    probabilities: Vec<f64>,
}

/// Reads the class names and one row per track.
fn rows(path: &Path) -> (Vec<String>, Vec<Row>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    assert_eq!(header[..3], ["track_id", "labels", "predicted"]);
    let list = |cell: &str| {
        cell.split('|')
            .filter(|name| !name.is_empty())
            .map(String::from)
            .collect()
    };
    let row = |record: csv::StringRecord| Row {
        track_id: record[0].into(),
        labels: list(&record[1]),
        predicted: list(&record[2]),
        probabilities: record.iter().skip(3).map(|cell| cell.parse().unwrap()).collect(),
    };
    let rows = reader.records().map(|record| row(record.unwrap())).collect();
    (header[3..].to_vec(), rows)
}

/// Track ids and labels of a set, in the order of the split.
fn listed(dataset: &Path, set: &str) -> Vec<(String, String)> {
    let path = dataset.join("splits/main").join(set).with_extension("csv");
    let records = csv::Reader::from_path(path).unwrap().into_records();
    records
        .map(|record| record.unwrap())
        .map(|record| (record[0].into(), record[1].into()))
        .collect()
}

fn metrics(run: &Path) -> Value {
    serde_json::from_slice(&fs::read(run.join("metrics.json")).unwrap()).unwrap()
}

fn eval(run: &Path, more: &[&str]) {
    let mut command = Program::Train.command(["eval", "--device", "cpu", "--run"]);
    command.arg(run).args(more).assert().success();
}

#[test]
fn single_label_metrics_can_be_computed_from_predictions() {
    let root = TempDir::new().unwrap();
    // One clip per track, and several.
    let excerpts = ["--clip-seconds", "0.6"];
    for (model, more) in [("mfcc-dense", &[][..]), ("choi-crnn", &excerpts)] {
        let run = root.path().join(model);
        fit(&genres().path(), model, &run, more).assert().success();
        eval(&run, &[]);
        let metrics = metrics(&run);
        for (set, file) in [("val", "predictions-val.csv"), ("test", "predictions.csv")] {
            let (classes, rows) = rows(&run.join(file));
            let listed = listed(&genres().path(), set);
            let found: Vec<_> = rows
                .iter()
                .map(|row| (row.track_id.clone(), row.labels.join("|")))
                .collect();
            assert_eq!(found, listed, "{model}: {set}");
            let right = rows.iter().filter(|row| row.labels == row.predicted).count() as f64;
            let top1 = metrics[set]["top1"].as_f64().unwrap();
            assert!((right / rows.len() as f64 - top1).abs() < 1e-12, "{model}: {set}");
            let mut loss = 0.0;
            for row in &rows {
                assert!((row.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{model}");
                let highest = row.probabilities.iter().copied().fold(0.0, f64::max);
                let place = |name: &String| classes.iter().position(|class| class == name).unwrap();
                assert_eq!(row.probabilities[place(&row.predicted[0])], highest);
                loss -= row.probabilities[place(&row.labels[0])].ln() / rows.len() as f64;
            }
            assert!(
                (loss - metrics[set]["loss"].as_f64().unwrap()).abs() < 1e-4,
                "{model}: {set} {loss}"
            );
        }
    }
}

#[test]
fn multi_label_metrics_can_be_computed_from_predictions() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    fit(&tagged().path(), "chunk-cnn", &run, &[]).assert().success();
    for more in [&[][..], &["--tune-thresholds"]] {
        eval(&run, more);
        let metrics = metrics(&run);
        let (tags, rows) = rows(&run.join("predictions.csv"));
        let found: BTreeMap<_, _> = rows
            .iter()
            .map(|row| (row.track_id.clone(), row.labels.join("|")))
            .collect();
        assert_eq!(
            found,
            listed(&tagged().path(), "test").into_iter().collect::<BTreeMap<_, _>>()
        );
        assert_eq!(found.len(), rows.len(), "one row per track, not per clip");
        for (at, tag) in tags.iter().enumerate() {
            let threshold = metrics["test"]["per_tag"][at]["threshold"].as_f64().unwrap();
            let mut right = 0;
            for row in &rows {
                assert_eq!(row.predicted.contains(tag), row.probabilities[at] >= threshold, "{tag}");
                right += usize::from(row.predicted.contains(tag) == row.labels.contains(tag));
            }
            let accuracy = metrics["test"]["per_tag"][at]["accuracy"].as_f64().unwrap();
            assert!((right as f64 / rows.len() as f64 - accuracy).abs() < 1e-12, "{tag}");
        }
    }
}

#[test]
fn predictions_of_earlier_weights_are_deleted() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    fit(&genres().path(), "mfcc-dense", &run, &["--monitor", "loss"])
        .assert()
        .success();
    eval(&run, &[]);
    assert!(run.join("predictions.csv").is_file());
    // The first epochs lower the loss, so a later epoch becomes the best one.
    Program::Train
        .command(["fit", "--resume", "--epochs", "10", "--device", "cpu", "--run"])
        .arg(&run)
        .assert()
        .success();
    assert!(metrics(&run)["best_epoch"].as_u64().unwrap() > 1);
    assert!(!run.join("predictions.csv").exists() && run.join("predictions-val.csv").is_file());
}
