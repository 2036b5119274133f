//! k-fold cross-validation: `preprocess split --folds`, `train fit --folds`, and `eval` and `report` of the folds.

use predicates::str::contains;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Program, json_file, json_line, stderr_text, stdout_text};

fn fit(data: &Path, run: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
    let words = "fit --model mfcc-dense --epochs 3 --device cpu --json";
    let mut command = Program::Train.command(words.split(' '));
    command
        .args(more)
        .arg("--data")
        .arg(data)
        .arg("--run")
        .arg(run)
        .assert()
}

fn on_run(command: &str, run: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
    let mut train = Program::Train.command([command, "--device", "cpu", "--json", "--run"]);
    train.arg(run).args(more).assert()
}

#[test]
fn folds_evaluate_every_track_once_by_a_model_not_trained_on_it() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("folds");
    let built = BuiltDataset::small().copy();
    let data = built.path();
    built.split("--folds 3 --name three").success();
    let answer = json_line(&fit(&data, &run, &["--folds", "3", "--split", "three"]).success());
    let all: BTreeSet<String> = built
        .table("tracks.csv")
        .iter()
        .map(|row| row["track_id"].clone())
        .collect();
    assert_eq!(answer["metrics"]["tracks"], all.len());
    let mut reader = csv::Reader::from_path(run.join("predictions.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.iter().map(|row| row[0].to_owned()).collect::<BTreeSet<_>>(), all);
    assert_eq!(rows.len(), all.len());
    // Every track is predicted by the run that has it in its test set.
    let mut rows_of_folds = Vec::new();
    for number in 1..=3 {
        let fold = run.join(format!("seed-0-fold-{number}"));
        let table = fs::read_to_string(fold.join("predictions.csv")).unwrap();
        rows_of_folds.extend(table.lines().skip(1).map(String::from));
        let test = fs::read_to_string(fold.join("split/test.csv")).unwrap();
        assert_eq!(table.lines().count(), test.lines().count());
    }
    let table = fs::read_to_string(run.join("predictions.csv")).unwrap();
    assert_eq!(
        table.lines().skip(1).map(String::from).collect::<Vec<_>>(),
        rows_of_folds
    );
    let right = rows.iter().filter(|row| row[1] == row[2]).count() as f64 / rows.len() as f64;
    let metrics = json_file(&run.join("metrics.json"));
    assert!((metrics["test"]["top1"].as_f64().unwrap() - right).abs() < 1e-12);
    let intervals = answer["metrics"]["intervals"].as_array().unwrap();
    assert!((intervals[0]["mean"].as_f64().unwrap() - right).abs() < 1e-12);
    assert!(intervals[0]["interval"].is_array(), "{answer}");
    assert_eq!(json_file(&run.join("folds.json"))["test"], answer["metrics"]);
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("3 folds") && page.contains("split <b>three</b>"));

    // The run does not depend on the current splits of the data set.
    built.split("--name other").success();
    built.split("--prune").success();
    let again = json_line(&on_run("eval", &run, &[]).success());
    assert_eq!(again["metrics"], answer["metrics"]);
    let more = json_line(&on_run("fit", &run, &["--resume", "--epochs", "4"]).success());
    assert_eq!(more["metrics"]["tracks"], all.len());
    let shown = Program::Train
        .command(["report", "--json"])
        .arg(&run)
        .assert()
        .success();
    let line = json_line(&shown);
    assert_eq!(
        (&line["runs"][0]["folds"], &line["runs"][0]["tracks"]),
        (&3.into(), &all.len().into())
    );
    let text = stdout_text(&shown);
    assert!(text.contains("(3 folds)"), "{text}");
}

