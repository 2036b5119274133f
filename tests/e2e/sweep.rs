//! `train sweep`: grid and random search, successive halving, failures and interruptions, with a small and fast model.

use crate::papers::genres;
use crate::train::weights;
use predicates::str::contains;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use tempfile::TempDir;
use tests::harness::{Program, end, json_line, send, stderr, stderr_text, stdout_text, wait_for};

const SETTINGS: &str = "--model mfcc-dense --batch-size 4 --seed 4 --patience 0 --monitor loss";

/// `train sweep` on the CPU.
fn sweep(directory: &Path, more: &[&str]) -> assert_cmd::Command {
    let mut command = Program::Train.command(["sweep", "--device", "cpu", "--json", "--data"]);
    command.arg(genres().path()).arg("--sweep").arg(directory);
    command.args(SETTINGS.split(' ')).args(more);
    command
}

fn start(directory: &Path, more: &[&str]) -> Child {
    let mut command = Program::Train.process(["sweep", "--device", "cpu", "--json", "--data"]);
    command.arg(genres().path()).arg("--sweep").arg(directory);
    command.args(SETTINGS.split(' ')).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn resume(directory: &Path) -> assert_cmd::Command {
    let mut command = Program::Train.command(["sweep", "--device", "cpu", "--json", "--resume", "--sweep"]);
    command.arg(directory);
    command
}

/// Rows of sweep.csv without the column of times: cells by column name.
fn table(directory: &Path) -> Vec<BTreeMap<String, String>> {
    let rows = csv::Reader::from_path(directory.join("sweep.csv"))
        .unwrap()
        .into_deserialize();
    let mut rows: Vec<BTreeMap<String, String>> = rows.collect::<Result<_, _>>().unwrap();
    rows.iter_mut().for_each(|row| drop(row.remove("seconds")));
    rows
}

fn column(directory: &Path, name: &str) -> Vec<String> {
    table(directory).iter().map(|row| row[name].clone()).collect()
}

/// Checksum of the weights of a separate `train fit`.
fn fitted(root: &Path, more: &[&str]) -> String {
    let run = root.join("fit");
    let mut command = Program::Train.command(["fit", "--device", "cpu", "--data"]);
    command.arg(genres().path()).arg("--run").arg(&run);
    command.args(SETTINGS.split(' ')).args(more).assert().success();
    weights(&run)
}

const GRID: [&str; 4] = ["--grid", "weight_decay=0.0,0.01", "--grid", "dropout=0.1,0.5"];

#[test]
fn grid_trials_are_ranked_and_plotted_without_the_test_set() {
    let root = TempDir::new().unwrap();
    let directory = root.path().join("sweep");
    let arguments = [&GRID[..], &["--epochs", "2", "--jobs-per-device", "2"]].concat();
    let done = sweep(&directory, &arguments).assert().success();
    let line = json_line(&done);
    assert_eq!(
        (&line["trials"], &line["finished"], &line["failed"]),
        (&4.into(), &4.into(), &0.into())
    );
    let losses: Vec<f64> = column(&directory, "val_loss")
        .iter()
        .map(|loss| loss.parse().unwrap())
        .collect();
    let best = line["best"]["trial"].as_u64().unwrap() as usize;
    assert!(losses.iter().all(|&loss| loss >= losses[best]), "{losses:?} {best}");
    assert_eq!(line["table"][0]["trial"], best);
    assert_eq!(column(&directory, "weight_decay"), ["0", "0", "0.01", "0.01"]);
    assert_eq!(column(&directory, "dropout"), ["0.1", "0.5", "0.1", "0.5"]);
    let printed = stdout_text(&done);
    let first = printed.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(first, best.to_string(), "{printed}");
    assert!(printed.contains(&format!(
        "train eval --run {}",
        directory.join("trials").join(format!("{best:04}")).display()
    )));
    let picture = fs::read_to_string(directory.join("heat_map.svg")).unwrap();
    for loss in &losses {
        assert!(picture.contains(&format!("{loss:.3}")), "{loss}");
    }
    // A trial gives the same weights as `fit` with its settings, even with other trials running.
    let alone = fitted(
        root.path(),
        &["--epochs", "2", "--weight-decay", "0.01", "--dropout", "0.5"],
    );
    let run = directory.join("trials/0003");
    assert_eq!(weights(&run), alone);
    let metrics: Value = serde_json::from_slice(&fs::read(run.join("metrics.json")).unwrap()).unwrap();
    assert!(
        metrics["val"]["loss"].is_number() && metrics.get("test").is_none(),
        "{metrics}"
    );
    // Finished trials are not run again.
    let log_before = fs::read(directory.join("trials/0003.log")).unwrap();
    let table_before = fs::read(directory.join("sweep.csv")).unwrap();
    for command in [&mut sweep(&directory, &arguments), &mut resume(&directory)] {
        assert_eq!(json_line(&command.assert().success())["best"], line["best"]);
    }
    assert_eq!(fs::read(directory.join("sweep.csv")).unwrap(), table_before);
    assert_eq!(fs::read(directory.join("trials/0003.log")).unwrap(), log_before);
    check_changed_settings_are_refused(&directory);
}

fn check_changed_settings_are_refused(directory: &Path) {
    let root = directory.display();
    for (more, expected) in [
        (
            ["--grid", "dropout=0.1,0.2"],
            "--grid was weight_decay=0.0,0.01 dropout=0.1,0.5 and is dropout=0.1,0.2 now",
        ),
        (["--lr", "0.5"], "lr was not given and is 0.5 now"),
        (["--epochs", "3"], "epochs was 2 and is 3 now"),
        (["--halving", "2"], "--halving was not given and is 2 now"),
    ] {
        let refused = resume(directory).args(more).assert().code(1);
        let expected = format!("the sweep in {root} was started with other settings: {expected}");
        assert!(stderr_text(&refused).contains(&expected), "{}", stderr_text(&refused));
    }
}

#[test]
fn best_trial_of_halving_has_the_weights_of_a_separate_fit() {
    let root = TempDir::new().unwrap();
    let directory = root.path().join("sweep");
    let rates = ["0.01", "0.003", "0.0001", "0.00001"];
    let grid = format!("lr={}", rates.join(","));
    let done = sweep(&directory, &["--grid", &grid, "--halving", "2", "--epochs", "8"])
        .assert()
        .success();
    let line = json_line(&done);
    assert_eq!((&line["finished"], &line["dropped"]), (&1.into(), &3.into()));
    let mut epochs: Vec<usize> = column(&directory, "epochs_trained")
        .iter()
        .map(|epochs| epochs.parse().unwrap())
        .collect();
    let best = line["best"]["trial"].as_u64().unwrap() as usize;
    assert_eq!(
        (epochs[best], table(&directory)[best]["state"].as_str()),
        (8, "finished")
    );
    epochs.sort_unstable();
    assert_eq!(epochs, [2, 2, 4, 8]);
    let alone = fitted(root.path(), &["--epochs", "8", "--lr", rates[best]]);
    assert_eq!(weights(&directory.join(format!("trials/{best:04}"))), alone);
}

#[test]
fn stopped_or_killed_sweep_ends_with_the_same_table_when_resumed() {
    let root = TempDir::new().unwrap();
    let arguments = [
        &GRID[..],
        &["--epochs", "16", "--halving", "2", "--jobs-per-device", "2"],
    ]
    .concat();
    let uninterrupted = root.path().join("uninterrupted");
    sweep(&uninterrupted, &arguments).assert().success();

    let stopped = root.path().join("stopped");
    let mut child = start(&stopped, &arguments);
    wait_for(&stopped.join("trials/0001/config.toml"), &mut child);
    send("TERM", &child);
    let output = end(child);
    let errors = stderr(&output);
    assert_eq!(output.status.code(), Some(75), "{errors}");
    let expected = format!(
        "continue with `train sweep --sweep {} --resume --devices cpu --jobs-per-device 2`",
        stopped.display()
    );
    assert!(
        errors.contains("stopped by SIGTERM") && errors.contains(&expected),
        "{errors}"
    );
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let line: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&line["kind"], &line["trials"]), (&"stopped".into(), &4.into()));
    assert!(line["done"].as_u64().unwrap() < 4, "{line}");

    let killed = root.path().join("killed");
    for run in [
        "trials/0000/config.toml",
        "trials/0002/config.toml",
        "trials/0003/history.csv",
    ] {
        let mut child = start(&killed, &arguments);
        wait_for(&killed.join(run), &mut child);
        child.kill().unwrap();
        end(child);
    }
    for directory in [&stopped, &killed] {
        resume(directory).assert().success();
        assert_eq!(table(directory), table(&uninterrupted));
        let best = json_line(&resume(&uninterrupted).assert().success())["best"]["trial"]
            .as_u64()
            .unwrap();
        let run = format!("trials/{best:04}");
        assert_eq!(weights(&directory.join(&run)), weights(&uninterrupted.join(&run)));
    }
}

