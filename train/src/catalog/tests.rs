use super::row::{Facts, Metric, Row, rows};
use super::state::State;
use super::{page, text};
use crate::models::{ModelKind, Monitor};
use crate::report::html::REPORT_FILE;
use crate::report::reported_metric::ReportedMetric;
use crate::report::{METRICS_FILE, RunMetrics};
use crate::run::directory::{CONFIG_FILE, RunDirectory};
use crate::run::ending::Ending;
use crate::run::history::testing::history;
use crate::run::history::{HISTORY_FILE, to_csv};
use crate::run::set::RunSet;
use crate::settings::RunConfig;
use crate::testing;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

fn config() -> RunConfig {
    RunConfig {
        split: "main".into(),
        epochs: 3,
        monitor: Monitor::Loss,
        classes: vec!["Folk".into(), "Rock".into()],
        ..testing::config(Path::new("data/fma"), ModelKind::Cnn2d)
    }
}

/// A run with these validation losses that has ended if there are three. It is locked until the result is dropped.
fn run(root: &Path, losses: &[f64]) -> RunDirectory {
    let run = RunDirectory::begin(root).unwrap();
    run.save_config(&config()).unwrap();
    run.write(HISTORY_FILE, &to_csv(&history(losses))).unwrap();
    let epochs = losses.len();
    let interval = ReportedMetric {
        metric: "top-1".into(),
        set: "test".into(),
        mean: 0.5,
        interval: Some([0.25, 0.75]),
        method: "bootstrap".into(),
        runs: 1,
        warnings: Vec::new(),
    };
    let metrics = RunMetrics {
        ended: (epochs == 3).then_some(Ending::AllEpochs { epochs }),
        intervals: if epochs == 3 { vec![interval] } else { Vec::new() },
        ..RunMetrics::new(&config(), Some(1))
    };
    run.write_json(METRICS_FILE, &metrics).unwrap();
    run
}

fn facts<'a>(rows: &'a [Row], root: &Path, name: &str) -> &'a Facts {
    let row = rows.iter().find(|row| row.path == root.join(name)).unwrap();
    row.facts.as_ref().unwrap()
}

#[test]
fn each_run_is_a_row_with_its_state_and_metrics() {
    let root = tempfile::tempdir().unwrap();
    let inside = |name: &str| root.path().join(name);
    let finished = run(&inside("a/finished"), &[3.0, 1.5, 2.0]);
    finished.write(REPORT_FILE, b"").unwrap();
    drop(run(&inside("stopped"), &[2.0]));
    let training = run(&inside("training"), &[2.0, 1.0]);
    for broken in ["broken", ".hidden"] {
        fs::create_dir(inside(broken)).unwrap();
        fs::write(inside(broken).join(CONFIG_FILE), "epochs = [").unwrap();
    }
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
    for file in [CONFIG_FILE, HISTORY_FILE, METRICS_FILE] {
        let file = fs::File::options()
            .write(true)
            .open(inside("stopped").join(file))
            .unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let found = rows(root.path()).unwrap();
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!(
        found.last().unwrap().path,
        inside("stopped"),
        "the last changed is first"
    );
    let val = |value| {
        Some(Metric {
            metric: "loss".into(),
            value,
            interval: None,
        })
    };
    let done = facts(&found, root.path(), "a/finished");
    assert_eq!((&done.state, &done.val), (&State::Finished { epochs: 3 }, &val(1.5)));
    assert_eq!(done.test.as_ref().unwrap().interval, Some([0.25, 0.75]));
    let stopped = facts(&found, root.path(), "stopped");
    assert_eq!(
        (&stopped.state, &stopped.test),
        (&State::Stopped { epoch: 1, epochs: 3 }, &None)
    );
    let state = State::Training { epoch: 3, epochs: 3 };
    assert_eq!(facts(&found, root.path(), "training").state, state);
    let text = text(&found, root.path(), None);
    for expected in [
        "a/finished",
        "top-1 0.500 [0.250, 0.750]",
        "1970-01-02 00:00",
        "training epoch 3 of 3",
        "broken/config.toml cannot be read",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let file = inside("index.html");
    let shown = page(&found, root.path(), &file);
    for expected in [
        "<a href=\"a/finished/report.html\">a/finished</a>",
        "http-equiv=\"refresh\" content=\"30\"",
        "0.250 to 0.750",
        "1 in training",
    ] {
        assert!(shown.contains(expected), "{expected}");
    }
    assert_eq!(shown.matches("report.html").count(), 1, "only pages that exist");
    drop(training);
    let found = rows(root.path()).unwrap();
    assert!(!page(&found, root.path(), &file).contains("refresh"));
}

#[test]
fn set_of_runs_is_one_row() {
    let root = tempfile::tempdir().unwrap();
    let set = RunSet {
        seeds: vec![0, 1],
        folds: Vec::new(),
        settings: config(),
    };
    let directory = RunDirectory::begin(root.path()).unwrap();
    set.save(&directory).unwrap();
    drop(run(&root.path().join("seed-0"), &[3.0, 1.5, 2.0]));
    let only = |expected: State| {
        let found = rows(root.path()).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        let facts = found.into_iter().next().unwrap().facts.unwrap();
        assert_eq!(facts.state, expected);
        facts
    };
    assert_eq!(only(State::TrainingRuns { finished: 1, runs: 2 }).test, None);
    drop(directory);
    only(State::StoppedRuns { finished: 1, runs: 2 });
    drop(run(&root.path().join("seed-1"), &[3.0, 1.0, 2.0]));
    let seeds = br#"{"test": {"tracks": 5, "intervals": [{"name": "top-1", "mean": 0.5, "interval": null}]}}"#;
    fs::write(root.path().join("seeds.json"), seeds).unwrap();
    let facts = only(State::FinishedRuns { runs: 2 });
    assert_eq!(facts.members.as_deref(), Some("seeds 0, 1"));
    assert_eq!((facts.val.unwrap().value, facts.test.unwrap().value), (1.25, 0.5));
}

#[test]
fn missing_directory_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    assert!(rows(root.path()).unwrap().is_empty());
    let error = rows(&root.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("none"), "{error}");
}
