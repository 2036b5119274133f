//! `fit` is killed at random moments, again and again, and continued: nothing may be lost.

use crate::rounds;
use crate::train::{dataset, fit, history, weights};
use predicates::str::contains;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::harness::{Program, stderr};

/// A training that is killed so often in one round is left alone then, so that a round ends.
const KILLS: usize = 6;

/// Begins the run, or continues it where it has begun.
fn start(run: &Path) -> Child {
    let mut process = if run.join("config.toml").exists() {
        Program::Train.process(["fit", "--resume"])
    } else {
        let mut process = Program::Train.process(["fit", "--model", "cnn1d", "--batch-size", "2", "--seed", "4"]);
        process.arg("--data").arg(dataset());
        process.args(["--device", "cpu", "--epochs", "3", "--checkpoint-every", "1"]);
        process
    };
    let process = process.arg("--run").arg(run);
    process.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_run_killed_at_any_moment_ends_with_the_same_weights() {
    let root = TempDir::new().unwrap();
    let whole = root.path().join("whole");
    // Programs and data set are made when they are first asked for, which may take minutes.
    dataset();
    let began = Instant::now();
    fit(&whole, &["--epochs", "3", "--checkpoint-every", "1"])
        .assert()
        .success();
    let duration = began.elapsed().as_secs_f64();
    let mut random = Pcg64Mcg::seed_from_u64(11);
    let (mut killed, mut unbegun, mut without_checkpoint) = (0, 0, 0);
    let rounds = rounds(3);
    for round in 0..rounds {
        let run = root.path().join(round.to_string());
        for kill in 0.. {
            let mut child = start(&run);
            if kill < KILLS {
                sleep(Duration::from_secs_f64(duration * random.random_range(0.0..0.7)));
                child.kill().unwrap();
            }
            let output = child.wait_with_output().unwrap();
            if output.status.success() {
                break;
            }
            let said = stderr(&output);
            // None but a kill has no exit code.
            assert_eq!(output.status.code(), None, "round {round}: {said}");
            killed += 1;
            unbegun += usize::from(!run.join("config.toml").exists());
            without_checkpoint += usize::from(!run.join("last.checkpoint").exists());
        }
        assert_eq!(weights(&run), weights(&whole), "round {round}");
        assert_eq!(history(&run), history(&whole), "round {round}");
        let left = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().ends_with(".tmp")).collect();
        assert!(left.is_empty(), "round {round}: {left:?}");
        fs::remove_dir_all(&run).unwrap();
    }
    println!(
        "{killed} kills in {rounds} rounds, {unbegun} of them before the run existed, {without_checkpoint} before its first \
         checkpoint"
    );
    assert!(killed > 0, "every run ended before it was killed");
}

#[test]
fn a_run_without_a_checkpoint_begins_at_its_first_step() {
    let root = TempDir::new().unwrap();
    let (whole, run) = (root.path().join("whole"), root.path().join("run"));
    fit(&whole, &["--epochs", "1"]).assert().success();
    // Killed after its settings were written and before anything else was.
    fs::create_dir(&run).unwrap();
    fs::write(run.join(".lock"), "").unwrap();
    fs::copy(whole.join("config.toml"), run.join("config.toml")).unwrap();
    fs::write(run.join(".last.checkpoint.Ab12Cd.tmp"), "half of it").unwrap();
    Program::Train
        .command(["fit", "--resume", "--run"])
        .arg(&run)
        .assert()
        .success();
    assert_eq!(weights(&run), weights(&whole));
    assert!(!run.join(".last.checkpoint.Ab12Cd.tmp").exists());
    // And before: there is a directory and a lock that nobody holds.
    let begun = root.path().join("begun");
    fs::create_dir(&begun).unwrap();
    fs::write(begun.join(".lock"), "").unwrap();
    Program::Train
        .command(["fit", "--resume", "--run"])
        .arg(&begun)
        .assert()
        .code(1)
        .stderr(contains("start one with `train fit"));
    fit(&begun, &["--epochs", "1"]).assert().success();
    assert_eq!(weights(&begun), weights(&whole));
}