#[test]
fn sweep_fails_only_if_all_trials_fail() {
    let root = TempDir::new().unwrap();
    let directory = root.path().join("sweep");
    let done = sweep(&directory, &["--grid", "lr=1e30,0.001", "--epochs", "2"])
        .assert()
        .success();
    let line = json_line(&done);
    assert_eq!((&line["failed"], &line["best"]["trial"]), (&1.into(), &1.into()));
    let rows = table(&directory);
    assert_eq!(
        (rows[0]["state"].as_str(), rows[0]["val_loss"].as_str()),
        ("failed", "")
    );
    assert!(rows[0]["reason"].contains("not finite"), "{}", rows[0]["reason"]);
    assert!(
        stderr_text(&done).contains("trial 0 (lr = 1e30): failed: "),
        "{}",
        stderr_text(&done)
    );

    // A trial that was killed may succeed when retried.
    let broken = directory.join("trials/0001.json");
    fs::write(&broken, r#"{ "rungs": [], "failure": "killed by SIGKILL" }"#).unwrap();
    let failed = resume(&directory).assert().code(1);
    assert!(
        stderr_text(&failed).contains("2 of 2 failed"),
        "{}",
        stderr_text(&failed)
    );
    assert_eq!(json_line(&failed)["ok"], false);
    let again = resume(&directory).arg("--retry-failed").assert().success();
    assert_eq!(json_line(&again)["best"], line["best"]);
    assert_eq!(table(&directory), rows);
}

#[test]
fn random_search_can_be_extended_but_not_reduced() {
    let root = TempDir::new().unwrap();
    let directory = root.path().join("sweep");
    let drawn = [
        "--range",
        "lr=1e-4..1e-1:log",
        "--range",
        "dropout=0..0.6",
        "--epochs",
        "1",
    ];
    sweep(&directory, &[&drawn[..], &["--random", "2"]].concat())
        .assert()
        .success();
    let two = table(&directory);
    // Another process works on the sweep. It would write tables without the new trial.
    let other = fs::File::open(directory.join(".workers")).unwrap();
    other.lock_shared().unwrap();
    let busy = resume(&directory).args(["--random", "3"]).assert().code(1);
    busy.stderr(contains("another `train` is working on"));
    drop(other);
    resume(&directory).args(["--random", "3"]).assert().success();
    let three = table(&directory);
    assert_eq!((&three[..2], three.len()), (&two[..], 3));
    assert!(
        fs::read_to_string(directory.join("heat_map.svg"))
            .unwrap()
            .contains("best trial")
    );
    resume(&directory)
        .args(["--random", "2"])
        .assert()
        .code(1)
        .stderr(contains("--random was 3 and is 2 now"));
}

#[test]
fn invalid_sweep_settings_are_refused_before_writing() {
    let root = TempDir::new().unwrap();
    let directory = root.path().join("sweep");
    for (more, expected) in [
        (&[][..], "--grid NAME=V1,V2"),
        (&["--grid", "drop_out=0.1"], "unknown field `drop_out`"),
        (
            &["--grid", "dropout=0.1,1.5"],
            "trial 1 (dropout = 1.5): --dropout must be",
        ),
        (&["--grid", "dropout=much"], "dropout cannot be much"),
        (&["--grid", "lr=0.1", "--lr", "0.2"], "lr is given twice"),
        (
            &["--grid", "lr=0.1,0.2", "--halving", "3"],
            "--halving 3 needs at least 3 trials",
        ),
        (&["--grid", "data=a,b"], "data cannot be varied"),
        (&["--random", "3"], "need"),
        (&["--range", "lr=1..0"], "empty"),
    ] {
        let refused = sweep(&directory, more).assert().code(2);
        assert!(
            stderr_text(&refused).contains(expected),
            "{more:?}: {}",
            stderr_text(&refused)
        );
    }
    resume(&directory)
        .assert()
        .code(1)
        .stderr(contains("does not hold a sweep"));
    assert!(!directory.exists());
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("config.toml"), "").unwrap();
    sweep(&directory, &GRID)
        .assert()
        .code(1)
        .stderr(contains("holds a run"));
}

