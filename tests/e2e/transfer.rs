//! Transfer learning: `train fit --init-from` and `train embed`.

use crate::papers::{fit, genres, tagged};
use crate::predict::{evaluated, file, predict};
use crate::train::dataset as fma;
use predicates::str::contains;
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{Collection, Program, json_line, stderr_text, stdout_text};

/// A `choi-crnn` trained on tags.
fn tagger() -> PathBuf {
    static TAGGER: LazyLock<TempDir> = LazyLock::new(|| {
        let root = TempDir::new().unwrap();
        fit(&tagged().path(), "choi-crnn", &root.path().join("run"), &[])
            .assert()
            .success();
        root
    });
    TAGGER.path().join("run")
}

/// Name, shape and bytes of every tensor in the best weights of a run, sorted by name.
fn tensors(run: &Path) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let bytes = fs::read(run.join("best.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .iter()
        .map(|(name, view)| (name.to_owned(), view.shape().to_vec(), view.data().to_vec()))
        .collect();
    tensors.sort();
    tensors
}

/// Maximum absolute difference of two f32 tensors.
fn difference(first: &[u8], second: &[u8]) -> f32 {
    let values = |bytes: &[u8]| -> Vec<f32> {
        let chunks = bytes.chunks_exact(4);
        chunks
            .map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]]))
            .collect()
    };
    let (first, second) = (values(first), values(second));
    assert_eq!(first.len(), second.len());
    let differences = first.iter().zip(&second).map(|(first, second)| (first - second).abs());
    differences.fold(0.0, f32::max)
}

#[test]
fn new_classes_get_a_new_last_layer_and_frozen_layers_are_kept() {
    const LOADED_LR: f32 = 1e-5;
    const LR: f32 = 1e-2;
    /// In one epoch of batches of four.
    const STEPS: f32 = 4.0;
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    let tagger = tagger();
    let more = [
        "--init-from",
        tagger.to_str().unwrap(),
        "--freeze",
        r"^encoder\.(input_norm|blocks\.[01])\.",
        "--loaded-lr",
        "1e-5",
        "--lr",
        "1e-2",
    ];
    let fitted = fit(&genres().path(), "choi-crnn", &run, &more).assert().success();
    let stderr = stderr_text(&fitted);
    assert!(
        stderr.contains("newly initialized: linear.weight, linear.bias"),
        "{stderr}"
    );
    // Batch norm of 96 bands, and 3x3 convolutions 1 -> 64 -> 128 with biases and batch norms.
    let frozen = 2 * 96 + (9 + 1 + 2) * 64 + (9 * 64 + 1 + 2) * 128;
    assert!(stderr.contains(&format!("{frozen} of 392904 parameters")), "{stderr}");

    let (before, after) = (tensors(&tagger), tensors(&run));
    let (mut kept, mut trained) = (0, 0);
    for ((name, shape, loaded), (same_name, new_shape, found)) in before.iter().zip(&after) {
        assert_eq!(name, same_name);
        // These weights get no gradient: the hidden state of a clip with a single step is zero.
        if name.ends_with("hidden_transform.weight") {
            continue;
        }
        if name.starts_with("linear.") {
            assert_eq!((shape.last(), new_shape.last()), (Some(&9), Some(&8)));
            continue;
        }
        let frozen = ["encoder.input_norm.", "encoder.blocks.0.", "encoder.blocks.1."];
        if frozen.iter().any(|prefix| name.starts_with(prefix)) {
            assert_eq!(loaded, found, "{name}");
            kept += 1;
        } else if name.contains("running_") {
            // Running statistics do not depend on the learning rate.
            assert_ne!(loaded, found, "{name}");
        } else {
            // A step of Adam changes a weight by at most about the learning rate.
            let moved = difference(loaded, found);
            assert!(moved > 0.0 && moved < 2.0 * STEPS * LOADED_LR, "{name}: {moved}");
            trained += 1;
        }
    }
    // Two blocks of six tensors and the first batch norm with its mean and variance; two blocks of four that are
    // trained, and two GRUs of three gates of three.
    assert_eq!((kept, trained), (2 * 6 + 4, 2 * 4 + 2 * 3 * 3));
    let bias = after.iter().find(|(name, ..)| name == "linear.bias").unwrap();
    // The new bias starts at zero and has the higher learning rate.
    let moved = difference(&bias.2, &vec![0; bias.2.len()]);
    assert!(moved > LR / 2.0, "{moved}");
}

