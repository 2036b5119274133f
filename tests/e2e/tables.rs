//! `scripts/papers`: tables and usage errors. The scripts themselves take minutes and are not run here; other tests
//! cover their steps.

use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Program};

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/papers")
}

const HEADER: &str = "# Made up, for this test.\npaper,model,metric,value,data,split,note,source\n";

/// Prints the table of our `metrics` of a paper next to the metrics in the file `published`.
fn print_table(paper: &str, split: &str, metrics: &str, columns: &[String], published: &Path) -> Output {
    let root = TempDir::new().unwrap();
    let ours = root.path().join("metrics.tsv");
    fs::write(&ours, metrics).unwrap();
    let mut command = Command::new("bash");
    command.arg(scripts().join("table.sh")).args([paper, split]).arg(&ours);
    command.args(columns).env("PUBLISHED", published).output().unwrap()
}

/// Prints the table of two models, both on the random split, next to the published metrics in `published`.
fn table(published: &str) -> Output {
    let root = TempDir::new().unwrap();
    let theirs = root.path().join("published.csv");
    fs::write(&theirs, published).unwrap();
    let metrics = "crnn\ttop1\t0.12345\ncrnn\tparameters\t438808\ncrnn\tepochs\t2\ncrnn\tseconds_per_epoch\t1.5\n\
                   crnn+svm\ttop1\t0.5\ncrnn+augment\ttop1\t0.2\n";
    let columns = ["top1=top-1".to_owned(), "f1=macro F1".to_owned()];
    print_table("gtzan", "random", metrics, &columns, &theirs)
}

#[test]
fn table_has_our_and_published_metrics_and_dashes_for_unknown_ones() {
    let rows =
        "tagging,crnn,top1,0.9,gtzan,random,,elsewhere\ngtzan,crnn,top1,0.75,gtzan,random,,\"Table 1, second row\"\n";
    let output = table(&format!("{HEADER}{rows}gtzan,absent,f1,0.5,gtzan,random,,Table 2\n"));
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "| model | top-1 | macro F1 | parameters | epochs | s/epoch |",
            "|---|---:|---:|---:|---:|---:|",
            "| crnn | 0.123 / 0.75 | – / – | 438808 | 2 | 1.5 |",
            "| crnn+svm | 0.500 / – | – / – | – | – | – |",
            "| crnn+augment | 0.200 / 0.75 | – / – | – | – | – |",
        ]
    );
    assert!(
        lines[6].ends_with("both on the random split. Published: Table 1, second row."),
        "{}",
        lines[6]
    );
    assert_eq!(lines.len(), 7, "no second table");
    let noted = String::from_utf8(output.stderr).unwrap();
    assert!(noted.contains("`absent`"), "{noted}");
}

#[test]
fn published_metrics_of_another_split_or_with_a_note_are_in_a_second_table() {
    let rows =
        "gtzan,crnn,top1,0.75,gtzan,official,,Table 1\ngtzan,crnn,f1,0.12,gtzan,random,of the wrong set,Table 2\n";
    let output = table(&format!("{HEADER}{rows}"));
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "| crnn | 0.123 / below | – / below | 438808 | 2 | 1.5 |",
        "| crnn | top-1 | 0.75 | official |  | Table 1 |",
        "| crnn | macro F1 | 0.12 | random | of the wrong set | Table 2 |",
    ] {
        assert!(text.lines().any(|printed| printed == line), "{line}\n{text}");
    }
}

