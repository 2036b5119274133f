//! `train eval --calibrate` fits a temperature to the validation set. `eval`, `predict` and ensembles use it until the
//! weights change.

use crate::papers::{fit, genres, tagged};
use crate::predict::{evaluated, file, predict};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tests::harness::{Collection, Program, json_file, json_line, stderr_text, stdout_text};

fn eval(run: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Program::Train.command(["eval", "--device", "cpu", "--run"]);
    command.arg(run).args(more).assert()
}

fn largest_difference(one: &BTreeMap<String, Vec<f64>>, other: &BTreeMap<String, Vec<f64>>) -> f64 {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    let pairs = one.values().flatten().zip(other.values().flatten());
    pairs.map(|(one, other)| (one - other).abs()).fold(0.0, f64::max)
}

#[test]
fn calibrated_probabilities_are_the_same_everywhere() {
    let (root, collection) = (TempDir::new().unwrap(), Collection::magnatagatune());
    let run = root.path().join("run");
    // Several clips per track.
    let excerpts = ["--clip-seconds", "0.4"];
    fit(&tagged().path(), "choi-fcn", &run, &excerpts).assert().success();
    let before = evaluated(&run);
    let text = stdout_text(&eval(&run, &["--calibrate"]).success());
    assert!(
        text.contains("\nexpected calibration error ") && text.contains("\ntemperature "),
        "{text}"
    );
    let (calibration, metrics) = (
        json_file(&run.join("calibration.json")),
        json_file(&run.join("metrics.json")),
    );
    let number = |value: &Value| value.as_f64().unwrap();
    assert!(number(&calibration["after"]["loss"]) < number(&calibration["before"]["loss"]));
    assert_eq!(
        (&calibration["set"], metrics["test"]["ece"].is_f64()),
        (&"val".into(), true)
    );
    for metric in ["loss", "ece"] {
        assert_eq!(metrics["val"][metric], calibration["after"][metric], "{metric}");
    }
    // Evaluating the validation set again gives the same metrics.
    let again = json_line(&eval(&run, &["--set", "val", "--json"]).success());
    assert_eq!(
        (&again["metrics"], &again["calibration"]),
        (&metrics["val"], &calibration)
    );

    let after = evaluated(&run);
    assert!(largest_difference(&before, &after) > 1e-4);
    let files: Vec<PathBuf> = after.keys().map(|id| file(collection, tagged(), id)).collect();
    let answer = json_line(&predict(&run, &files).assert().success());
    let classes: Vec<String> = serde_json::from_value(answer["classes"].clone()).unwrap();
    let of_file = |answer: &Value| {
        classes
            .iter()
            .map(|class| number(&answer["probabilities"][class]))
            .collect()
    };
    let answers = answer["files"].as_array().unwrap().iter().map(of_file);
    let predicted: BTreeMap<String, Vec<f64>> = after.keys().cloned().zip(answers).collect();
    assert!(largest_difference(&after, &predicted) < 1e-5);

    // The members of an ensemble keep their temperatures.
    let mean = root.path().join("mean");
    let run_word = run.to_str().unwrap();
    let save = ["--run", run_word, "--save-run", mean.to_str().unwrap()];
    eval(&run, &save).success();
    assert!(mean.join("members/1/calibration.json").is_file());
    assert!(largest_difference(&after, &evaluated(&mean)) < 1e-6);
    let message = stderr_text(&eval(&mean, &["--calibrate"]).failure());
    assert!(message.contains("combines other runs"), "{message}");
    let message = stderr_text(&eval(&run, &["--calibrate", "--run", run_word]).failure());
    assert!(message.contains("--calibrate needs a single run"), "{message}");

    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("<section id=\"calibration\"") && page.contains("Logits are divided by a temperature"));
}

#[test]
fn damaged_or_outdated_temperature_is_an_error_and_better_weights_remove_it() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    fit(&genres().path(), "mfcc-dense", &run, &["--monitor", "loss"])
        .assert()
        .success();
    eval(&run, &["--calibrate"]).success();
    let path = run.join("calibration.json");
    let text = fs::read_to_string(&path).unwrap();
    let checksum = json_file(&path)["weights_blake3"].as_str().unwrap().to_owned();
    for (content, problem) in [
        ("{".to_owned(), "cannot be read"),
        (
            text.replace("\"temperature\": ", "\"temperature\": -"),
            "is not between",
        ),
        (text.replace(&checksum, "0"), "was fitted to other weights"),
    ] {
        fs::write(&path, content).unwrap();
        let sound = [PathBuf::from("tone.flac")];
        for message in [
            stderr_text(&eval(&run, &[]).failure()),
            stderr_text(&predict(&run, &sound).assert().failure()),
        ] {
            assert!(
                message.contains("calibration.json") && message.contains(problem),
                "{message}"
            );
        }
    }
    fs::write(&path, text).unwrap();
    eval(&run, &[]).success();
    // The first epochs lower the loss, so a later epoch becomes the best one.
    let resume = ["fit", "--resume", "--epochs", "10", "--device", "cpu", "--run"];
    Program::Train.command(resume).arg(&run).assert().success();
    assert!(json_file(&run.join("metrics.json"))["best_epoch"].as_u64().unwrap() > 1);
    assert!(!path.exists());
}