/// Lines of the results of trials on stderr.
fn results(errors: &str) -> usize {
    let is_result = |line: &&str| line.starts_with("trial ") && line.contains("): validation loss");
    errors.lines().filter(is_result).count()
}

#[test]
fn processes_that_share_a_sweep_train_each_trial_once() {
    let root = TempDir::new().unwrap();
    let arguments = [&GRID[..], &["--epochs", "8", "--halving", "2"]].concat();
    let (alone, shared) = (root.path().join("alone"), root.path().join("shared"));
    sweep(&alone, &arguments).assert().success();
    // They start the sweep at the same time.
    let children = [1, 2, 3].map(|_| start(&shared, &arguments));
    let outputs = children.map(end);
    let errors = outputs.each_ref().map(stderr);
    for (output, errors) in outputs.iter().zip(&errors) {
        assert_eq!(output.status.code(), Some(0), "{errors}");
    }
    assert_eq!(table(&shared), table(&alone));
    for trial in ["trials/0000", "trials/0001", "trials/0002", "trials/0003"] {
        assert_eq!(weights(&shared.join(trial)), weights(&alone.join(trial)));
    }
    // Four trials, then the best two, then the best one.
    let counts = errors.each_ref().map(|errors| results(errors));
    assert_eq!(counts.iter().sum::<usize>(), 7, "{errors:?}");
}