#[test]
fn missing_folds_and_changed_settings_are_refused() {
    let root = TempDir::new().unwrap();
    let built = BuiltDataset::small().copy();
    let data = built.path();
    let run = root.path().join("folds");
    built.split("--name plain").success();
    let refused = fit(&data, &run, &["--folds", "3"]).code(1);
    assert!(
        stderr_text(&refused).contains("split `plain`")
            && stderr_text(&refused).contains("is not a fold; make folds with"),
        "{}",
        stderr_text(&refused)
    );
    built.split("--folds 3 --name three").success();
    fit(&data, &run, &["--folds", "4"])
        .code(1)
        .stderr(contains("has 3 folds with this name, not 4"));
    assert!(!run.exists());
    // The current split is a fold, so `--split` can be omitted.
    fit(&data, &run, &["--folds", "3"]).success();
    for (more, expected) in [
        (
            &["--resume", "--folds", "5"][..],
            "holds a set of 3 folds; leave out --folds",
        ),
        (&["--resume", "--lr", "0.5"], "--lr"),
    ] {
        let refused = on_run("fit", &run, more).code(1);
        assert!(
            stderr_text(&refused).contains(expected),
            "{expected}: {}",
            stderr_text(&refused)
        );
    }
    on_run("eval", &run, &["--set", "train"])
        .code(1)
        .stderr(contains("every track is in several training sets"));
}

#[test]
fn folds_trained_with_several_seeds_are_compared_over_seeds() {
    let root = TempDir::new().unwrap();
    let built = BuiltDataset::small().copy();
    let data = built.path();
    built.split("--folds 3 --name three").success();
    let (run, single) = (root.path().join("seeds"), root.path().join("single"));
    fit(&data, &single, &["--folds", "3", "--seed", "5"]).success();
    let answer = json_line(&fit(&data, &run, &["--folds", "3", "--seeds", "2", "--seed", "5"]).success());
    let runs = answer["metrics"]["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 6);
    assert_eq!(runs[5]["run"], "seed 6, fold 3");
    // A seed's folds are those of a set with that seed alone.
    for fold in 1..=3 {
        let weights = |path: &Path| fs::read(path.join("best.safetensors")).unwrap();
        let member = run.join(format!("seed-5-fold-{fold}"));
        assert_eq!(weights(&member), weights(&single.join(format!("seed-5-fold-{fold}"))));
    }
    built.split("--name other").success();
    built.split("--prune").success();
    let more = json_line(&on_run("fit", &run, &["--resume", "--seeds", "3"]).success());
    assert_eq!(more["metrics"]["runs"][8]["run"], "seed 7, fold 3");
    for name in ["test.csv", "split.json"] {
        let split = |run: &str| fs::read(root.path().join(run).join("split").join(name)).unwrap();
        assert_eq!(split("seeds/seed-7-fold-2"), split("single/seed-5-fold-2"));
    }
    let all = built.table("tracks.csv").len();
    assert_eq!(more["metrics"]["tracks"], all);
    let method = more["metrics"]["method"].as_str().unwrap();
    assert!(method.ends_with("and 3 seeds"), "{method}");
    let top1 = |fold: &str| {
        let predictions = fs::read_to_string(run.join(fold).join("predictions.csv")).unwrap();
        let rows: Vec<Vec<&str>> = predictions
            .lines()
            .skip(1)
            .map(|row| row.split(',').collect())
            .collect();
        rows.iter().filter(|row| row[1] == row[2]).count() as f64
    };
    let seeds_and_folds = (5..=7).flat_map(|seed| (1..=3).map(move |fold| format!("seed-{seed}-fold-{fold}")));
    let mean = seeds_and_folds.map(|member| top1(&member)).sum::<f64>() / (3 * all) as f64;
    let reported = more["metrics"]["intervals"][0]["mean"].as_f64().unwrap();
    assert!((reported - mean).abs() < 1e-12, "{reported} is not {mean}");
    let shown = Program::Train
        .command(["report", "--json"])
        .arg(&run)
        .assert()
        .success();
    assert!(stdout_text(&shown).contains("(3 seeds, 3 folds)"));
    // A set of one seed grows to the same runs. Its results of one seed are removed.
    let page = single.join("report.html");
    assert!(page.exists());
    let grown = json_line(&on_run("fit", &single, &["--resume", "--seeds", "3"]).success());
    assert_eq!(grown["metrics"]["runs"], more["metrics"]["runs"]);
    assert_eq!(grown["metrics"]["intervals"], more["metrics"]["intervals"]);
    for file in ["report.html", "predictions.csv", "metrics.json"] {
        assert!(!single.join(file).exists(), "{file}");
    }
}
