//! `train predict --timeline`: the classes of a file over time.

use crate::papers::{fit, genres};
use crate::predict::predict;
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tests::harness::{Collection, Program, json_line};

/// Times that a track of 2.2 s is repeated.
const REPEATS: usize = 10;

/// A WAV file of the collection.
fn wav(name: &str) -> PathBuf {
    let collection = Collection::gtzan();
    let track = collection
        .tracks()
        .iter()
        .find(|track| track.path.contains(name))
        .unwrap();
    collection.file(track)
}

/// Bytes before the samples of a WAV file of the collection.
const HEADER: usize = 44;
/// Bytes of a second: 22,050 mono samples of 16 bits.
const SECOND: f64 = 44_100.0;

/// Writes the tracks one after the other, each several times, and returns the seconds of each.
fn glue(tracks: &[&Path], out: &Path) -> Vec<f64> {
    let parts: Vec<Vec<u8>> = tracks
        .iter()
        .map(|track| fs::read(track).unwrap()[HEADER..].repeat(REPEATS))
        .collect();
    let mut file = fs::read(tracks[0]).unwrap()[..HEADER].to_vec();
    file.extend(parts.concat());
    for (at, length) in [(4, file.len() - 8), (HEADER - 4, file.len() - HEADER)] {
        file[at..at + 4].copy_from_slice(&(length as u32).to_le_bytes());
    }
    fs::write(out, file).unwrap();
    parts.iter().map(|part| part.len() as f64 / SECOND).collect()
}

fn run(root: &Path, name: &str, seconds: &str) -> PathBuf {
    let run = root.join(name);
    let more = ["--clip-seconds", seconds, "--epochs", "3"];
    fit(&genres().path(), "choi-crnn", &run, &more).assert().success();
    run
}

/// Start, end and probabilities of each row.
fn rows(table: &Path) -> Vec<(f64, f64, Vec<f64>)> {
    let mut reader = csv::Reader::from_path(table).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    assert_eq!(
        (&header[..2], header.len()),
        (&["start".to_owned(), "end".into()][..], 2 + 8)
    );
    let numbers = |row: csv::StringRecord| row.iter().map(|cell| cell.parse().unwrap()).collect::<Vec<f64>>();
    let rows = reader.records().map(|row| numbers(row.unwrap()));
    rows.map(|row| (row[0], row[1], row[2..].to_vec())).collect()
}

fn probabilities(answer: &Value) -> Vec<f64> {
    let classes: Vec<String> = serde_json::from_value(answer["classes"].clone()).unwrap();
    let probability = |class: &String| answer["files"][0]["probabilities"][class].as_f64().unwrap();
    classes.iter().map(probability).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
}

#[test]
fn timeline_changes_where_two_classes_are_glued_together() {
    let root = TempDir::new().unwrap();
    let path = |name: &str| root.path().join(name);
    let run = run(root.path(), "run", "0.4");
    let (first, second) = (wav("classical.00001"), wav("disco.00001"));
    let seconds = glue(&[&first, &second], &path("mix.wav"));
    glue(&[&first], &path("first.wav"));
    glue(&[&second], &path("second.wav"));
    let alone = ["first.wav", "second.wav"].map(|name| {
        let answer = json_line(&predict(&run, &[path(name)]).assert().success());
        assert_eq!(answer["timeline"], Value::Null);
        probabilities(&answer)
    });
    assert!(distance(&alone[0], &alone[1]) > 0.01, "{alone:?}");

    let (csv, svg, html) = (path("mix.csv"), path("mix.svg"), path("mix.html"));
    let timeline = |more: &[&str]| {
        let mut command = predict(&run, &[path("mix.wav")]);
        for file in [&csv, &svg, &html] {
            command.arg("--timeline").arg(file);
        }
        command.args(["--window", "6"]).args(more).assert()
    };
    let answer = json_line(&timeline(&["--audio"]).success());
    let found = rows(&csv);
    let total: f64 = seconds.iter().sum();
    assert_eq!((answer["timeline"]["rows"].as_u64().unwrap(), found.len()), (22, 22));
    assert!((found[21].1 - total).abs() < 0.01 && found[0].0 == 0.0);
    for (at, (start, end, probabilities)) in found.iter().enumerate() {
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-4);
        assert!(at == 0 || *start == found[at - 1].1);
        let middle = (start + end) / 2.0;
        // Windows that contain the glue may be like either.
        if (middle - seconds[0]).abs() > 3.0 {
            let own = usize::from(middle > seconds[0]);
            let [near, far] = [own, 1 - own].map(|track| distance(probabilities, &alone[track]));
            assert!(near < far, "{start}: {near} and {far}");
        }
    }
    let segments = answer["timeline"]["segments"].as_array().unwrap();
    assert_eq!(segments[0]["start"], 0.0);
    for pair in segments.windows(2) {
        assert_eq!(pair[0]["end"], pair[1]["start"]);
    }

    let (chart, page) = (fs::read_to_string(&svg).unwrap(), fs::read_to_string(&html).unwrap());
    assert!(chart.starts_with("<svg") && chart.contains("Classes over time"));
    assert!(page.contains("data:audio/wav;base64,") && page.matches("data-seconds=").count() == segments.len());
    timeline(&[])
        .code(1)
        .stderr(contains("mix.csv exists; add --force to replace it"));
    assert_eq!(fs::read_to_string(&html).unwrap(), page);
    timeline(&["--force"]).success();
    let page = fs::read_to_string(&html).unwrap();
    assert!(!page.contains("<audio") && !page.contains("<script"));
}