#[test]
fn invalid_published_metrics_are_reported_with_their_line() {
    for (rows, expected) in [
        (
            "gtzan,crnn,top1,75%,gtzan,random,,Table 1\n",
            ":3: `75%` is not a number",
        ),
        (
            "gtzan,crnn,top9,0.75,gtzan,random,,Table 1\n",
            ":3: `top9` is not a metric",
        ),
        ("gtzan,crnn,top1,0.75,gtzan,random\n", ":3: a row must have"),
        (
            "gtzan,crnn,top1,0.7,gtzan,random,,a\ngtzan,crnn,top1,0.8,gtzan,random,,b\n",
            ":4: duplicate top1",
        ),
    ] {
        let output = table(&format!("{HEADER}{rows}"));
        assert_eq!(output.status.code(), Some(1), "{rows}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(expected), "{stderr}");
    }
    assert_eq!(table("model,value\n").status.code(), Some(1));
}

/// The rows of the real published.csv, by paper: model, metric, value, split and note.
fn published_rows() -> BTreeMap<String, Vec<[String; 5]>> {
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_path(scripts().join("published.csv"))
        .unwrap();
    let mut rows: BTreeMap<String, Vec<[String; 5]>> = BTreeMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        let cells = [1, 2, 3, 5, 6].map(|at| row[at].to_owned());
        assert!(!row[7].trim().is_empty(), "{row:?}: the source is missing");
        rows.entry(row[0].to_owned()).or_default().push(cells);
    }
    rows
}

#[test]
fn tables_show_every_published_metric() {
    let column = Regex::new(r#"([a-z][a-z0-9_]*)=("[^"]*"|[^\s"]+)"#).unwrap();
    let rows = published_rows();
    assert!(rows.values().map(Vec::len).sum::<usize>() >= 64);
    for (paper, rows) in rows {
        let script = fs::read_to_string(scripts().join(format!("{paper}.sh"))).unwrap();
        // The columns and the split of the table that the script prints.
        let table = script.rsplit("\nmake_table ").next().unwrap();
        let columns: Vec<String> = column
            .captures_iter(table)
            .map(|found| format!("{}={}", &found[1], found[2].trim_matches('"')))
            .collect();
        let split = if script.contains("split_dataset dataset official") {
            "official"
        } else {
            "random"
        };
        let models: BTreeSet<&str> = rows.iter().map(|row| &*row[0]).collect();
        let ours: String = models.iter().map(|model| format!("{model}\tparameters\t1\n")).collect();
        let output = print_table(&paper, split, &ours, &columns, &scripts().join("published.csv"));
        let (text, errors) = (output.stdout, String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success() && errors.is_empty(), "{paper}: {errors}");
        let text = String::from_utf8(text).unwrap();
        for [model, metric, value, its_split, note] in &rows {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("| {model} |")))
                .unwrap();
            let at = columns
                .iter()
                .position(|column| column.starts_with(&format!("{metric}=")))
                .unwrap();
            let cell = line.split(" | ").nth(at + 1).unwrap();
            if its_split == split && note.is_empty() {
                assert_eq!(cell, format!("– / {value}"), "{paper} {model} {metric}");
            } else {
                let same_split = rows.iter().any(|[other, name, _, split_name, note]| {
                    (other, name) == (model, metric) && split_name == split && note.is_empty()
                });
                assert!(same_split || cell == "– / below", "{paper} {model} {metric}: {cell}");
                let listed = format!("| {value} | {its_split} | {note} |");
                assert!(text.contains(&listed), "{paper} {model} {metric}: {listed}\n{text}");
            }
            let name = model.split('+').next().unwrap();
            assert!(
                script.contains(name) || !note.is_empty(),
                "{paper}.sh does not train {model}, which published.csv has"
            );
        }
    }
}

#[test]
fn intervals_of_predictions_have_the_papers_metrics() {
    let root = TempDir::new().unwrap();
    let (tracks, predictions) = (root.path().join("tracks.csv"), root.path().join("predictions.csv"));
    fs::write(&tracks, "track_id,labels,artist\n1,a,7\n2,a,7\n3,b,8\n4,b,\n").unwrap();
    fs::write(
        &predictions,
        "track_id,labels,predicted,a,b,c\n1,a,a,1,0,0\n2,a,b,0,1,0\n3,b,b,0,1,0\n4,b,b,0,1,0\n",
    )
    .unwrap();
    let awk = |predictions: &Path| {
        let mut awk = Command::new("awk");
        awk.args(["-F", ",", "-v", "resamples=300", "-f"]);
        awk.arg(scripts().join("intervals.awk")).arg(&tracks).arg(predictions);
        awk.output().unwrap()
    };
    let text = String::from_utf8(awk(&predictions).stdout).unwrap();
    let cells: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let values: Vec<(&str, &str)> = cells.iter().map(|row| (row[0], row[1])).collect();
    // Class c is absent: it has only true negatives, and precision and recall 0. Precisions 1, 2/3, 0; recalls 1/2, 1, 0.
    let expected = [
        ("accuracy", "0.8333"),
        ("precision", "0.5556"),
        ("recall", "0.5000"),
        ("f1", "0.5263"),
        ("top1", "0.7500"),
    ];
    assert_eq!(values, expected);
    for row in &cells {
        let [value, low, high] = [1, 2, 3].map(|at| row[at].parse::<f64>().unwrap());
        assert!(low < value && value <= high && high <= 1.0, "{row:?}");
    }
    fs::write(&predictions, "track_id,label\n1,a\n").unwrap();
    let output = awk(&predictions);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && stderr.contains("has no column labels"),
        "{stderr}"
    );
}

