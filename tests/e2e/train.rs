//! `train models`, `fit`, `fit --resume` and `eval` with a small data set on the CPU.

use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Collection, Program, json_line, stderr_text, wait_for};

/// A data set of twelve tracks with a random split.
pub fn dataset() -> PathBuf {
    static DATASET: LazyLock<BuiltDataset> = LazyLock::new(|| {
        let built = BuiltDataset::build(&Collection::first_tracks(12));
        built.split("--strategy random --ratios 50,25,25 --name main").success();
        built
    });
    DATASET.path()
}

/// `train fit` with settings that make an epoch take seconds; `cnn1d` has the fastest step.
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

/// Checksum of the best weights of a run.
pub fn weights(run: &Path) -> String {
    let bytes = fs::read(run.join("best.safetensors")).unwrap();
    blake3::hash(&bytes).to_hex().to_string()
}

/// Lines of history.csv without the columns of times.
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
fn run_is_evaluated_on_its_own_copy_of_the_split() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    let dataset = BuiltDataset::build(&Collection::first_tracks(12));
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
    // Another split with the same name, whose test set contains training tracks of the run.
    dataset.split("--name other").success();
    dataset.split("--prune").success();
    split("2");
    assert_eq!(json_line(&train("eval", &[]).success())["metrics"], first);
    assert_eq!(fs::read(run.join("predictions.csv")).unwrap(), tested);
    // The page remains that of the test set if nothing is trained.
    let page = || fs::read_to_string(run.join("report.html")).unwrap();
    let evaluated = page();
    assert!(evaluated.contains("of the test set of split"));
    train("fit", &["--resume"]).success();
    assert_eq!(page(), evaluated);
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
    let refused = stderr_text(&train("eval", &["--split", "val"]).failure());
    assert!(refused.contains("give --set val instead of --split val"), "{refused}");
    let refused = stderr_text(&train("eval", &["--split", "other"]).failure());
    assert!(refused.contains("trained on split `exp`, not on `other`"), "{refused}");
    // If the split was deleted, nothing is compared.
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
        ("won-fcn", 445_002),
        ("won-crnn", 392_714),
        ("musicnn", 775_858),
        ("musicnn-msd", 7_950_958),
        ("short-chunk", 3_665_802),
        ("short-chunk-res", 12_082_698),
        ("sample-level", 1_848_328),
        ("sample-level-se", 6_930_312),
        ("harmonic-cnn", 3_620_757),
        ("self-attention", 10_510_858),
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
fn weights_do_not_depend_on_the_number_of_loader_threads() {
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
fn resumed_run_has_the_weights_of_an_uninterrupted_one() {
    let root = TempDir::new().unwrap();
    let (uninterrupted, resumed) = (root.path().join("uninterrupted"), root.path().join("resumed"));
    fit(&uninterrupted, &["--epochs", "2"]).assert().success();
    fit(&resumed, &["--epochs", "1"]).assert().success();
    Program::Train
        .command(["fit", "--resume", "--epochs", "2", "--run"])
        .arg(&resumed)
        .assert()
        .success()
        .stderr(contains("continuing after 3 steps and 1 epochs"));
    assert_eq!(history(&resumed), history(&uninterrupted));
    assert_eq!(weights(&resumed), weights(&uninterrupted));
}

#[test]
fn killed_run_resumes_within_an_epoch() {
    let root = TempDir::new().unwrap();
    let (uninterrupted, killed) = (root.path().join("uninterrupted"), root.path().join("killed"));
    fit(&uninterrupted, &["--epochs", "2"]).assert().success();
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
    assert_eq!(history(&killed), history(&uninterrupted));
    assert_eq!(weights(&killed), weights(&uninterrupted));
}

#[test]
fn weights_do_not_depend_on_the_cache_or_a_full_shuffle_window() {
    let root = TempDir::new().unwrap();
    let run = |name: &str| root.path().join(name);
    fit(&run("mapped"), &["--epochs", "1"]).assert().success();
    fit(&run("ram"), &["--epochs", "1", "--cache", "ram"])
        .assert()
        .success();
    assert_eq!(weights(&run("mapped")), weights(&run("ram")));
    // The data set has one shard, so a window of one shard shuffles all tracks.
    fit(&run("window"), &["--epochs", "1", "--shuffle-window", "1"])
        .assert()
        .success();
    assert_eq!(weights(&run("mapped")), weights(&run("window")));
}

#[test]
fn run_with_front_end_on_the_device_can_be_resumed() {
    let root = TempDir::new().unwrap();
    let (uninterrupted, resumed) = (root.path().join("uninterrupted"), root.path().join("resumed"));
    fit(&uninterrupted, &["--front-end", "device", "--epochs", "2"])
        .assert()
        .success();
    fit(&resumed, &["--front-end", "device", "--epochs", "1"])
        .assert()
        .success();
    Program::Train
        .command(["fit", "--resume", "--epochs", "2", "--run"])
        .arg(&resumed)
        .assert()
        .success();
    assert_eq!(history(&resumed), history(&uninterrupted));
    assert_eq!(weights(&resumed), weights(&uninterrupted));
    Program::Train
        .command(["fit", "--resume", "--front-end", "host", "--epochs", "3", "--run"])
        .arg(&resumed)
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
fn bf16_trains_and_unsupported_precision_is_refused() {
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
fn errors_name_the_flag_or_file_to_change() {
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
    fit(&root.path().join("c"), &["--freeze", "absent"])
        .assert()
        .code(1)
        .stderr(contains("--freeze absent matches no parameter"));
    assert!(!root.path().join("c").exists(), "a refused run leaves no directory");

    fs::write(run.join("last.checkpoint"), b"not a checkpoint").unwrap();
    Program::Train
        .command(["fit", "--resume", "--epochs", "2", "--run"])
        .arg(&run)
        .assert()
        .code(1)
        .stderr(contains("last.checkpoint"));
}

#[test]
fn pickled_weights_that_run_code_are_refused() {
    let root = TempDir::new().unwrap();
    let (weights, proof) = (root.path().join("weights.pt"), root.path().join("proof"));
    let call = format!("touch {}", proof.display());
    // The pickle of os.system(call).
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
    let stderr = stderr_text(&refused);
    assert!(
        stderr.contains("weights.pt") && stderr.contains("`posix.system`"),
        "{stderr}"
    );
    assert_eq!(json_line(&refused)["ok"], false);
    assert!(!proof.exists());
}

#[test]
fn weights_of_a_run_initialize_another() {
    let root = TempDir::new().unwrap();
    let (first, second) = (root.path().join("first"), root.path().join("second"));
    fit(&first, &["--epochs", "1"]).assert().success();
    let from = first.join("best.safetensors");
    let fitted = fit(&second, &["--epochs", "1", "--init-from", from.to_str().unwrap()])
        .assert()
        .success();
    let stderr = stderr_text(&fitted);
    // Four blocks with two convolution and four batch norm tensors each, and three dense layers with two tensors each.
    assert!(stderr.contains("loaded 30 parameters"), "{stderr}");
}

#[test]
fn published_checkpoint_initializes_a_run() {
    let Some(reference) = std::env::var_os("CRATEDIGGER_REFERENCE") else {
        println!("skipped: CRATEDIGGER_REFERENCE is not set to the directory of checkpoint_baseline1d.pt");
        return;
    };
    let root = TempDir::new().unwrap();
    let checkpoint = Path::new(&reference).join("checkpoint_baseline1d.pt");
    // The checkpoint has eight classes, like the small corpus.
    let dataset = BuiltDataset::small().copy();
    dataset.split("--strategy random --name main").success();
    let mut command = Program::Train.command(["fit", "--model", "cnn1d", "--epochs", "1", "--init-from"]);
    command
        .arg(checkpoint)
        .arg("--data")
        .arg(dataset.path())
        .arg("--run")
        .arg(root.path().join("run"));
    let stderr = stderr_text(&command.assert().success());
    assert!(stderr.contains("loaded 30 parameters"), "{stderr}");
}
