//! `train fit` is killed repeatedly at random times and resumed; nothing may be lost.

use crate::rounds;
use crate::train::{dataset, fit, history, weights};
use predicates::str::contains;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::harness::{Program, stderr};

/// Maximum number of kills in a round; the run then finishes.
const MAX_KILLS: usize = 6;

/// A command that starts the run with these settings, or resumes it if it exists.
fn process(run: &Path, settings: &str) -> Command {
    let mut process = if run.join("config.toml").exists() {
        Program::Train.process(["fit", "--resume"])
    } else {
        let mut process = Program::Train.process(["fit", "--device", "cpu", "--checkpoint-every", "1"]);
        process.args(settings.split_whitespace()).arg("--data").arg(dataset());
        process
    };
    process
        .arg("--run")
        .arg(run)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    process
}

#[test]
fn run_killed_at_any_time_ends_with_the_same_weights() {
    killed_runs_end_with_the_same_weights("--model cnn1d --batch-size 2 --seed 4 --epochs 3", rounds(3));
}

#[test]
fn killed_run_with_all_training_methods_ends_with_the_same_weights() {
    let settings = "--model mm-crnn --seed 4 --epochs 3 --batch-size 4 --micro-batch-size 2 --clip-seconds 1 --train-clips 2 \
                    --optimizer adamw --lr-schedule one-cycle --patience 0 --ema 0.99 --clip-grad-norm 1 --mixup 0.3 \
                    --label-smoothing 0.1 --augment noise,stretch,spec-augment,gain,polarity";
    killed_runs_end_with_the_same_weights(settings, rounds(2));
}

fn killed_runs_end_with_the_same_weights(settings: &str, rounds: usize) {
    let root = TempDir::new().unwrap();
    let uninterrupted = root.path().join("uninterrupted");
    // The first call builds the programs and the data set, which may take minutes and must not be timed.
    dataset();
    let timer = Instant::now();
    let output = process(&uninterrupted, settings).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let duration = timer.elapsed().as_secs_f64();
    let mut random = Pcg64Mcg::seed_from_u64(11);
    let (mut killed, mut without_config, mut without_checkpoint) = (0, 0, 0);
    for round in 0..rounds {
        let run = root.path().join(round.to_string());
        for kill in 0.. {
            let mut child = process(&run, settings).spawn().unwrap();
            if kill < MAX_KILLS {
                sleep(Duration::from_secs_f64(duration * random.random_range(0.0..0.7)));
                child.kill().unwrap();
            }
            let output = child.wait_with_output().unwrap();
            if output.status.success() {
                break;
            }
            // Only a kill gives no exit code.
            assert_eq!(output.status.code(), None, "round {round}: {}", stderr(&output));
            killed += 1;
            without_config += usize::from(!run.join("config.toml").exists());
            without_checkpoint += usize::from(!run.join("last.checkpoint").exists());
        }
        assert_eq!(weights(&run), weights(&uninterrupted), "round {round}");
        assert_eq!(history(&run), history(&uninterrupted), "round {round}");
        let left = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().ends_with(".tmp")).collect();
        assert!(left.is_empty(), "round {round}: {left:?}");
        fs::remove_dir_all(&run).unwrap();
    }
    println!(
        "{killed} kills in {rounds} rounds, {without_config} of them before the run existed, {without_checkpoint} \
         before its first checkpoint"
    );
    assert!(killed > 0, "every run ended before it was killed");
}

#[test]
fn resuming_a_run_without_checkpoint_starts_at_the_first_step() {
    let root = TempDir::new().unwrap();
    let (uninterrupted, run) = (root.path().join("uninterrupted"), root.path().join("run"));
    fit(&uninterrupted, &["--epochs", "1"]).assert().success();
    // The state if the run was killed after its settings were written and before its first checkpoint.
    fs::create_dir(&run).unwrap();
    fs::write(run.join(".lock"), "").unwrap();
    fs::copy(uninterrupted.join("config.toml"), run.join("config.toml")).unwrap();
    fs::write(run.join(".last.checkpoint.Ab12Cd.tmp"), "half of it").unwrap();
    Program::Train
        .command(["fit", "--resume", "--run"])
        .arg(&run)
        .assert()
        .success();
    assert_eq!(weights(&run), weights(&uninterrupted));
    assert!(!run.join(".last.checkpoint.Ab12Cd.tmp").exists());
    // The state if the run was killed even earlier: a directory with an unlocked lock file.
    let empty = root.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join(".lock"), "").unwrap();
    Program::Train
        .command(["fit", "--resume", "--run"])
        .arg(&empty)
        .assert()
        .code(1)
        .stderr(contains("start one with `train fit"));
    fit(&empty, &["--epochs", "1"]).assert().success();
    assert_eq!(weights(&empty), weights(&uninterrupted));
}