#[test]
fn matching_last_layer_is_kept_without_replace_classifier() {
    let root = TempDir::new().unwrap();
    let tagger = tagger();
    let from = tagger.to_str().unwrap();
    for (name, more, expected) in [
        ("kept", &[][..], "loaded 54 parameters"),
        ("replaced", &["--replace-classifier"], "loaded 52 parameters"),
    ] {
        let more = [&["--init-from", from][..], more].concat();
        fit(&tagged().path(), "choi-crnn", &root.path().join(name), &more)
            .assert()
            .success()
            .stderr(contains(expected));
    }
}

#[test]
fn embeddings_of_a_tagger_are_classified() {
    let root = TempDir::new().unwrap();
    let out = root.path().join("embeddings.safetensors");
    let embed = |data: &Path| {
        let mut command = Program::Train.command(["embed", "--device", "cpu", "--json", "--classify", "knn,svm"]);
        command.args(["--set", "train", "--n-neighbors", "1", "--force"]);
        command.arg("--run").arg(tagger()).arg("--out").arg(&out);
        command.arg("--data").arg(data).assert()
    };
    let summary = json_line(&embed(&genres().path()).success());
    // Each track is longer than one clip and so has two.
    let clips = 2 * genres().table("tracks.csv").len();
    assert_eq!((&summary["rows"], &summary["dimension"]), (&clips.into(), &32.into()));
    let evaluated = genres().table("splits/main/train.csv").len();
    for classifier in ["knn", "svm"] {
        assert_eq!(
            summary["classifiers"][classifier]["tracks"]["samples"], evaluated,
            "{summary}"
        );
    }
    // The nearest neighbour of a training track is itself.
    let top1 = |name: &str| summary["classifiers"][name]["tracks"]["top1"].as_f64().unwrap();
    assert_eq!(top1("knn"), 1.0, "{summary}");
    assert!(top1("svm") > 0.5, "{summary}");
    let bytes = fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("embeddings").unwrap().shape(), [clips, 32]);
    let sets = file.tensor("set").unwrap().data().to_vec();
    assert_eq!(sets.iter().filter(|&&set| set == 0).count(), 2 * evaluated);
    embed(&tagged().path())
        .code(1)
        .stderr(contains("--classify needs a single-label data set"));
}

#[test]
fn vgg16_for_larger_images_starts_from_the_one_for_smaller_images() {
    let root = TempDir::new().unwrap();
    let (small, large) = (root.path().join("small"), root.path().join("large"));
    fit(&fma(), "vgg16-progressive-42x100", &small, &["--freeze", "none"])
        .assert()
        .success();
    let from = ["--init-from", small.to_str().unwrap()];
    let grown = fit(&fma(), "vgg16-progressive-84x100", &large, &from)
        .assert()
        .success();
    let stderr = stderr_text(&grown);
    assert!(
        stderr.contains("newly initialized: halving.conv0.weight") && !stderr.contains("newly initialized: linear"),
        "{stderr}"
    );
    let (before, after) = (tensors(&small), tensors(&large));
    assert_eq!(after.len(), before.len() + 4);
    for (name, _, loaded) in &before {
        let found = after.iter().find(|(other, ..)| other == name).unwrap();
        // The convolutions are frozen, the dense layers are trained.
        assert_eq!(*loaded == found.2, name.starts_with("features."), "{name}");
    }
}

