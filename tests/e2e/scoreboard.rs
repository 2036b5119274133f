//! Runs with several seeds and their comparison: `train fit --seeds`, `eval` of a set of seeds, `report`.

use crate::papers;
use crate::train::{dataset, history, weights};
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Program, json_line, stderr_text, stdout_text};

/// The small data set with a grouped split `apart`, and a random split `mixed`, which has artists in several sets.
fn splits() -> PathBuf {
    static DATASET: LazyLock<BuiltDataset> = LazyLock::new(|| {
        let built = BuiltDataset::small().copy();
        for (strategy, name) in [("grouped", "apart"), ("random", "mixed")] {
            let split = format!("--strategy {strategy} --ratios 40,20,40 --name {name} --seed 3");
            built.split(&split).success();
        }
        built
    });
    DATASET.path()
}

/// Arguments of `train fit` with the fastest model.
fn arguments(data: &Path, run: &Path, more: &[&str]) -> Vec<String> {
    let words = [
        "fit",
        "--model",
        "mfcc-dense",
        "--batch-size",
        "2",
        "--device",
        "cpu",
        "--json",
    ];
    let paths = [
        "--data".into(),
        data.display().to_string(),
        "--run".into(),
        run.display().to_string(),
    ];
    let words = words.iter().chain(more).map(|&word| word.to_owned());
    words.chain(paths).collect()
}

fn fit(data: &Path, run: &Path, more: &[&str]) -> Value {
    json_line(&Program::Train.command(arguments(data, run, more)).assert().success())
}

fn resume(run: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Program::Train.command(["fit", "--resume", "--json", "--run"]);
    command.arg(run).args(more).assert()
}

fn eval(run: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Program::Train.command(["eval", "--device", "cpu", "--json", "--run"]);
    command.arg(run).args(more).assert()
}

fn report(runs: &[&Path], more: &[&str]) -> assert_cmd::assert::Assert {
    Program::Train
        .command(["report", "--json"])
        .args(runs)
        .args(more)
        .assert()
}

