//! What ends a training from outside: signals of batch systems, and shards that go away under their readers.

use crate::train::{dataset, fit, history, weights};
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;
use tests::harness::{Program, copy_directory, end, send, stderr, wait_for};

/// Starts `fit` as [`fit`] would run it.
fn start(data: &Path, run: &Path, more: &[&str]) -> Child {
    let mut process = Program::Train.process(["fit", "--model", "cnn1d", "--batch-size", "2", "--seed", "4"]);
    process.arg("--data").arg(data).arg("--run").arg(run);
    process.args(["--device", "cpu", "--json"]).args(more);
    process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn last_line(output: &Output) -> Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(stdout.lines().last().unwrap_or_default()).unwrap()
}

#[test]
fn a_signal_stops_a_run_where_it_can_go_on() {
    let root = TempDir::new().unwrap();
    let whole = root.path().join("whole");
    fit(&whole, &["--epochs", "5"]).assert().success();
    for (signal, when) in [
        ("TERM", "config.toml"),
        ("USR1", "environment.json"),
        ("INT", "history.csv"),
    ] {
        let run = root.path().join(signal);
        let mut child = start(&dataset(), &run, &["--epochs", "5"]);
        wait_for(&run.join(when), &mut child);
        send(signal, &child);
        let output = end(child);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(75), "{signal}: {said}");
        let line = last_line(&output);
        assert_eq!(
            (&line["ok"], &line["kind"]),
            (&Value::Bool(false), &Value::from("stopped"))
        );
        let expected = format!(
            "stopped by SIG{signal} at step {}; continue with `train fit --run {} --resume --device cpu`",
            line["step"],
            run.display()
        );
        assert!(said.contains(&expected), "{said}");
        Program::Train
            .command(["fit", "--resume", "--run"])
            .arg(&run)
            .assert()
            .success();
        assert_eq!(weights(&run), weights(&whole), "{signal}");
        assert_eq!(history(&run), history(&whole), "{signal}");
    }
}

#[test]
fn the_command_that_a_stopped_run_prints_continues_it() {
    let root = TempDir::new().unwrap();
    let begin = |run: &Path, seeds: &[&str]| {
        let mut process = Program::Train.process(["fit", "--model", "cnn1d", "--seed", "4", "--devices", "cpu,cpu"]);
        process.args("--epochs 12 --patience 0 --batch-size 4 --cache ram".split(' '));
        process.arg("--data").arg(dataset()).arg("--run").arg(run).args(seeds);
        process.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut path = Program::Train.path().parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    for (name, seeds) in [("run of\none's own", &[][..]), ("seeds", &["--seeds", "2"])] {
        let run = root.path().join(name);
        let mut child = begin(&run, seeds);
        let of_run = if seeds.is_empty() {
            run.clone()
        } else {
            run.join("seed-4")
        };
        wait_for(&of_run.join("history.csv"), &mut child);
        send("TERM", &child);
        let output = end(child);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(75), "{said}");
        let printed = said.split_once("continue with `").unwrap().1;
        let command = printed.split('`').next().unwrap();
        let resumed = Command::new("bash")
            .args(["-c", command])
            .env("PATH", &path)
            .output()
            .unwrap();
        assert!(resumed.status.success(), "{command}: {}", stderr(&resumed));
        assert!(stderr(&resumed).contains("continuing after"), "{command}");
        // A header and every epoch; on two devices nothing is the same to the bit.
        assert_eq!(history(&of_run).len(), 1 + 12, "{command}");
    }
}

#[test]
fn a_ctrl_c_after_a_signal_ends_the_program_at_once_and_nothing_else_does() {
    let root = TempDir::new().unwrap();
    // Weights that never come: whoever reads them waits.
    let weights = root.path().join("weights.safetensors");
    assert!(Command::new("mkfifo").arg(&weights).status().unwrap().success());
    let run = root.path().join("run");
    let mut child = start(&dataset(), &run, &["--init-from", weights.to_str().unwrap()]);
    wait_for(&run.join(".lock"), &mut child);
    for signal in ["USR1", "TERM", "TERM"] {
        send(signal, &child);
        sleep(Duration::from_millis(100));
        assert!(child.try_wait().unwrap().is_none(), "{signal} is noted only");
    }
    send("INT", &child);
    const SIGINT: i32 = 2;
    assert_eq!(end(child).status.signal(), Some(SIGINT));
}

#[test]
fn a_signal_before_training_leaves_nothing_to_continue() {
    let root = TempDir::new().unwrap();
    let index: Value = serde_json::from_slice(&fs::read(dataset().join("dataset.json")).unwrap()).unwrap();
    let directory = format!("cratedigger-{}", index["checksum"].as_str().unwrap());
    let copies = root.path().join("scratch").join(directory);
    fs::create_dir_all(&copies).unwrap();
    // As a process does that copies.
    let lock = File::create(copies.join(".lock")).unwrap();
    lock.lock().unwrap();
    let (run, scratch) = (root.path().join("run"), root.path().join("scratch"));
    let mut child = start(&dataset(), &run, &["--cache", "local", scratch.to_str().unwrap()]);
    wait_for(&copies.join("shards"), &mut child);
    send("USR1", &child);
    let output = end(child);
    assert_eq!(output.status.code(), Some(75), "{}", stderr(&output));
    assert!(stderr(&output).contains("before training began"), "{}", stderr(&output));
    assert_eq!(last_line(&output)["step"], Value::Null);
    drop(lock);
    fit(&run, &["--epochs", "1", "--cache", "local", scratch.to_str().unwrap()])
        .assert()
        .success();
}

#[test]
fn a_shard_that_is_cut_short_under_a_training_is_named() {
    let root = TempDir::new().unwrap();
    for (file, more) in [
        ("shards/waveform-00000.safetensors", &["--model", "cnn1d"][..]),
        (
            "shards/mel-00000.safetensors",
            &["--model", "cnn2d", "--augment", "none"],
        ),
    ] {
        let data = root.path().join(more[1]);
        copy_directory(&dataset(), &data).unwrap();
        let (shard, run) = (data.join(file), root.path().join(format!("run-{}", more[1])));
        let whole = fs::read(&shard).unwrap();
        let mut process = Program::Train.process(["fit", "--batch-size", "2", "--epochs", "100000", "--patience", "0"]);
        process.arg("--data").arg(&data).arg("--run").arg(&run).args(more);
        process.args(["--device", "cpu", "--json", "--checkpoint-every", "1"]);
        let mut child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&run.join("last.checkpoint"), &mut child);
        // In place, so that the running program's map loses its pages; a file renamed over it would not do that.
        File::options().write(true).open(&shard).unwrap().set_len(4096).unwrap();
        let output = end(child);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{file}: {:?}: {said}", output.status);
        let resume = format!(
            "continue with `train fit --run {} --resume --device cpu`",
            run.display()
        );
        for expected in [file, "it has 4096 bytes", "mount", resume.as_str()] {
            assert!(said.contains(expected), "{file}: {said}");
        }
        assert_eq!(last_line(&output)["ok"], false);
        fs::write(&shard, whole).unwrap();
        Program::Train
            .command(["fit", "--resume", "--epochs", "1", "--run"])
            .arg(&run)
            .assert()
            .success();
    }
}
