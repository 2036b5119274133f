//! `train`: models, fit, resume, eval, on a small data set of real files and the CPU.

use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Collection, Program, json_line, stderr_text, wait_for};

/// Twelve tracks in a split of their own.
pub fn dataset() -> PathBuf {
    static DATASET: LazyLock<BuiltDataset> = LazyLock::new(|| {
        let built = BuiltDataset::build(&Collection::of_tracks(12));
        built.split("--strategy random --ratios 50,25,25 --name main").success();
        built
    });
    DATASET.path()
}

/// `fit` with settings that make two epochs a matter of seconds; `cnn1d` is the quickest to step.
pub fn fit(run: &Path, more: &[&str]) -> assert_cmd::Command {
    let mut command = Program::Train.command(["fit", "--model", "cnn1d", "--batch-size", "2", "--seed", "4"]);
    command
        .arg("--data")
        .arg(dataset())
        .arg("--run")
        .arg(run)
        .args(["--device", "cpu", "--json"])
        .args(more);
    command
}

/// A checksum of the run's weights.
pub fn weights(run: &Path) -> String {
    let bytes = fs::read(run.join("best.safetensors")).unwrap();
    blake3::hash(&bytes).to_hex().to_string()
}

/// The history without the columns that are times.
pub fn history(run: &Path) -> Vec<String> {
    let table = fs::read_to_string(run.join("history.csv")).unwrap();
    table
        .lines()
        .map(|line| {
            let cells: Vec<_> = line.split(',').collect();
            [&cells[..1], &cells[3..]].concat().join(",")
        })
        .collect()
}

#[test]
fn a_run_is_evaluated_on_its_own_split_whatever_becomes_of_the_data_sets() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    let dataset = BuiltDataset::build(&Collection::of_tracks(12));
    let split = |seed: &str| {
        let arguments = format!("--strategy random --ratios 50,25,25 --name exp --seed {seed}");
        dataset.split(&arguments).success();
    };
    let train = |command: &str, more: &[&str]| {
        let mut train = Program::Train.command([command, "--device", "cpu", "--json", "--run"]);
        train.arg(&run).args(more).assert()
    };
    split("1");
    let data = dataset.path();
    let data = data.to_str().unwrap();
    let begin = [
        "--data",
        data,
        "--model",
        "mfcc-dense",
        "--epochs",
        "2",
        "--split",
        "exp",
    ];
    train("fit", &begin).success();
    let first = json_line(&train("eval", &[]).success())["metrics"].clone();
    let tested = fs::read(run.join("predictions.csv")).unwrap();
    // Another split under the same name: tracks that were trained on are in its test set.
    dataset.split("--name other").success();
    dataset.split("--prune").success();
    split("2");
    assert_eq!(json_line(&train("eval", &[]).success())["metrics"], first);
    assert_eq!(fs::read(run.join("predictions.csv")).unwrap(), tested);
    train("fit", &["--resume", "--epochs", "3"]).success();
    let out = root.path().join("embeddings.safetensors");
    let out = out.to_str().unwrap();
    for (command, more) in [
        ("eval", &["--split", "exp"][..]),
        ("fit", &["--resume", "--split", "exp"]),
        ("embed", &["--split", "exp", "--out", out]),
        ("embed", &["--split", "exp", "--out", out, "--data", data]),
    ] {
        let refused = stderr_text(&train(command, more).failure());
        assert!(
            refused.contains("split `exp`") && refused.contains("differs from the one"),
            "{refused}"
        );
    }
    let refused = stderr_text(&train("eval", &["--split", "other"]).failure());
    assert!(refused.contains("trained on split `exp`, not on `other`"), "{refused}");
    // What is gone cannot differ.
    fs::remove_dir_all(dataset.path().join("splits")).unwrap();
    train("eval", &["--split", "exp"]).success();
}

