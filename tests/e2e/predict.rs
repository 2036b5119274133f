//! `train predict` gives audio files the probabilities that they have in the data set, in any format and without the
//! data set.

use crate::papers::{fit, genres, tagged};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Collection, Program, json_line, stdout_text};

pub fn predict(run: &Path, files: &[PathBuf]) -> assert_cmd::Command {
    let mut command = Program::Train.command(["predict", "--device", "cpu", "--json", "--run"]);
    command.arg(run).args(files);
    command
}

/// The probabilities of each test track according to `eval`.
pub fn evaluated(run: &Path) -> BTreeMap<String, Vec<f64>> {
    let mut command = Program::Train.command(["eval", "--device", "cpu", "--run"]);
    command.arg(run).assert().success();
    let mut reader = csv::Reader::from_path(run.join("predictions.csv")).unwrap();
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| {
        let probabilities = row.iter().skip(3).map(|cell| cell.parse().unwrap()).collect();
        (row[0].to_owned(), probabilities)
    })
    .collect()
}

/// The file of a track of a data set.
pub fn file(collection: &Collection, dataset: &BuiltDataset, track_id: &str) -> PathBuf {
    let rows = dataset.table("tracks.csv");
    let row = rows.iter().find(|row| row["track_id"] == track_id).unwrap();
    collection.audio().join(&row["path"])
}

#[test]
fn predict_and_eval_give_the_same_probabilities() {
    let root = TempDir::new().unwrap();
    // Mel spectrograms of excerpts and of clips (all clips, the middle one or three), statistics of tracks, and tags.
    let excerpts = ["--clip-seconds", "0.4"];
    let skipping = ["--clip-seconds", "0.6", "--skip-seconds", "0.4"];
    let default: [&str; 0] = [];
    let middle = ["--eval-clips", "1"];
    let three = ["--clip-seconds", "0.6", "--train-clips", "all", "--eval-clips", "3"];
    for (name, model, more, tags) in [
        ("excerpts", "choi-crnn", &excerpts[..], false),
        ("clips", "choi-crnn", &default[..], false),
        ("middle", "choi-crnn", &middle[..], false),
        ("three", "choi-crnn", &three[..], false),
        ("skipping", "small-cnn", &skipping[..], false),
        ("statistics", "mfcc-dense", &default[..], false),
        ("tags", "choi-fcn", &excerpts[..], true),
    ] {
        let (dataset, collection) = match tags {
            true => (tagged(), Collection::magnatagatune()),
            false => (genres(), Collection::gtzan()),
        };
        let run = root.path().join(name);
        fit(&dataset.path(), model, &run, more).assert().success();
        let evaluated = evaluated(&run);
        let files: Vec<PathBuf> = evaluated.keys().map(|id| file(collection, dataset, id)).collect();
        let answer = json_line(&predict(&run, &files).assert().success());
        assert_eq!(answer["failed"], 0);
        let classes: Vec<String> = serde_json::from_value(answer["classes"].clone()).unwrap();
        for (answer, (id, expected)) in answer["files"].as_array().unwrap().iter().zip(&evaluated) {
            for (class, expected) in classes.iter().zip(expected) {
                let found = answer["probabilities"][class].as_f64().unwrap();
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{name}, track {id}, {class}: {found} and {expected}"
                );
            }
            assert!(name != "three" || answer["clips"] == 3, "{answer}");
            let several = answer["clips"].as_u64().unwrap() > 1;
            assert_eq!(several, !["middle", "statistics"].contains(&name), "{name}: {answer}");
        }
    }
}

/// A run whose data set was deleted.
fn run_without_data(root: &Path) -> PathBuf {
    let (dataset, run) = (genres().copy(), root.join("run"));
    fit(&dataset.path(), "mfcc-dense", &run, &[]).assert().success();
    run
}

