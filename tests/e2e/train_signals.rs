//! Training ended from outside: by signals, and by shards that are truncated while being read.

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

/// Starts the command of [`fit`].
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
fn run_stopped_by_a_signal_can_be_resumed() {
    let root = TempDir::new().unwrap();
    let uninterrupted = root.path().join("uninterrupted");
    fit(&uninterrupted, &["--epochs", "5"]).assert().success();
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
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(75), "{signal}: {message}");
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
        assert!(message.contains(&expected), "{message}");
        Program::Train
            .command(["fit", "--resume", "--run"])
            .arg(&run)
            .assert()
            .success();
        assert_eq!(weights(&run), weights(&uninterrupted), "{signal}");
        assert_eq!(history(&run), history(&uninterrupted), "{signal}");
    }
}

#[test]
fn command_printed_by_a_stopped_run_resumes_it() {
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
        let member = if seeds.is_empty() {
            run.clone()
        } else {
            run.join("seed-4")
        };
        wait_for(&member.join("history.csv"), &mut child);
        send("TERM", &child);
        let output = end(child);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(75), "{message}");
        let printed = message.split_once("continue with `").unwrap().1;
        let command = printed.split('`').next().unwrap();
        let resumed = Command::new("bash")
            .args(["-c", command])
            .env("PATH", &path)
            .output()
            .unwrap();
        assert!(resumed.status.success(), "{command}: {}", stderr(&resumed));
        assert!(stderr(&resumed).contains("continuing after"), "{command}");
        // A header and all epochs. Weights are not compared: they are not reproducible on two devices.
        assert_eq!(history(&member).len(), 1 + 12, "{command}");
    }
}

#[test]
fn only_ctrl_c_after_another_signal_ends_the_program_at_once() {
    let root = TempDir::new().unwrap();
    // Reading weights from a pipe blocks while its writer writes nothing.
    let (weights, opened) = (root.path().join("weights.safetensors"), root.path().join("opened"));
    assert!(Command::new("mkfifo").arg(&weights).status().unwrap().success());
    // Opening a pipe for writing waits for a reader.
    let mut writer = Command::new("bash")
        .args(["-c", "exec 3> \"$0\" && touch \"$1\" && exec sleep 300"])
        .args([&weights, &opened])
        .spawn()
        .unwrap();
    let mut child = start(
        &dataset(),
        &root.path().join("run"),
        &["--init-from", weights.to_str().unwrap()],
    );
    wait_for(&opened, &mut child);
    for signal in ["USR1", "TERM", "TERM"] {
        send(signal, &child);
        sleep(Duration::from_millis(100));
        assert!(child.try_wait().unwrap().is_none(), "{signal} must not end the program");
    }
    send("INT", &child);
    const SIGINT: i32 = 2;
    assert_eq!(end(child).status.signal(), Some(SIGINT));
    writer.kill().unwrap();
    writer.wait().unwrap();
}

#[test]
fn signal_before_training_leaves_no_run_to_resume() {
    let root = TempDir::new().unwrap();
    let index: Value = serde_json::from_slice(&fs::read(dataset().join("dataset.json")).unwrap()).unwrap();
    let directory = format!("cratedigger-{}", index["checksum"].as_str().unwrap());
    let copies = root.path().join("scratch").join(directory);
    fs::create_dir_all(&copies).unwrap();
    // Hold the lock like another process that copies shards.
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
fn shard_truncated_during_training_is_named_in_the_error() {
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
        let bytes = fs::read(&shard).unwrap();
        let mut process = Program::Train.process(["fit", "--batch-size", "2", "--epochs", "100000", "--patience", "0"]);
        process.arg("--data").arg(&data).arg("--run").arg(&run).args(more);
        process.args(["--device", "cpu", "--json", "--checkpoint-every", "1"]);
        let mut child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&run.join("last.checkpoint"), &mut child);
        // Truncate in place, so the running program loses mapped pages. Renaming a file over it would not do that.
        File::options().write(true).open(&shard).unwrap().set_len(4096).unwrap();
        let output = end(child);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{file}: {:?}: {message}", output.status);
        let resume = format!(
            "continue with `train fit --run {} --resume --device cpu`",
            run.display()
        );
        for expected in [file, "it has 4096 bytes", "mount", resume.as_str()] {
            assert!(message.contains(expected), "{file}: {message}");
        }
        assert_eq!(last_line(&output)["ok"], false);
        fs::write(&shard, bytes).unwrap();
        Program::Train
            .command(["fit", "--resume", "--epochs", "1", "--run"])
            .arg(&run)
            .assert()
            .success();
    }
}
