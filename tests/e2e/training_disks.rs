//! Runs and local copies of shards on full disks, in unwritable directories, and shared by several processes.

use crate::train::{dataset, fit, history, weights};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;
use tempfile::TempDir;
use tests::harness::{self, Program, Tree, stderr};

/// Runs a script with a small disk as `$1`, the program as `$2` and the data set as `$3`.
fn on_a_small_disk(directory: &Path, bytes: u64, script: &str) -> Option<Output> {
    harness::on_a_small_disk(directory, bytes, script, &[Program::Train.path(), &dataset()])
}

/// The command of [`fit`] in a shell, with the program as `$2` and the data set as `$3`.
const FIT: &str = "\"$2\" fit --model cnn1d --batch-size 2 --seed 4 --device cpu --data \"$3\"";

#[test]
fn full_disk_keeps_the_last_checkpoint_intact() {
    let root = TempDir::new().unwrap();
    let (uninterrupted, run) = (root.path().join("uninterrupted"), root.path().join("run"));
    fit(&uninterrupted, &["--epochs", "2"]).assert().success();
    let checkpoint = fs::metadata(uninterrupted.join("last.checkpoint")).unwrap().len();
    // Space for one checkpoint, but not for a second one at the same time.
    let (disk, bytes) = (root.path().join("disk"), checkpoint * 3 / 2);
    let script = format!(
        "{FIT} --run \"$1/run\" --epochs 2 --checkpoint-every 1; code=$?; cp -r \"$1/run\" {}; exit $code",
        run.display()
    );
    let Some(output) = on_a_small_disk(&disk, bytes, &script) else {
        return;
    };
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(
        message.contains("last.checkpoint") && message.contains("space"),
        "{message}"
    );
    let left = Tree::read(&run).unwrap();
    assert_eq!(
        left.paths().collect::<Vec<_>>(),
        [
            ".lock",
            "config.toml",
            "environment.json",
            "front_end.json",
            "last.checkpoint",
            "split/normalization.json",
            "split/split.json",
            "split/test.csv",
            "split/train.csv",
            "split/val.csv"
        ]
    );
    let mut resume = Program::Train.command(["fit", "--resume", "--run"]);
    resume
        .arg(&run)
        .assert()
        .success()
        .stderr(contains("continuing after 1 steps"));
    assert_eq!(weights(&run), weights(&uninterrupted));
    assert_eq!(history(&run), history(&uninterrupted));
}

#[test]
fn full_local_cache_is_an_error_and_leaves_no_incomplete_copy() {
    let root = TempDir::new().unwrap();
    let disk = root.path().join("scratch");
    let mel = fs::metadata(dataset().join("shards/mel-00000.safetensors"))
        .unwrap()
        .len();
    let run = root.path().join("run");
    let script = format!(
        "{FIT} --run {} --cache local \"$1\" --epochs 1; code=$?; find \"$1\" -type f -name '*waveform*'; exit $code",
        run.display()
    );
    let Some(output) = on_a_small_disk(&disk, mel, &script) else {
        return;
    };
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(
        message.contains("--cache mapped") && message.contains("space"),
        "{message}"
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    // The same run starts with another cache.
    fit(&run, &["--epochs", "1"]).assert().success();
}

#[test]
fn unwritable_directories_are_named_in_the_error() {
    let root = TempDir::new().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "mine").unwrap();
    fit(&file, &["--epochs", "1"])
        .assert()
        .code(1)
        .stderr(contains("could not use").and(contains("file")));
    fit(&file.join("run"), &["--epochs", "1"])
        .assert()
        .code(1)
        .stderr(contains("could not use"));
    Program::Train
        .command(["fit", "--resume", "--run"])
        .arg(&file)
        .assert()
        .code(1);
    let local = ["--epochs", "1", "--cache", "local", file.to_str().unwrap()];
    fit(&root.path().join("run"), &local)
        .assert()
        .code(1)
        .stderr(contains("--cache local"));
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    let read_only = format!("mount -o remount,ro \"$1\" && {FIT} --run \"$1/run\" --epochs 1");
    let Some(output) = on_a_small_disk(&root.path().join("disk"), 1 << 20, &read_only) else {
        return;
    };
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("Read-only file system"), "{}", stderr(&output));
}

fn copies(scratch: &Path) -> Vec<String> {
    let tree = Tree::read(scratch).unwrap();
    tree.paths()
        .map(|path| path.rsplit('/').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn local_copies_are_made_once_and_give_the_same_weights() {
    let root = TempDir::new().unwrap();
    let run = |name: &str| -> PathBuf { root.path().join(name) };
    let scratch = root.path().join("scratch");
    let local = [
        "--epochs",
        "1",
        "--verify",
        "--cache",
        "local",
        scratch.to_str().unwrap(),
    ];
    fit(&run("mapped"), &["--epochs", "1"]).assert().success();
    // At the same time, so they compete for the copies.
    thread::scope(|scope| {
        for name in ["first", "second", "third"] {
            let run = run(name);
            scope.spawn(move || fit(&run, &local).assert().success());
        }
    });
    for name in ["first", "second", "third"] {
        assert_eq!(weights(&run(name)), weights(&run("mapped")), "{name}");
    }
    // This model reads no spectrograms.
    assert_eq!(copies(&scratch), [".lock", "waveform-00000.safetensors"]);
    fit(&run("fourth"), &local)
        .assert()
        .success()
        .stderr(contains("copying").not());
    let tree = Tree::read(&scratch).unwrap();
    let copy = scratch.join(tree.paths().find(|path| path.contains("waveform")).unwrap());
    let mut bytes = fs::read(&copy).unwrap();
    fs::write(&copy, &bytes[..bytes.len() / 2]).unwrap();
    fit(&run("fifth"), &local)
        .assert()
        .success()
        .stderr(contains("copying"));
    assert_eq!(weights(&run("fifth")), weights(&run("mapped")));
    assert_eq!(tree, Tree::read(&scratch).unwrap());
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&copy, &bytes).unwrap();
    fit(&run("sixth"), &local)
        .assert()
        .code(1)
        .stderr(contains("delete it"));
    // The cache is not part of a run, so it can be resumed without the copies.
    fs::remove_dir_all(&scratch).unwrap();
    let mut resume = Program::Train.command(["fit", "--resume", "--epochs", "2", "--cache", "mapped", "--run"]);
    resume.arg(run("fifth")).assert().success();
    let config = fs::read_to_string(run("fifth").join("config.toml")).unwrap();
    assert!(config.contains("cache = \"mapped\""), "{config}");
}