/// A run of statistics on genres with this learning rate.
fn statistics_run(run: &Path, lr: &str) {
    fit(&genres().path(), "mfcc-dense", run, &["--epochs", "3", "--lr", lr])
        .assert()
        .success();
}

/// `train embed` with a data set of genres.
fn embed(more: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Program::Train.command(["embed", "--device", "cpu", "--json"]);
    command.arg("--data").arg(genres().path()).args(more).assert()
}

fn eval(more: &[&str]) -> assert_cmd::assert::Assert {
    Program::Train
        .command(["eval", "--device", "cpu", "--json"])
        .args(more)
        .assert()
}

/// Checks that a run predicts the files of its test set with these probabilities.
pub fn check_predicted(answer: &Value, expected: &BTreeMap<String, Vec<f64>>) {
    let classes: Vec<String> = serde_json::from_value(answer["classes"].clone()).unwrap();
    assert_eq!(answer["files"].as_array().unwrap().len(), expected.len());
    for (file, (id, expected)) in answer["files"].as_array().unwrap().iter().zip(expected) {
        for (class, expected) in classes.iter().zip(expected) {
            let found = file["probabilities"][class].as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-4,
                "track {id}, {class}: {found} and {expected}"
            );
        }
    }
}

fn files(ids: &BTreeMap<String, Vec<f64>>) -> Vec<PathBuf> {
    ids.keys().map(|id| file(Collection::gtzan(), genres(), id)).collect()
}

#[test]
fn classifier_on_embeddings_of_several_runs_is_a_run() {
    let root = TempDir::new().unwrap();
    let path = |name: &str| root.path().join(name);
    // One run was trained on another data set, one on this.
    let (tagger, own, run) = (tagger(), path("own"), path("combined"));
    statistics_run(&own, "1e-3");
    let copy = path("tagger");
    fs::create_dir(&copy).unwrap();
    for name in ["best.safetensors", "config.toml", "front_end.json"] {
        fs::copy(tagger.join(name), copy.join(name)).unwrap();
    }
    let words = |path: &Path| path.to_str().unwrap().to_owned();
    let (copy_word, own_word, run_word) = (words(&copy), words(&own), words(&run));
    let combined = ["--run", &copy_word, "--run", &own_word, "--statistics", "chroma"];
    let save = ["--classify", "rbf-svm", "--save-run", &run_word];
    let result = json_line(&embed(&[&combined[..], &save[..]].concat()).success());
    // 32 of the tagger, the dense layer of the other, 84 statistics.
    assert!(result["dimension"].as_u64().unwrap() > 32 + 84, "{result}");
    assert_eq!(result["rows"], genres().table("tracks.csv").len());
    let top1 = result["classifiers"]["rbf-svm"]["tracks"]["top1"].clone();
    assert_eq!(result["run"]["metrics"]["top1"], top1);
    let found = evaluated(&run);
    assert_eq!(
        json_line(&eval(&["--run", &run_word]).success())["metrics"]["top1"],
        top1
    );

    // It needs neither the runs nor the data set to predict.
    fs::remove_dir_all(&copy).unwrap();
    fs::remove_dir_all(&own).unwrap();
    check_predicted(&json_line(&predict(&run, &files(&found)).assert().success()), &found);
    let report = Program::Train.command(["report", &run_word]).assert().success();
    let text = stdout_text(&report);
    assert!(
        text.contains("rbf-svm on choi-crnn + mfcc-dense + statistics"),
        "{text}"
    );
    assert!(!text.contains("unfinished") && !text.contains("not ended"), "{text}");
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("rbf-svm on choi-crnn"), "the page names what is combined");

    let none = "has no network of its own";
    for command in [
        &["export", "--out", "x"][..],
        &["embed", "--out", "x"],
        &["fit", "--resume"],
    ] {
        Program::Train
            .command(command)
            .args(["--run", &run_word])
            .assert()
            .code(1)
            .stderr(contains(none));
    }
    embed(&["--statistics", "mfcc", "--classify", "knn", "--save-run", &run_word])
        .code(1)
        .stderr(contains("already holds a run"));
    embed(&["--statistics", "mfcc", "--classify", "knn,svm", "--save-run", "x"])
        .code(2)
        .stderr(contains("one classifier"));
    // A damaged classifier is refused.
    fs::write(run.join("classifier.safetensors"), b"none").unwrap();
    eval(&["--run", &run_word])
        .code(1)
        .stderr(contains("classifier.safetensors cannot be read"));
}