#[test]
fn all_formats_are_predicted_and_bad_files_are_listed_with_a_reason() {
    let root = TempDir::new().unwrap();
    let run = run_without_data(root.path());
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/decode_validate");
    let good = [
        "adts.aac",
        "pcm.caf",
        "pcm.aiff",
        "pcm.au",
        "tone.flac",
        "vorbis.ogg",
        "pcm24.wav",
        "aac.m4a",
    ];
    let mut files: Vec<PathBuf> = good.iter().map(|name| seeds.join(name)).collect();
    let (empty, text, missing) = (
        root.path().join("empty.mp3"),
        root.path().join("text.mp3"),
        root.path().join("no.mp3"),
    );
    fs::write(&empty, "").unwrap();
    fs::write(&text, "<html>not found</html>").unwrap();
    files.splice(2..2, [empty, missing]);
    files.push(text);
    let table = root.path().join("genres.csv");
    let mut csvs = Vec::new();
    for jobs in ["1", "4"] {
        let mut command = predict(&run, &files);
        let answer = json_line(&command.args(["--jobs", jobs]).arg("--csv").arg(&table).assert().code(1));
        assert_eq!(
            (&answer["ok"], &answer["failed"]),
            (&Value::Bool(false), &Value::from(3))
        );
        let rows = answer["files"].as_array().unwrap();
        for (row, path) in rows.iter().zip(&files) {
            assert_eq!(row["path"], path.to_str().unwrap());
        }
        let reasons: Vec<_> = rows.iter().filter_map(|row| row["reason"].as_str()).collect();
        assert_eq!(reasons, ["empty_file", "missing_file", "not_audio"]);
        let total: f64 = rows[0]["probabilities"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(Value::as_f64)
            .sum();
        assert!((total - 1.0).abs() < 1e-6, "{answer}");
        assert_eq!(answer["csv"]["rows"], files.len());
        csvs.push(fs::read_to_string(&table).unwrap());
    }
    // An existing table with other files is replaced only with `--force`.
    let one = root.path().join("one.csv");
    fs::copy(&table, &one).unwrap();
    let mut kept = predict(&run, &files[..1]);
    let refused = kept.arg("--csv").arg(&one).assert().code(1);
    refused.stderr(predicates::str::contains("add --force to replace it"));
    assert_eq!(fs::read_to_string(&one).unwrap(), csvs[0]);
    let mut replaced = predict(&run, &files[..1]);
    let assert = replaced.arg("--force").arg("--csv").arg(&one).assert().success();
    assert.stdout(predicates::str::contains(format!("table {}, 1 row\n", one.display())));
    assert_eq!(csvs[0], csvs[1], "the number of threads changes nothing");
    for refused in [&files[0], &root.path().join("no/such/place.csv")] {
        let mut command = predict(&run, &files);
        let assert = command.arg("--csv").arg(refused).assert().code(1);
        assert.stderr(predicates::str::contains("give another file"));
    }
    let lines: Vec<_> = csvs[0].lines().collect();
    assert!(
        lines[0].starts_with("path,reason,detail,seconds,clips,predicted,"),
        "{}",
        lines[0]
    );
    assert_eq!(lines.len(), 1 + files.len());
    assert!(lines[3].contains(",empty_file,the file is empty,,,"), "{}", lines[3]);
}

#[test]
fn predict_prints_a_row_per_audio_file_of_a_directory() {
    let root = TempDir::new().unwrap();
    let run = run_without_data(root.path());
    let mut command = Program::Train.command(["predict", "--quiet", "--top", "2", "--run"]);
    let assert = command.arg(&run).arg(Collection::gtzan().audio()).assert().code(1);
    let printed = stdout_text(&assert);
    let lines: Vec<_> = printed.lines().collect();
    // One of them is corrupt.
    assert_eq!(lines.len(), 1 + 24, "{printed}");
    assert_eq!(
        lines.iter().filter(|line| line.contains("no_frames")).count(),
        1,
        "{printed}"
    );
    let first: Vec<_> = lines[1].split_whitespace().collect();
    assert!(
        first[0].ends_with("00000.wav") || first[0].ends_with(".au") || first[0].ends_with(".mp3"),
        "{printed}"
    );
    assert_eq!(first.iter().filter(|word| **word == "%").count(), 2, "{printed}");
    let mut absent = Program::Train.command(["predict", "--run", "no-such-run", "song.mp3"]);
    absent
        .assert()
        .code(1)
        .stderr(predicates::str::contains("holds no run"));
}
