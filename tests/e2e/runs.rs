//! `train runs`: the runs below a directory, as text, JSON and a page.

use crate::papers::{fit, genres};
use predicates::str::contains;
use std::fs;
use tempfile::TempDir;
use tests::harness::{Program, json_line, stdout_text};

#[test]
fn runs_are_listed_with_their_results_and_linked() {
    let root = TempDir::new().unwrap();
    let runs = root.path().join("runs");
    let single = runs.join("single run");
    fit(&genres().path(), "mfcc-dense", &single, &[]).assert().success();
    fit(
        &genres().path(),
        "mfcc-dense",
        &runs.join("later/seeds"),
        &["--seeds", "2"],
    )
    .assert()
    .success();
    let mut eval = Program::Train.command(["eval", "--device", "cpu", "--json", "--run"]);
    let evaluated = json_line(&eval.arg(&single).assert().success());
    fs::create_dir(runs.join("broken")).unwrap();
    fs::write(runs.join("broken/config.toml"), "model = 3").unwrap();
    let page = runs.join("index.html");
    let list = || {
        let mut command = Program::Train.command(["runs", "--json", "--html"]);
        command.arg(&page).arg(&runs).assert().success()
    };
    let printed = list();
    let text = stdout_text(&printed);
    assert!(text.contains("broken/config.toml cannot be read"), "{text}");
    let answer = json_line(&printed);
    let row = |name: &str| {
        let path = runs.join(name).display().to_string();
        let rows = answer["runs"].as_array().unwrap();
        rows.iter().find(|row| row["run"] == path.as_str()).unwrap().clone()
    };
    assert_eq!(answer["runs"].as_array().unwrap().len(), 3, "{answer}");
    let done = row("single run");
    assert_eq!((&done["state"], &done["epochs"]), (&"finished".into(), &1.into()));
    let (found, expected) = (
        done["test"]["value"].as_f64().unwrap(),
        evaluated["metrics"]["top1"].as_f64().unwrap(),
    );
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    assert_eq!(
        row("later/seeds")["state"],
        "finished_runs",
        "a set of runs is one row: {answer}"
    );
    assert_eq!(row("broken")["state"], "unreadable");
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("<a href=\"single%20run/report.html\">single run</a>"));
    assert!(!html.contains("http-equiv=\"refresh\""), "no run is in training");
    Program::Train
        .command(["runs"])
        .arg(runs.join("none"))
        .assert()
        .code(1)
        .stderr(contains("none"));
}