#[test]
fn row_of_a_window_that_covers_the_file_has_the_probabilities_of_the_file() {
    let root = TempDir::new().unwrap();
    let path = |name: &str| root.path().join(name);
    let (short, long, classifier) = (
        run(root.path(), "short", "0.4"),
        run(root.path(), "long", "0.7"),
        path("svm"),
    );
    let mut embed = Program::Train.command(["embed", "--device", "cpu", "--classify", "logistic", "--run"]);
    embed
        .arg(&short)
        .arg("--run")
        .arg(&long)
        .arg("--save-run")
        .arg(&classifier);
    embed.assert().success();
    let mix = path("mix.wav");
    glue(&[&wav("classical.00001"), &wav("disco.00001")], &mix);
    for (name, runs) in [
        ("run", &[&short][..]),
        ("ensemble", &[&short, &long]),
        ("classifier", &[&classifier]),
    ] {
        let table = path(name).with_extension("csv");
        let mut command = predict(runs[0], std::slice::from_ref(&mix));
        for run in &runs[1..] {
            command.arg("--run").arg(run);
        }
        command.arg("--timeline").arg(&table).args(["--window", "100"]);
        let expected = probabilities(&json_line(&command.assert().success()));
        let found = rows(&table);
        assert_eq!(found.len(), 1, "{name}: 44 s are one row of a window of 100 s");
        assert!(
            distance(&found[0].2, &expected) < 1e-4,
            "{name}: {found:?} and {expected:?}"
        );
    }
}

#[test]
fn timelines_that_are_impossible_are_refused() {
    let root = TempDir::new().unwrap();
    let path = |name: &str| root.path().join(name);
    let statistics = path("statistics");
    fit(&genres().path(), "mfcc-dense", &statistics, &[]).assert().success();
    let song = path("song.wav");
    fs::copy(wav("disco.00001"), &song).unwrap();
    let timeline = |files: &[PathBuf], more: &[&str]| {
        let mut command = predict(&statistics, files);
        command.current_dir(root.path()).arg("--timeline").args(more).assert()
    };
    let one = std::slice::from_ref(&song);
    timeline(one, &["a.csv"])
        .code(1)
        .stderr(contains("needs a model on clips"));
    timeline(&[song.clone(), song.clone()], &["a.csv"])
        .code(2)
        .stderr(contains("is of one audio file, and there are 2"));
    timeline(one, &["a.txt"])
        .code(2)
        .stderr(contains(".csv, .svg or .html"));
    timeline(one, &["a.csv", "--eval-clips", "2"])
        .code(2)
        .stderr(contains("cannot be used with"));
    timeline(one, &["a.csv", "--window", "0"])
        .code(2)
        .stderr(contains("from 1 to 3600"));
    timeline(one, &["a.csv", "--audio"])
        .code(2)
        .stderr(contains("with a .html file"));
    timeline(one, &["no/place.csv"])
        .code(1)
        .stderr(contains("cannot be written"));
    let table = path("song.csv");
    fs::copy(&song, &table).unwrap();
    let sound = fs::read(&song).unwrap();
    timeline(std::slice::from_ref(&table), &["song.csv", "--force"])
        .code(1)
        .stderr(contains("is one of the files to read"));
    assert_eq!(fs::read(&table).unwrap(), sound);
    assert!(!path("a.csv").exists());
}
