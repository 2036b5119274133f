//! `preprocess inspect`: its summary of a data set, its HTML page and its data analysis.

use crate::report::check_form;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Collection, Program, Tree, json_line};

fn inspect(dataset: &BuiltDataset, arguments: &[&str]) -> Value {
    let mut command = Program::Preprocess.command(["inspect", "--json"]);
    json_line(&command.arg(dataset.path()).args(arguments).assert().success())
}

/// How often each cell of a column occurs.
fn count(rows: &[BTreeMap<String, String>], column: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row[column].clone()).or_default() += 1;
    }
    counts
}

#[test]
fn summary_agrees_with_the_tables() {
    let dataset = BuiltDataset::small().copy();
    dataset
        .split("--strategy random --ratios 40,30,30 --name mine")
        .success();
    dataset.split("--strategy grouped --name apart").success();
    let mut extend = Program::Preprocess.command(["extend", "--feature", "mel", "--n-mels", "32", "--name", "few"]);
    extend.arg(dataset.path()).assert().success();
    let summary = inspect(&dataset, &[]);
    let (rows, rejected) = (dataset.table("tracks.csv"), dataset.table("rejected.csv"));
    let number = |row: &BTreeMap<String, String>, column: &str| row[column].parse::<f64>().unwrap();
    assert_eq!(summary["kept"], rows.len());
    assert_eq!(summary["dropped"], rejected.len());
    assert_eq!(summary["reasons"], json!(count(&rejected, "reason")));
    assert_eq!(summary["classes"], json!(count(&rows, "labels")));
    assert_eq!(summary["files"]["rates"], json!(count(&rows, "source_rate")));
    assert_eq!(summary["files"]["channels"], json!(count(&rows, "source_channels")));
    let sum = |column: &str| rows.iter().map(|row| number(row, column)).sum::<f64>();
    assert_eq!(summary["files"]["damaged_frames"].as_f64(), Some(sum("bad_frames")));
    assert_eq!(
        summary["levels"]["clipped_samples"].as_f64(),
        Some(sum("clipped_samples"))
    );
    let mut seconds: Vec<f64> = rows.iter().map(|row| number(row, "samples") / 44_100.0).collect();
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.len() / 2;
    let median = if seconds.len().is_multiple_of(2) {
        f64::midpoint(seconds[middle - 1], seconds[middle])
    } else {
        seconds[middle]
    };
    assert_eq!(summary["seconds"]["min"].as_f64(), Some(seconds[0]));
    assert_eq!(summary["seconds"]["median"].as_f64(), Some(median));
    assert_eq!(summary["seconds"]["max"].as_f64(), seconds.last().copied());
    let in_bars: u64 = summary["seconds"]["counts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(in_bars, rows.len() as u64);
    let shards = |kind: &str| -> u64 {
        let entries = fs::read_dir(dataset.path().join("shards")).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(kind));
        files.map(|entry| entry.metadata().unwrap().len()).sum()
    };
    for (key, kind) in [("waveforms", "waveform-"), ("mels", "mel-"), ("summary", "summary")] {
        assert_eq!(summary["sizes"][key], shards(kind), "{kind}");
    }
    let set = &summary["feature_sets"][0];
    assert_eq!((&set["name"], &set["features"]["n_mels"]), (&json!("few"), &json!(32)));
    // Splits are in alphabetical order.
    assert_eq!(summary["current_split"], "apart");
    for (at, name) in ["apart", "mine"].into_iter().enumerate() {
        let split = &summary["splits"][at];
        assert_eq!(
            (&split["name"], &split["current"]),
            (&json!(name), &json!(name == "apart"))
        );
        let on_disk: Value = serde_json::from_str(&dataset.text(&format!("splits/{name}/split.json"))).unwrap();
        for field in ["strategy", "group_by", "ratios", "seed"] {
            assert_eq!(split[field], on_disk[field], "{name} {field}");
        }
        for kind in ["artists", "albums", "recordings"] {
            let leaks = on_disk["leaks"][kind].as_array().unwrap();
            let names: Vec<&Value> = leaks.iter().map(|leak| &leak["name"]).collect();
            assert_eq!(split["leaks"][kind]["names"], json!(names), "{name} {kind}");
            assert_eq!(split["leaks"][kind]["count"], leaks.len());
        }
        for set in ["train", "val", "test"] {
            let list = dataset.table(&format!("splits/{name}/{set}.csv"));
            assert_eq!(split["sets"][set]["tracks"], list.len(), "{name} {set}");
            let mut counts = count(&list, "labels");
            for row in &rows {
                counts.entry(row["labels"].clone()).or_default();
            }
            assert_eq!(split["sets"][set]["classes"], json!(counts), "{name} {set}");
        }
    }
    assert!(
        summary["splits"][1]["leaks"]["artists"]["count"].as_u64() > Some(0),
        "{summary}"
    );
}

