//! `scripts/papers`: tables and usage errors. The scripts themselves take minutes and are not run here; other tests
//! cover their steps.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Program};

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/papers")
}

/// Prints the table of two models next to the published metrics in `published`.
fn table(published: &str) -> Output {
    let root = TempDir::new().unwrap();
    let (ours, theirs) = (root.path().join("metrics.tsv"), root.path().join("published.csv"));
    let metrics = "crnn\ttop1\t0.12345\ncrnn\tparameters\t438808\ncrnn\tepochs\t2\ncrnn\tseconds_per_epoch\t1.5\n\
                   crnn+svm\ttop1\t0.5\n";
    fs::write(&ours, metrics).unwrap();
    fs::write(&theirs, published).unwrap();
    let mut command = Command::new("bash");
    command.arg(scripts().join("table.sh")).arg("gtzan").arg(&ours);
    command
        .args(["top1=top-1", "f1=macro F1"])
        .env("PUBLISHED", &theirs)
        .output()
        .unwrap()
}

const HEADER: &str = "# Made up, for this test.\npaper,model,metric,value,source\n";

#[test]
fn table_has_our_and_published_metrics_and_dashes_for_unknown_ones() {
    let rows = "tagging,crnn,top1,0.9,elsewhere\ngtzan,crnn,top1,0.75,\"Table 1, second row\"\n";
    let output = table(&format!("{HEADER}{rows}gtzan,absent,f1,0.5,Table 2\n"));
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "| model | top-1 | macro F1 | parameters | epochs | s/epoch |",
            "|---|---:|---:|---:|---:|---:|",
            "| crnn | 0.123 / 0.75 | – / – | 438808 | 2 | 1.5 |",
            "| crnn+svm | 0.500 / – | – / – | – | – | – |",
        ]
    );
    assert!(lines[5].ends_with("Published: Table 1, second row."), "{}", lines[5]);
    let noted = String::from_utf8(output.stderr).unwrap();
    assert!(noted.contains("`absent`"), "{noted}");
}

#[test]
fn invalid_published_metrics_are_reported_with_their_line() {
    for (rows, expected) in [
        ("gtzan,crnn,top1,75%,Table 1\n", ":3: `75%` is not a number"),
        ("gtzan,crnn,top9,0.75,Table 1\n", ":3: `top9` is not a metric"),
        ("gtzan,crnn,top1,0.75\n", ":3: a row must have"),
        ("gtzan,crnn,top1,0.7,a\ngtzan,crnn,top1,0.8,b\n", ":4: duplicate top1"),
    ] {
        let output = table(&format!("{HEADER}{rows}"));
        assert_eq!(output.status.code(), Some(1), "{rows}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(expected), "{stderr}");
    }
    assert_eq!(table("model,value\n").status.code(), Some(1));
}

#[test]
fn every_published_metric_has_a_source() {
    let published = fs::read_to_string(scripts().join("published.csv")).unwrap();
    let rows: Vec<_> = published.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(rows[0], "paper,model,metric,value,source");
    for row in &rows[1..] {
        let source = row.splitn(5, ',').nth(4).unwrap_or_default();
        assert!(!source.trim().is_empty(), "{row}: the source is missing");
    }
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
