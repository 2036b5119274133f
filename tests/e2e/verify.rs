//! `preprocess verify` and `--repair`.

use predicates::str::contains;
use std::fs;
use tests::harness::{BuiltDataset, Collection, Program, Tree, json_line};

fn verify(dataset: &BuiltDataset, more: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Program::Preprocess.command(["verify", "--json"]);
    command.arg(dataset.path()).args(more).assert()
}

/// Files in the `problems` of the JSON line.
fn named(assert: &assert_cmd::assert::Assert) -> Vec<String> {
    let problems = json_line(assert)["problems"].clone();
    let problems = problems.as_array().cloned().unwrap_or_default();
    problems
        .iter()
        .map(|problem| problem["file"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn with_a_split() -> BuiltDataset {
    let dataset = BuiltDataset::small().copy();
    dataset.split("--name mine").success();
    dataset
}

/// Flips one bit of a file at a relative position between 0 and 1.
fn flip(dataset: &BuiltDataset, file: &str, position: f64) {
    let path = dataset.path().join(file);
    let mut bytes = fs::read(&path).unwrap();
    let index = ((bytes.len() - 1) as f64 * position) as usize;
    bytes[index] ^= 1;
    fs::write(&path, bytes).unwrap();
}

#[test]
fn intact_data_set_passes() {
    let assert = verify(&with_a_split(), &[]).success();
    assert_eq!(json_line(&assert)["ok"], true);
    assert_eq!(named(&assert), [""; 0]);
}

#[test]
fn missing_and_truncated_files_are_found() {
    let dataset = with_a_split();
    for file in [
        "shards/waveform-00000.safetensors",
        "shards/mel-00000.safetensors",
        "shards/summary.safetensors",
        "tracks.csv",
        "rejected.csv",
        "splits/mine/train.csv",
        "splits/mine/normalization.json",
    ] {
        let path = dataset.path().join(file);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let truncated = verify(&dataset, &[]).code(1);
        assert!(
            named(&truncated).iter().any(|name| name == file),
            "{file}: {:?}",
            named(&truncated)
        );
        fs::remove_file(&path).unwrap();
        let missing = verify(&dataset, &[]).code(1);
        assert!(
            named(&missing).iter().any(|name| name == file),
            "{file}: {:?}",
            named(&missing)
        );
        fs::write(&path, bytes).unwrap();
    }
    verify(&dataset, &[]).success();
}

#[test]
fn missing_current_split_is_reported() {
    let dataset = with_a_split();
    fs::write(dataset.path().join("splits/current"), "yours\n").unwrap();
    let assert = verify(&dataset, &[]).code(1);
    assert_eq!(named(&assert), ["splits/current"]);
}

#[test]
fn repair_restores_the_bytes_of_bad_shards() {
    let dataset = with_a_split();
    let before = Tree::read(&dataset.path()).unwrap();
    let (waveform, mel) = ("shards/waveform-00000.safetensors", "shards/mel-00000.safetensors");
    for bad in [&[waveform][..], &[mel], &[waveform, mel]] {
        for file in bad {
            flip(&dataset, file, 0.7);
        }
        let assert = verify(&dataset, &["--repair"]).success();
        let mut repaired: Vec<String> = serde_json::from_value(json_line(&assert)["repaired"].clone()).unwrap();
        repaired.sort();
        let mut expected = bad.to_vec();
        expected.sort_unstable();
        assert_eq!(repaired, expected);
        assert_eq!(before.differences(&Tree::read(&dataset.path()).unwrap()), [""; 0]);
    }
    fs::remove_file(dataset.path().join(waveform)).unwrap();
    verify(&dataset, &["--repair"]).success();
    assert_eq!(before.differences(&Tree::read(&dataset.path()).unwrap()), [""; 0]);
}

#[test]
fn repair_uses_moved_audio_and_refuses_changed_audio() {
    let collection = Collection::first_tracks(2);
    let dataset = BuiltDataset::build(&collection);
    let before = Tree::read(&dataset.path()).unwrap();
    let moved = BuiltDataset::empty();
    fs::create_dir_all(moved.path()).unwrap();
    let audio = moved.path().join("audio");
    fs::rename(collection.audio(), &audio).unwrap();

    let waveform = "shards/waveform-00000.safetensors";
    flip(&dataset, waveform, 0.5);
    let damaged = Tree::read(&dataset.path()).unwrap();
    verify(&dataset, &["--repair"]).code(1).stderr(contains("--audio"));
    assert_eq!(damaged.differences(&Tree::read(&dataset.path()).unwrap()), [""; 0]);

    let audio_text = audio.display().to_string();
    let first = audio.join(collection.tracks()[0].path.strip_prefix("audio/").unwrap());
    let other = audio.join(collection.tracks()[1].path.strip_prefix("audio/").unwrap());
    let bytes = fs::read(&first).unwrap();
    fs::copy(&other, &first).unwrap();
    verify(&dataset, &["--repair", "--audio", &audio_text]).code(1);
    assert_eq!(damaged.differences(&Tree::read(&dataset.path()).unwrap()), [""; 0]);

    fs::write(&first, bytes).unwrap();
    verify(&dataset, &["--repair", "--audio", &audio_text]).success();
    assert_eq!(before.differences(&Tree::read(&dataset.path()).unwrap()), [""; 0]);
}