/// The expected output of the awk program.
fn flatten(value: &serde_json::Value, path: &str, lines: &mut String) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    match value {
        serde_json::Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| flatten(value, &below(name), lines)),
        serde_json::Value::Array(values) => {
            let numbered = values.iter().enumerate();
            numbered.for_each(|(at, value)| flatten(value, &below(&at.to_string()), lines));
        }
        serde_json::Value::String(text) => writeln!(lines, "{path}\t{text}").unwrap(),
        other => writeln!(lines, "{path}\t{other}").unwrap(),
    }
}

#[test]
fn awk_program_flattens_the_json_of_the_programs() {
    let dataset = BuiltDataset::small().path();
    let mut command = Program::Preprocess.command(["inspect", "--json"]);
    let stdout = command.arg(dataset).assert().success().get_output().stdout.clone();
    let root = TempDir::new().unwrap();
    let (compact, pretty) = (root.path().join("compact.json"), root.path().join("pretty.json"));
    fs::write(&compact, &stdout).unwrap();
    let last = String::from_utf8(stdout).unwrap().lines().last().unwrap().to_owned();
    let value: serde_json::Value = serde_json::from_str(&last).unwrap();
    fs::write(&pretty, serde_json::to_vec_pretty(&value).unwrap()).unwrap();
    let mut expected = String::new();
    flatten(&value, "", &mut expected);
    assert!(expected.lines().count() > 10, "{expected}");
    for file in [compact, pretty] {
        let mut awk = Command::new("awk");
        let output = awk
            .arg("-f")
            .arg(scripts().join("json.awk"))
            .arg(&file)
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            expected,
            "{}",
            file.display()
        );
    }
}

#[test]
fn usage_errors_of_scripts_are_reported_before_anything_runs() {
    for (script, arguments, expected) in [
        (
            "multimodal",
            &["--models", "crn"][..],
            "unknown model `crn` in --models",
        ),
        ("tagging", &["--audio", "."], "--audio needs --metadata"),
        ("gtzan", &["--metadata", "t.csv"], "--metadata needs --audio"),
        ("gtzan", &["--audio", ".", "--tiny"], "--tiny uses synthetic music"),
        (
            "gtzan",
            &["--vgg16-weights", "vgg16.pt"],
            "scripts/papers/gtzan.sh [--audio DIR]",
        ),
        (
            "fma_baselines",
            &["--epochs", "0"],
            "--epochs must be a positive integer",
        ),
        ("fma_baselines", &["--help"], "--vgg16-weights FILE"),
        ("won", &["--models", "won-gru"], "choose from won-fcn,musicnn"),
        ("dwivedi", &["--seed", "x"], "--seed must be an integer"),
        ("../acceptance", &["--epochs", "1"], "scripts/acceptance.sh FMA_DIR"),
        ("../acceptance", &["/dev/null"], "/dev/null is not a directory"),
        ("../acceptance", &["."], "has neither fma_small/ nor audio/"),
    ] {
        let mut bash = Command::new("bash");
        let output = bash
            .arg(scripts().join(format!("{script}.sh")))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{script} {arguments:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(expected), "{script} {arguments:?}: {stderr}");
    }
}