#[test]
fn models_are_listed_with_their_sizes() {
    let assert = Program::Train.command(["models", "--json"]).assert().success();
    let models = json_line(&assert)["models"].clone();
    let found: Vec<(&str, u64)> = models
        .as_array()
        .unwrap()
        .iter()
        .map(|model| (model["name"].as_str().unwrap(), model["parameters"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("cnn1d", 161_176),
        ("cnn2d", 347_352),
        ("crnn", 438_808),
        ("mm-crnn", 623_848),
        ("sample-cnn", 8_638_284),
        ("crnn1d-rnn", 993_100),
        ("crnn1d-lstm", 1_584_460),
        ("crnn1d-gru", 1_387_340),
        ("chunk-cnn", 133_432),
        ("crnn2d-rnn", 495_512),
        ("crnn2d-lstm", 791_960),
        ("crnn2d-gru", 693_144),
        ("choi-fcn", 852_616),
        ("choi-crnn", 392_904),
        ("music-tagger-crnn", 395_400),
        ("music-tagger-cnn", 855_156),
        ("mfcc-dense", 10_008),
        ("small-cnn", 104_568),
        ("vgg16", 15_108_056),
        ("vgg16-progressive-42x100", 14_739_416),
        ("vgg16-progressive-84x100", 14_740_299),
        ("dwivedi-crnn", 133_184),
        ("dwivedi-parallel", 85_160),
        ("dong", 463_848),
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_model_trains_and_is_evaluated() {
    let root = TempDir::new().unwrap();
    for model in ["cnn1d", "cnn2d", "crnn", "mm-crnn"] {
        let run = root.path().join(model);
        let mut command = Program::Train.command(["fit", "--model", model, "--batch-size", "3", "--epochs", "1"]);
        command
            .arg("--data")
            .arg(dataset())
            .arg("--run")
            .arg(&run)
            .arg("--json");
        let fitted = json_line(&command.assert().success());
        assert_eq!(fitted["epochs"], 1, "{model}");
        let evaluated = Program::Train
            .command(["eval", "--json", "--run"])
            .arg(&run)
            .assert()
            .success();
        let printed = json_line(&evaluated)["metrics"].clone();
        let metrics: Value = serde_json::from_slice(&fs::read(run.join("metrics.json")).unwrap()).unwrap();
        assert_eq!(metrics["test"], printed, "{model}");
        for metric in ["accuracy", "precision", "recall", "f1"] {
            let value = metrics["test"]["paper"][metric].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&value), "{model}: {metric} {value}");
        }
        assert_eq!(metrics["val"]["samples"], 3, "{model}");
        for file in [
            "config.toml",
            "history.csv",
            "confusion.csv",
            "confusion.svg",
            "curves.svg",
            "best.safetensors",
        ] {
            assert!(run.join(file).is_file(), "{model}: {file}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_weights_with_any_number_of_loader_threads() {
    let root = TempDir::new().unwrap();
    let run = |name: &str| root.path().join(name);
    fit(&run("one"), &["--epochs", "1", "--loader-threads", "1"])
        .assert()
        .success();
    fit(
        &run("four"),
        &["--epochs", "1", "--loader-threads", "4", "--prefetch", "1"],
    )
    .assert()
    .success();
    assert_eq!(weights(&run("one")), weights(&run("four")));
    assert_eq!(history(&run("one")), history(&run("four")));
}

#[test]
fn a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one() {
    let root = TempDir::new().unwrap();
    let (whole, parts) = (root.path().join("whole"), root.path().join("parts"));
    fit(&whole, &["--epochs", "2"]).assert().success();
    fit(&parts, &["--epochs", "1"]).assert().success();
    Program::Train
        .command(["fit", "--resume", "--epochs", "2", "--run"])
        .arg(&parts)
        .assert()
        .success()
        .stderr(contains("continuing after 3 steps and 1 epochs"));
    assert_eq!(history(&parts), history(&whole));
    assert_eq!(weights(&parts), weights(&whole));
}

#[test]
fn a_killed_run_resumes_in_the_middle_of_an_epoch() {
    let root = TempDir::new().unwrap();
    let (whole, killed) = (root.path().join("whole"), root.path().join("killed"));
    fit(&whole, &["--epochs", "2"]).assert().success();
    let mut process = Program::Train.process(["fit", "--model", "cnn1d", "--batch-size", "2", "--seed", "4"]);
    process.arg("--data").arg(dataset()).arg("--run").arg(&killed);
    process
        .args(["--device", "cpu", "--epochs", "2", "--checkpoint-every", "1"])
        .stderr(Stdio::null());
    let mut child = process.stdout(Stdio::null()).spawn().unwrap();
    wait_for(&killed.join("last.checkpoint"), &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    Program::Train
        .command(["fit", "--resume", "--run"])
        .arg(&killed)
        .assert()
        .success();
    assert_eq!(history(&killed), history(&whole));
    assert_eq!(weights(&killed), weights(&whole));
}

#[test]
fn where_the_data_lies_changes_nothing() {
    let root = TempDir::new().unwrap();
    let run = |name: &str| root.path().join(name);
    fit(&run("mapped"), &["--epochs", "1"]).assert().success();
    fit(&run("ram"), &["--epochs", "1", "--cache", "ram"])
        .assert()
        .success();
    assert_eq!(weights(&run("mapped")), weights(&run("ram")));
    // A window as large as the set, which is one shard, is the set.
    fit(&run("window"), &["--epochs", "1", "--shuffle-window", "1"])
        .assert()
        .success();
    assert_eq!(weights(&run("mapped")), weights(&run("window")));
}

#[test]
fn the_front_end_on_the_device_trains_and_resumes_like_the_other() {
    let root = TempDir::new().unwrap();
    let (whole, parts) = (root.path().join("whole"), root.path().join("parts"));
    fit(&whole, &["--front-end", "device", "--epochs", "2"])
        .assert()
        .success();
    fit(&parts, &["--front-end", "device", "--epochs", "1"])
        .assert()
        .success();
    Program::Train
        .command(["fit", "--resume", "--epochs", "2", "--run"])
        .arg(&parts)
        .assert()
        .success();
    assert_eq!(history(&parts), history(&whole));
    assert_eq!(weights(&parts), weights(&whole));
    Program::Train
        .command(["fit", "--resume", "--front-end", "host", "--epochs", "3", "--run"])
        .arg(&parts)
        .assert()
        .code(1)
        .stderr(contains("--front-end"));
}

#[test]
fn two_devices_share_each_batch() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    let mut command = Program::Train.command("fit --model cnn1d --batch-size 4 --epochs 1 --json".split(' '));
    command.args(["--devices", "cpu,cpu", "--run"]).arg(&run);
    let fitted = command.arg("--data").arg(dataset()).assert().success();
    assert_eq!(json_line(&fitted)["device"], "cpu, cpu");
    Program::Train
        .command(["fit", "--resume", "--device", "cpu", "--epochs", "2", "--run"])
        .arg(&run)
        .assert()
        .code(1)
        .stderr(contains("number of devices"));
}

#[test]
fn bfloat16_trains_and_a_precision_that_the_device_lacks_is_refused() {
    let root = TempDir::new().unwrap();
    fit(&root.path().join("half"), &["--precision", "bf16", "--epochs", "1"])
        .assert()
        .success();
    fit(&root.path().join("tf32"), &["--precision", "tf32"])
        .assert()
        .code(1)
        .stderr(contains("--precision f32"));
}

#[test]
fn mistakes_are_sentences() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    fit(&run, &["--epochs", "1"]).assert().success();

    fit(&run, &["--epochs", "1"])
        .assert()
        .code(1)
        .stderr(contains("--resume"));
    Program::Train
        .command(["fit", "--resume", "--lr", "0.5", "--run"])
        .arg(&run)
        .assert()
        .code(1)
        .stderr(contains("--lr"));
    Program::Train
        .command(["eval", "--run"])
        .arg(root.path().join("none"))
        .assert()
        .code(1)
        .stderr(contains("train fit"));
    fit(&root.path().join("a"), &["--split", "best"])
        .assert()
        .code(1)
        .stderr(contains("main"));
    fit(&root.path().join("b"), &["--dropout", "1.5"])
        .assert()
        .code(2)
        .stderr(contains("--dropout"));
    fit(&root.path().join("c"), &["--init-from", "absent.pt"])
        .assert()
        .code(1)
        .stderr(contains("absent.pt"));

    fs::write(run.join("last.checkpoint"), b"not a checkpoint").unwrap();
    Program::Train
        .command(["fit", "--resume", "--epochs", "2", "--run"])
        .arg(&run)
        .assert()
        .code(1)
        .stderr(contains("last.checkpoint"));
}

#[test]
fn weights_that_ask_for_code_are_refused() {
    let root = TempDir::new().unwrap();
    let (weights, proof) = (root.path().join("weights.pt"), root.path().join("proof"));
    let call = format!("touch {}", proof.display());
    // os.system(call), as Python pickles it.
    let pickle = [
        b"\x80\x02cposix\nsystem\nU".as_slice(),
        &[call.len() as u8],
        call.as_bytes(),
        b"\x85R.",
    ]
    .concat();
    fs::write(&weights, pickle).unwrap();
    let refused = fit(&root.path().join("run"), &["--init-from", weights.to_str().unwrap()])
        .assert()
        .code(1);
    let said = stderr_text(&refused);
    assert!(said.contains("weights.pt") && said.contains("`posix.system`"), "{said}");
    assert_eq!(json_line(&refused)["ok"], false);
    assert!(!proof.exists());
}

#[test]
fn weights_of_one_run_begin_another() {
    let root = TempDir::new().unwrap();
    let (first, second) = (root.path().join("first"), root.path().join("second"));
    fit(&first, &["--epochs", "1"]).assert().success();
    let from = first.join("best.safetensors");
    let begun = fit(&second, &["--epochs", "1", "--init-from", from.to_str().unwrap()])
        .assert()
        .success();
    let said = stderr_text(&begun);
    // Four blocks of two convolution and four batch norm tensors, three dense layers of two.
    assert!(said.contains("loaded 30 parameters"), "{said}");
}

#[test]
fn the_published_checkpoint_begins_a_run() {
    let Some(reference) = std::env::var_os("CRATEDIGGER_REFERENCE") else {
        println!("skipped: CRATEDIGGER_REFERENCE names no directory with checkpoint_baseline1d.pt");
        return;
    };
    let root = TempDir::new().unwrap();
    let checkpoint = Path::new(&reference).join("checkpoint_baseline1d.pt");
    // The checkpoint has eight classes, and so has the whole small corpus.
    let dataset = BuiltDataset::small().copy();
    dataset.split("--strategy random --name main").success();
    let mut command = Program::Train.command(["fit", "--model", "cnn1d", "--epochs", "1", "--init-from"]);
    command
        .arg(checkpoint)
        .arg("--data")
        .arg(dataset.path())
        .arg("--run")
        .arg(root.path().join("run"));
    let said = stderr_text(&command.assert().success());
    assert!(said.contains("loaded 30 parameters"), "{said}");
}