fn warning_codes(run: &Value) -> Vec<&str> {
    run["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| warning["code"].as_str().unwrap())
        .collect()
}

#[test]
fn interrupted_set_of_seeds_gives_the_same_runs_when_resumed() {
    let root = TempDir::new().unwrap();
    let data = dataset();
    let settings = ["--epochs", "40", "--patience", "0", "--seed", "4"];
    let uninterrupted = root.path().join("uninterrupted");
    let fitted = fit(&data, &uninterrupted, &[&settings[..], &["--seeds", "3"]].concat());
    let rows = fitted["val"]["runs"].as_array().unwrap();
    let labels: Vec<_> = rows.iter().map(|row| row["run"].as_str().unwrap()).collect();
    assert_eq!(labels, ["seed 4", "seed 5", "seed 6"]);
    let mean = rows.iter().map(|row| row["macro_f1"].as_f64().unwrap()).sum::<f64>() / 3.0;
    assert!((fitted["val"]["mean"]["macro_f1"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!(fitted["val"]["standard_deviation"]["loss"].as_f64().unwrap() > 0.0);
    assert_ne!(
        weights(&uninterrupted.join("seed-4")),
        weights(&uninterrupted.join("seed-5"))
    );
    let alone = root.path().join("alone");
    fit(&data, &alone, &["--epochs", "40", "--patience", "0", "--seed", "5"]);
    assert_eq!(weights(&uninterrupted.join("seed-5")), weights(&alone));
    // Killed during the first run and at the start of the second; stopped at the start of the third and during it.
    let interrupted = root.path().join("interrupted");
    let moments = [
        ("KILL", "epoch 5/40"),
        ("KILL", "seed 5"),
        ("TERM", "seed 6"),
        ("TERM", "epoch 20/40"),
    ];
    let mut stopped = 0;
    for (signal, moment) in moments {
        let arguments = if interrupted.join("runs.toml").exists() {
            ["fit", "--resume", "--json", "--run", interrupted.to_str().unwrap()]
                .map(String::from)
                .into()
        } else {
            arguments(&data, &interrupted, &[&settings[..], &["--seeds", "3"]].concat())
        };
        let mut process = Program::Train.process(arguments);
        let mut child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        while !log.lines().last().is_some_and(|line| line.starts_with(moment)) {
            assert!(lines.read_line(&mut log).unwrap() > 0, "{moment}: {log}");
        }
        let sent = std::process::Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        lines.read_to_string(&mut log).unwrap();
        let output = child.wait_with_output().unwrap();
        match (signal, output.status.code()) {
            ("KILL", None) => stopped += 1,
            ("TERM", Some(75)) => {
                stopped += 1;
                let expected = format!("continue with `train fit --run {} --resume", interrupted.display());
                assert!(
                    log.contains("stopped by SIGTERM at seed 6") && log.contains(&expected),
                    "{log}"
                );
                let line: Value = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(
                    (&line["kind"], &line["member"]),
                    (&Value::from("stopped"), &Value::from("seed 6"))
                );
                assert_eq!(line["run"], interrupted.to_str().unwrap());
            }
            // The program ended before the signal.
            (_, Some(0)) => {}
            (signal, code) => panic!("{signal}: {code:?}: {log}"),
        }
    }
    assert!(stopped >= 2, "{stopped}");
    let resumed = json_line(&resume(&interrupted, &[]).success());
    assert_eq!(resumed["val"], fitted["val"]);
    for seed in 4..=6 {
        let [uninterrupted, interrupted] = [&uninterrupted, &interrupted].map(|set| set.join(format!("seed-{seed}")));
        assert_eq!(weights(&interrupted), weights(&uninterrupted), "seed {seed}");
        assert_eq!(history(&interrupted), history(&uninterrupted), "seed {seed}");
    }
    // It can be resumed with more epochs and more seeds.
    eval(&interrupted, &[]).success();
    assert!(interrupted.join("seeds.json").exists());
    let more = json_line(&resume(&interrupted, &["--seeds", "4", "--epochs", "41"]).success());
    assert_eq!(more["val"]["runs"].as_array().unwrap().len(), 4);
    assert_eq!(history(&interrupted.join("seed-7")).len(), 42);
    assert_eq!(history(&interrupted.join("seed-4")).len(), 42);
    assert!(
        !interrupted.join("seeds.json").exists(),
        "seeds.json of three seeds must be deleted"
    );
}

#[test]
fn set_of_seeds_and_single_run_are_not_confused() {
    let root = TempDir::new().unwrap();
    let data = dataset();
    let (run, set) = (root.path().join("run"), root.path().join("set"));
    fit(&data, &run, &["--epochs", "1"]);
    fit(&data, &set, &["--epochs", "1", "--seeds", "2"]);
    let begin = |run: &Path, more: &[&str]| {
        let mut all = vec!["--epochs", "1"];
        all.extend(more);
        Program::Train.command(arguments(&data, run, &all)).assert()
    };
    let elsewhere = root.path().join("elsewhere");
    for (refused, code, expected) in [
        (
            begin(&run, &["--seeds", "2"]),
            1,
            "holds a single run, not a set of runs",
        ),
        (
            resume(&run, &["--seeds", "2"]),
            1,
            "holds a single run, not a set of runs",
        ),
        (resume(&elsewhere, &["--seeds", "2"]), 1, "does not hold a set of runs"),
        (begin(&set, &[]), 1, "already holds a set of runs (seeds 0, 1)"),
        (begin(&set, &["--seeds", "2"]), 1, "continue it with --resume"),
        (resume(&set, &["--lr", "0.5"]), 1, "--lr"),
        (resume(&set, &["--seed", "9"]), 1, "--seed"),
        (begin(&elsewhere, &["--seeds", "1"]), 2, "--seeds"),
        (
            begin(&elsewhere, &["--seeds", "3", "--seed", "9223372036854775806"]),
            2,
            "--seed",
        ),
    ] {
        let refused = refused.code(code);
        assert!(
            stderr_text(&refused).contains(expected),
            "{expected}: {}",
            stderr_text(&refused)
        );
    }
    assert!(!elsewhere.exists());
    let three = resume(&set, &["--seeds", "3"]).success();
    assert_eq!(json_line(&three)["val"]["runs"].as_array().unwrap().len(), 3);
    resume(&set, &["--seeds", "2"])
        .code(1)
        .stderr(contains("already has 3 seeds"));
    let embeddings = root.path().join("embeddings.safetensors");
    let mut command = Program::Train.command(["embed", "--run"]);
    command
        .arg(&set)
        .arg("--out")
        .arg(embeddings)
        .assert()
        .code(1)
        .stderr(contains("give one of the directories in it"));
    // A seed without weights.
    fs::remove_file(set.join("seed-2/best.safetensors")).unwrap();
    eval(&set, &[]).code(1).stderr(contains("seed 2 of"));
    // A seed without its directory.
    fs::remove_dir_all(set.join("seed-1")).unwrap();
    let refused = report(&[&set], &[]).code(1);
    let expected = format!("seed 1 of {} has no finished epoch yet", set.display());
    assert!(stderr_text(&refused).contains(&expected), "{}", stderr_text(&refused));
}

#[test]
fn runs_are_compared_with_intervals_warnings_and_a_paired_test() {
    let root = TempDir::new().unwrap();
    let data = splits();
    let run = |name: &str| root.path().join(name);
    let (short, long, set, mixed) = (run("short"), run("long"), run("set"), run("mixed"));
    fit(&data, &short, &["--split", "apart", "--epochs", "1"]);
    fit(&data, &long, &["--split", "apart", "--epochs", "20", "--patience", "0"]);
    fit(&data, &set, &["--split", "apart", "--epochs", "3", "--seeds", "2"]);
    fit(&data, &mixed, &["--split", "mixed", "--epochs", "3"]);
    let before = report(&[&short, &long], &[]).success();
    let line = json_line(&before);
    let advice = format!("train eval --run {}", short.display());
    assert!(line["notes"][0].as_str().unwrap().contains(&advice), "{line}");
    assert_eq!(line["runs"][0]["set"], "val");
    assert!(warning_codes(&line["runs"][0]).contains(&"chosen_on"), "{line}");
    eval(&short, &[]).success();
    // One run has no test metrics, so both runs and the page use the validation set.
    let line = json_line(&report(&[&short, &long], &[]).success());
    assert_eq!(
        (&line["runs"][0]["set"], &line["runs"][1]["set"]),
        (&"val".into(), &"val".into())
    );
    assert!(line["comparisons"][0]["differences"].is_array(), "{line}");
    let page_file = root.path().join("validation.html");
    for run in [&long, &mixed] {
        eval(run, &[]).success();
    }
    let to_page = ["--set", "val", "--html", page_file.to_str().unwrap()];
    report(&[&short, &long], &to_page).success();
    let page = fs::read_to_string(&page_file).unwrap();
    assert!(page.contains("Metrics on the validation set") && page.contains("tracks of the validation set"));
    let evaluated = json_line(&eval(&set, &[]).success());
    let file: Value = serde_json::from_slice(&fs::read(set.join("seeds.json")).unwrap()).unwrap();
    assert_eq!(file["test"], evaluated["metrics"]);
    assert_eq!(file["test"]["runs"].as_array().unwrap().len(), 2);
    eval(&set, &["--set", "val"]).success();
    let file: Value = serde_json::from_slice(&fs::read(set.join("seeds.json")).unwrap()).unwrap();
    assert!(file["test"].is_object() && file["val"].is_object());

    let csv = root.path().join("board.csv");
    let shown = report(&[&short, &long, &set, &mixed], &["--csv", csv.to_str().unwrap()]).success();
    let text = stdout_text(&shown);
    let line = json_line(&shown);
    let runs = line["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 4);
    for run in runs {
        let path = Path::new(run["run"].as_str().unwrap());
        let metrics =
            |path: &Path| -> Value { serde_json::from_slice(&fs::read(path.join("metrics.json")).unwrap()).unwrap() };
        let top1 = run["metrics"][0]["mean"].as_f64().unwrap();
        let expected = match run["seeds"].as_array() {
            None => metrics(path)["test"]["top1"].as_f64().unwrap(),
            Some(seeds) => {
                let seed_top1 = |seed: &Value| {
                    metrics(&path.join(format!("seed-{seed}")))["test"]["top1"]
                        .as_f64()
                        .unwrap()
                };
                seeds.iter().map(seed_top1).sum::<f64>() / seeds.len() as f64
            }
        };
        assert!((top1 - expected).abs() < 1e-9, "{run}");
        let interval: Vec<_> = run["metrics"][0]["interval"]
            .as_array()
            .unwrap()
            .iter()
            .map(|end| end.as_f64().unwrap())
            .collect();
        assert!(interval[0] <= top1 && top1 <= interval[1], "{run}");
        let expected = ["few_tracks", "all_alike"];
        assert!(warning_codes(run).iter().any(|code| expected.contains(code)), "{run}");
    }
    // Only the random split has artists in several sets, which is reported.
    assert_eq!(runs[0]["how_split"]["strategy"], "grouped");
    assert_eq!(
        (&runs[0]["leaked"], &runs[3]["leaked"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    assert!(warning_codes(&runs[3]).contains(&"artist_overlap"), "{}", runs[3]);
    assert!(warning_codes(&runs[2]).contains(&"few_seeds"), "{}", runs[2]);
    assert!(text.contains("!! leaked: ") && text.contains("(random; "), "{text}");

    let versus = line["comparisons"].as_array().unwrap();
    assert_eq!(versus.len(), 3);
    let p = versus[0]["differences"][0]["p"].as_f64().unwrap();
    assert!(p > 0.0 && p <= 1.0);
    assert_eq!(versus[0]["metrics"][0], "top-1");
    assert!(
        versus[0]["test"]
            .as_str()
            .unwrap()
            .starts_with("paired bootstrap over ")
    );
    let reason = versus[1]["not_compared"].as_str().unwrap();
    assert!(reason.contains("has a single seed"), "{reason}");
    let reason = versus[2]["not_compared"].as_str().unwrap();
    assert!(reason.contains("different tracks") && text.contains(reason), "{text}");
    assert_eq!(
        text.matches("runs on the test set is partly lucky").count(),
        2,
        "{text}"
    );
    let rows = fs::read_to_string(&csv).unwrap();
    assert_eq!(rows.lines().count(), 1 + 2 * 4, "{rows}");
    // The pages of all runs are rewritten, with intervals and warnings.
    assert_eq!(line["pages"].as_array().unwrap().len(), 5);
    let page = fs::read_to_string(mixed.join("report.html")).unwrap();
    assert!(page.contains("Bootstrap intervals") && page.contains("Leaked: "));
    let again = report(&[&short, &long, &set, &mixed], &[]).success();
    assert_eq!(json_line(&again), line, "a second report must give the same result");
    // A page that cannot be written is an error, but the table and the other pages are still written.
    fs::remove_file(short.join("report.html")).unwrap();
    fs::remove_file(long.join("report.html")).unwrap();
    fs::create_dir(short.join("report.html")).unwrap();
    let failed = report(&[&short, &long], &["--quiet"]).code(1);
    let stderr = stderr_text(&failed);
    assert!(
        stderr.contains("could not make the report") && stderr.contains("report.html"),
        "{stderr}"
    );
    assert_eq!(
        json_line(&failed)["pages"],
        serde_json::json!([long.join("report.html")])
    );
    fs::remove_dir(short.join("report.html")).unwrap();
    let together = root.path().join("together.html");
    let line = json_line(&report(&[&short, &set], &["--html", together.to_str().unwrap()]).success());
    assert_eq!(line["pages"], serde_json::json!([together]));
    let page = fs::read_to_string(&together).unwrap();
    assert!(
        page.contains("2 runs compared on ") && page.contains("seeds "),
        "{page}"
    );
    // A set of seeds compared with itself.
    let same = json_line(&report(&[&set, &set], &[]).success());
    let test = same["comparisons"][0]["test"].as_str().unwrap();
    assert!(test.starts_with("paired bootstrap over seeds and "), "{test}");

    // A run compared with itself.
    let same = json_line(&report(&[&long, &long], &[]).success());
    assert_eq!(same["comparisons"][0]["differences"][0]["p"], 1.0);
    assert_eq!(same["comparisons"][0]["differences"][0]["difference"], 0.0);

    // Evaluating the test set again after another epoch is recorded and gives a warning.
    resume(&short, &["--epochs", "12", "--patience", "0"]).success();
    eval(&short, &[]).success();
    let evaluations = fs::read_to_string(short.join("evaluations.csv")).unwrap();
    assert_eq!(evaluations.lines().count(), 3, "{evaluations}");
    let line = json_line(&report(&[&short], &[]).success());
    assert!(warning_codes(&line["runs"][0]).contains(&"tested_repeatedly"), "{line}");

    // Changed and missing predictions.
    let table = long.join("predictions.csv");
    let changed = fs::read_to_string(long.join("predictions-val.csv")).unwrap();
    fs::write(&table, changed).unwrap();
    report(&[&short, &long], &[])
        .code(1)
        .stderr(contains("does not give the metrics of metrics.json"));
    fs::remove_file(&table).unwrap();
    report(&[&short, &long], &[])
        .code(1)
        .stderr(contains("predictions.csv is missing; evaluate again"));
    report(&[&root.path().join("none")], &[])
        .code(1)
        .stderr(contains("holds no run"));
}

#[test]
fn multi_label_runs_are_compared_by_auc() {
    let root = TempDir::new().unwrap();
    let data = papers::tagged().path();
    let runs = ["1", "15"].map(|epochs| {
        let run = root.path().join(epochs);
        papers::fit(&data, "mfcc-dense", &run, &["--epochs", epochs, "--patience", "0"])
            .assert()
            .success();
        eval(&run, &[]).success();
        run
    });
    let line = json_line(&report(&[&runs[0], &runs[1]], &[]).success());
    for (shown, run) in line["runs"].as_array().unwrap().iter().zip(&runs) {
        let metrics: Value = serde_json::from_slice(&fs::read(run.join("metrics.json")).unwrap()).unwrap();
        for (at, name, key) in [(0, "mean AUC-ROC", "auc_roc"), (1, "mean AUC-PR", "auc_pr")] {
            let metric = &shown["metrics"][at];
            assert_eq!(metric["name"], name);
            let (mean, expected) = (metric["mean"].as_f64().unwrap(), metrics["test"][key].as_f64().unwrap());
            assert!((mean - expected).abs() < 1e-9, "{name}: {mean}, not {expected}");
        }
    }
    let mean = |run: usize| line["runs"][run]["metrics"][0]["mean"].as_f64().unwrap();
    let difference = &line["comparisons"][0]["differences"][0];
    let expected = mean(1) - mean(0);
    assert!(
        (difference["difference"].as_f64().unwrap() - expected).abs() < 1e-12,
        "{difference}"
    );
    // Some bootstrap samples of so few tracks have no AUC.
    assert_eq!(
        (&difference["interval"], &difference["p"]),
        (&Value::Null, &Value::Null)
    );
}