#[test]
fn page_is_self_contained_and_analysis_is_reproducible() {
    let dataset = BuiltDataset::small().copy();
    dataset.split("").success();
    let before = Tree::read(&dataset.path()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let (page, directory) = (out.path().join("page.html"), out.path().join("analysis"));
    let arguments = [
        "--html",
        page.to_str().unwrap(),
        "--analysis",
        directory.to_str().unwrap(),
        "--sample-tracks",
        "2",
    ];
    let summary = inspect(&dataset, &arguments);
    assert_eq!(before.differences(&Tree::read(&dataset.path()).unwrap()), [""; 0]);
    assert_eq!(summary["html"], json!(page));
    let html = fs::read_to_string(&page).unwrap();
    for banned in ["http:", "https:", "src=", "@import", "url(", "href=\"/"] {
        assert!(!html.contains(banned), "{banned}");
    }
    for class in summary["classes"].as_object().unwrap().keys() {
        assert!(html.contains(&class.replace('&', "&amp;")), "{class}");
    }
    assert!(html.contains("at most 2 of each class"));
    let names: Vec<&str> = summary["analysis"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(names.len(), fs::read_dir(&directory).unwrap().count());
    assert!(names.contains(&"pca-mel.svg") && names.contains(&"pca-mfcc.svg") && names.contains(&"mean-spectra.svg"));
    check_analysis(&dataset, &directory);
    // A second call writes the same files.
    let first = Tree::read(out.path()).unwrap();
    inspect(&dataset, &arguments);
    assert_eq!(first.differences(&Tree::read(out.path()).unwrap()), [""; 0]);
}

/// Compares `analysis.json`, made with two tracks per class, with the shards.
fn check_analysis(dataset: &BuiltDataset, directory: &Path) {
    let analysis: Value = serde_json::from_slice(&fs::read(directory.join("analysis.json")).unwrap()).unwrap();
    let rows = dataset.table("tracks.csv");
    assert_eq!(analysis["tracks"], rows.len());
    for projection in ["mel_projection", "mfcc_projection"] {
        let ids = rows.iter().map(|row| row["track_id"].parse::<u64>().unwrap());
        assert_eq!(analysis[projection]["track_ids"], json!(ids.collect::<Vec<_>>()));
        assert_eq!(
            analysis[projection]["coordinates"].as_array().unwrap().len(),
            rows.len()
        );
    }
    let shard = fs::read(dataset.path().join("shards/waveform-00000.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&shard).unwrap();
    for class in analysis["classes"].as_array().unwrap() {
        let ids: Vec<&String> = (rows.iter())
            .filter(|row| row["labels"] == class["name"].as_str().unwrap())
            .map(|row| &row["track_id"])
            .collect();
        assert_eq!(class["tracks"], ids.len());
        if ids.is_empty() {
            assert_eq!(class["samples"], Value::Null);
            continue;
        }
        // Two evenly spaced tracks: the first and the middle one.
        let chosen = if ids.len() > 2 {
            vec![ids[0], ids[ids.len() / 2]]
        } else {
            ids
        };
        let mut counts = vec![0u64; 256];
        let mut samples = Vec::new();
        for id in &chosen {
            let bytes = tensors.tensor(id).unwrap().data();
            samples.extend(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
        }
        samples
            .iter()
            .for_each(|sample| counts[((i32::from(*sample) + 32_768) / 256) as usize] += 1);
        assert_eq!(class["samples"]["tracks"], chosen.len());
        assert_eq!(class["samples"]["counts"], json!(counts), "{}", class["name"]);
    }
}

/// The page of a data set with artists, a split and sound, shared by all tests.
pub fn page() -> PathBuf {
    static PAGE: LazyLock<TempDir> = LazyLock::new(|| {
        let dataset = BuiltDataset::small().copy();
        dataset.split("").success();
        let root = TempDir::new().unwrap();
        let page = root.path().join("page.html");
        inspect(&dataset, &["--audio", "--html", page.to_str().unwrap()]);
        root
    });
    PAGE.path().join("page.html")
}

#[test]
fn page_lists_all_tracks_and_plays_typical_ones() {
    let html = fs::read_to_string(page()).unwrap();
    check_form(&html);
    let data = html.split("application/json\">").nth(1).unwrap();
    let data: Value = serde_json::from_str(data.split("</script>").next().unwrap()).unwrap();
    let tracks = BuiltDataset::small().table("tracks.csv");
    let rows = data["rows"].as_array().unwrap();
    assert_eq!(rows.len(), tracks.len());
    for (row, track) in rows.iter().zip(&tracks) {
        assert_eq!(row[0].as_str().unwrap(), track["track_id"]);
        assert_eq!(row[1].as_str().unwrap(), track["path"]);
        let class = &data["columns"][3]["words"][row[3][0].as_u64().unwrap() as usize];
        assert_eq!(class.as_str().unwrap(), track["labels"]);
        assert_eq!(row[4].as_array().unwrap().len(), 1, "each track is in a set");
    }
    assert!(data["places"].as_array().unwrap().iter().all(Value::is_u64));
    let typical = html.matches("<div id=\"track-").count();
    assert!(typical > 0 && html.matches("data:audio/wav;base64,").count() == typical);
}

#[test]
fn html_in_a_class_name_is_escaped() {
    let collection = Collection::first_tracks(4);
    let genre = collection.tracks()[0].genre_name();
    let hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'";
    collection.edit_metadata(|line| line.replace(&format!(",{genre},"), &format!(",{},", cell(hostile))));
    let dataset = BuiltDataset::build(&collection);
    let out = tempfile::tempdir().unwrap();
    let page = out.path().join("page.html");
    let summary = inspect(&dataset, &["--html", page.to_str().unwrap()]);
    assert!(
        summary["classes"].as_object().unwrap().contains_key(hostile),
        "{summary}"
    );
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.matches("<script").count() == 2 && !html.contains("<img"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

/// A cell of CSV.
fn cell(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[test]
fn data_sets_of_up_to_two_tracks_can_be_inspected() {
    let nothing = Collection::first_tracks(1);
    fs::write(nothing.file(&nothing.tracks()[0]), b"").unwrap();
    let none = BuiltDataset::empty();
    let mut build = Program::Preprocess.command(nothing.build_arguments(&none.path()));
    build.assert().code(1);
    for (dataset, kept) in [
        (none, 0),
        (BuiltDataset::build(&Collection::first_tracks(1)), 1),
        (BuiltDataset::build(&Collection::first_tracks(2)), 2),
    ] {
        let out = tempfile::tempdir().unwrap();
        let (page, directory) = (out.path().join("page.html"), out.path().join("analysis"));
        let summary = inspect(
            &dataset,
            &[
                "--html",
                page.to_str().unwrap(),
                "--analysis",
                directory.to_str().unwrap(),
            ],
        );
        assert_eq!((summary["kept"].as_u64(), &summary["splits"]), (Some(kept), &json!([])));
        assert!(
            fs::read_to_string(&page)
                .unwrap()
                .contains("There is no split yet; create one with preprocess split.")
        );
        let analysis: Value = serde_json::from_slice(&fs::read(directory.join("analysis.json")).unwrap()).unwrap();
        assert_eq!(analysis["tracks"], kept);
        assert!(
            analysis["mel_projection"]["reason"]
                .as_str()
                .unwrap()
                .contains("at least three tracks")
        );
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let dataset = BuiltDataset::small();
    let root = tempfile::tempdir().unwrap();
    let table = root.path().join("tracks.csv");
    fs::write(&table, "x").unwrap();
    for (flag, place) in [("--html", table.join("page.html")), ("--analysis", table)] {
        let mut command = Program::Preprocess.command(["inspect", "--sample-tracks", "1", flag]);
        command
            .arg(&place)
            .arg(dataset.path())
            .assert()
            .code(1)
            .stderr(contains("tracks.csv"));
    }
}

#[test]
fn track_is_found_by_its_id_or_its_file() {
    let collection = Collection::small();
    let dataset = BuiltDataset::small().copy();
    dataset.split("--strategy random --name mine").success();
    let row = dataset.table("tracks.csv")[0].clone();
    let file = collection.audio().join(&row["path"]);
    let found = inspect(&dataset, &["--track", &row["track_id"]]);
    assert_eq!((&found["path"], &found["split"]), (&json!(row["path"]), &json!("mine")));
    assert_eq!(found["track"].to_string(), row["track_id"]);
    for given in [row["path"].as_str(), file.to_str().unwrap()] {
        assert_eq!(inspect(&dataset, &["--track", given]), found, "{given}");
    }
    let set = found["set"].as_str().unwrap();
    let listed = dataset.table(&format!("splits/mine/{set}.csv"));
    assert!(listed.iter().any(|other| other["track_id"] == row["track_id"]), "{set}");
    let rejected = &dataset.table("rejected.csv")[0];
    let mut command = Program::Preprocess.command(["inspect", "--track", &rejected["path"]]);
    let refused = command.arg(dataset.path()).assert().code(1);
    refused.stderr(contains(rejected["reason"].as_str()).and(contains(rejected["detail"].as_str())));
}

#[test]
fn audio_file_is_described_as_a_build_would_decode_it() {
    let collection = Collection::small();
    let dataset = BuiltDataset::small();
    let describe = |path: &str| {
        let mut command = Program::Preprocess.command(["inspect", "--json"]);
        json_line(&command.arg(collection.audio().join(path)).assert().success())
    };
    for row in dataset.table("tracks.csv").iter().take(3) {
        let found = describe(&row["path"]);
        assert_eq!(
            (&found["kept"], &found["codec"]),
            (&json!(true), &json!("mp3")),
            "{found}"
        );
        assert_eq!(found["source_rate"].to_string(), row["source_rate"]);
        let seconds: f64 = row["samples"].parse::<f64>().unwrap() / 44_100.0;
        assert_eq!(found["seconds"].as_f64(), Some(seconds));
    }
    let decoded =
        |row: &&BTreeMap<String, String>| !matches!(row["reason"].as_str(), "missing_file" | "unlisted" | "unlabelled");
    for row in dataset.table("rejected.csv").iter().filter(decoded) {
        let found = describe(&row["path"]);
        assert_eq!(
            (&found["kept"], &found["reason"]),
            (&json!(false), &json!(row["reason"])),
            "{found}"
        );
    }
    let (out, row) = (tempfile::tempdir().unwrap(), &dataset.table("tracks.csv")[0]);
    let (png, copy) = (out.path().join("track.png"), out.path().join("copy.png"));
    let draw = |file: &Path| {
        let mut command = Program::Preprocess.command(["inspect", "--png"]);
        command.arg(&png).arg(file).assert()
    };
    draw(&collection.audio().join(&row["path"])).success();
    assert!(fs::read(&png).unwrap().starts_with(b"\x89PNG"));
    // A picture is not an audio file, and the good picture stays.
    fs::copy(&png, &copy).unwrap();
    draw(&copy)
        .code(1)
        .stderr(contains("cannot be drawn: the file is a PNG picture"));
    assert!(fs::read(&png).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn picture_does_not_replace_audio_or_data_sets() {
    let (collection, dataset) = (Collection::first_tracks(1), BuiltDataset::small().copy());
    let out = tempfile::tempdir().unwrap();
    let song = out.path().join("song.wav");
    fs::copy(collection.file(&collection.tracks()[0]), &song).unwrap();
    let refuse = |arguments: &[&Path], replaced: &Path, problem: &str| {
        let before = fs::read(replaced).unwrap();
        let mut command = Program::Preprocess.command(["inspect"]);
        let outcome = command.args(arguments).arg("--png").arg(replaced).assert();
        outcome.code(1).stderr(contains(problem));
        assert!(fs::read(replaced).unwrap() == before, "{}", replaced.display());
    };
    refuse(&[&song], &song, "is one of the files to read");
    let row = &dataset.table("tracks.csv")[0];
    let root = dataset.path();
    let track = [root.as_path(), Path::new("--track"), Path::new(&row["track_id"])];
    let audio = Collection::small().audio().join(&row["path"]);
    refuse(&track, &audio, "is one of the files to read");
    refuse(&track, &root.join("tracks.csv"), "is in the data set");
}