#[test]
fn statistics_are_classified_without_a_network() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("baseline");
    let result = json_line(&embed(&["--statistics", "mfcc", "--classify", "knn,svm,rbf-svm,logistic"]).success());
    assert_eq!((&result["dimension"], &result["out"]), (&140.into(), &Value::Null));
    for classifier in ["svm", "rbf-svm", "logistic"] {
        let c = result["classifiers"][classifier]["c"].as_f64().unwrap();
        assert!([0.1, 1.0, 10.0, 100.0].contains(&c), "{result}");
    }
    let more = [
        "--classify",
        "logistic",
        "--c",
        "3",
        "--save-run",
        run.to_str().unwrap(),
    ];
    let result = json_line(&embed(&[&["--statistics", "mfcc"][..], &more].concat()).success());
    assert_eq!(result["classifiers"]["logistic"]["c"], 3.0);
    let found = evaluated(&run);
    check_predicted(&json_line(&predict(&run, &files(&found)).assert().success()), &found);
    embed(&["--classify", "knn"]).code(2).stderr(contains("--statistics"));
    embed(&["--statistics", "mfcc"]).code(2).stderr(contains("--classify"));
}

#[test]
fn mean_of_runs_is_evaluated_predicted_and_saved() {
    let root = TempDir::new().unwrap();
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    let (first, second, mean) = (path("first"), path("second"), path("mean"));
    statistics_run(Path::new(&first), "1e-3");
    statistics_run(Path::new(&second), "1e-2");
    let both = ["--run", &first, "--run", &second];
    let printed = json_line(&eval(&both).success());
    let result = json_line(&eval(&[&both[..], &["--save-run", &mean]].concat()).success());
    assert_eq!(result["metrics"], printed["metrics"]);
    assert!(result["intervals"].is_array(), "{result}");
    let of_both = [&first, &second].map(|run| evaluated(Path::new(run)));
    let found = evaluated(Path::new(&mean));
    for (id, found) in &found {
        for (class, found) in found.iter().enumerate() {
            let expected = (of_both[0][id][class] + of_both[1][id][class]) / 2.0;
            assert!((found - expected).abs() < 1e-6, "track {id}: {found} and {expected}");
        }
    }
    assert_ne!(of_both[0], of_both[1], "the learning rates differ");
    let files = files(&found);
    let mut predicted = Program::Train.command(["predict", "--device", "cpu", "--json"]);
    predicted.args(both).args(&files);
    check_predicted(&json_line(&predicted.assert().success()), &found);
    fs::remove_dir_all(&first).unwrap();
    check_predicted(
        &json_line(&predict(Path::new(&mean), &files).assert().success()),
        &found,
    );

    // A run with other classes.
    let tagger = tagger();
    let refused = eval(&["--run", &second, "--run", tagger.to_str().unwrap()]).code(1);
    assert!(
        stderr_text(&refused).contains("the same classes"),
        "{}",
        stderr_text(&refused)
    );
    // A run of another split of the same tracks.
    let dataset = genres().copy();
    dataset
        .split("--strategy random --ratios 60,20,20 --name other --seed 7")
        .success();
    let other = path("other");
    fit(&dataset.path(), "mfcc-dense", Path::new(&other), &["--split", "other"])
        .assert()
        .success();
    let refused = eval(&["--run", &second, "--run", &other]).code(1);
    assert!(
        stderr_text(&refused).contains("tracks of the train set"),
        "{}",
        stderr_text(&refused)
    );
}