#[test]
fn trial_of_a_killed_process_is_continued_by_another() {
    let root = TempDir::new().unwrap();
    let arguments = [&GRID[..], &["--epochs", "16", "--halving", "2"]].concat();
    let (alone, shared) = (root.path().join("alone"), root.path().join("shared"));
    sweep(&alone, &arguments).assert().success();
    let mut killed = start(&shared, &arguments);
    wait_for(&shared.join("trials/0000/config.toml"), &mut killed);
    let other = start(&shared, &arguments);
    killed.kill().unwrap();
    end(killed);
    let output = end(other);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(table(&shared), table(&alone));
}

#[test]
fn process_without_a_free_trial_ends() {
    let root = TempDir::new().unwrap();
    let directory = root.path().join("sweep");
    let arguments = ["--grid", "dropout=0.1,0.5", "--epochs", "1"];
    sweep(&directory, &arguments).assert().success();
    // As if both were still being trained.
    let claims = ["0000", "0001"].map(|trial| {
        fs::remove_file(directory.join(format!("trials/{trial}.json"))).unwrap();
        let claim = fs::File::create(directory.join(format!("trials/.{trial}.lock"))).unwrap();
        claim.lock().unwrap();
        claim
    });
    let ended = resume(&directory).assert().success();
    let line = json_line(&ended);
    assert_eq!((&line["due"], &line["best"]), (&2.into(), &Value::Null));
    assert!(
        stdout_text(&ended).contains("2 of 2 trials are still being trained by other `train` processes"),
        "{}",
        stdout_text(&ended)
    );
    drop(claims);
    assert_eq!(json_line(&resume(&directory).assert().success())["finished"], 2);
}
