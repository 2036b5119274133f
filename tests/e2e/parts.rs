//! Builds in parts, merged; and data sets that grow.

use predicates::str::contains;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tests::harness::{BuiltDataset, Collection, Program, Tree, json_line};

/// What short tracks need.
pub const SHORT: [&str; 4] = ["--clip-samples", "32768", "--min-seconds", "1"];

/// `preprocess build` of a collection of short tracks.
pub fn build(collection: &Collection, out: &Path, more: &[&str]) -> std::process::Command {
    let mut command = Program::Preprocess.process(collection.build_arguments(out));
    command.args(SHORT).args(more);
    command
}

#[test]
fn parts_built_side_by_side_are_merged_to_the_bytes_of_one_build() {
    let collection = Collection::many(530);
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    assert!(
        build(&collection, &at("whole"), &["--drop", "duplicates"])
            .status()
            .unwrap()
            .success()
    );
    let parts: Vec<PathBuf> = (1..=3).map(|number| at(&format!("part-{number}"))).collect();
    let children: Vec<_> = parts
        .iter()
        .enumerate()
        .map(|(at, part)| {
            let number = format!("{}/3", at + 1);
            let mut command = build(
                &collection,
                part,
                &["--drop", "duplicates", "--part", &number, "--jobs", "1"],
            );
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let merge = |parts: &[PathBuf]| {
        let mut command = Program::Preprocess.command(["merge", "--json"]);
        command.arg(at("merged")).args(parts).assert()
    };
    merge(&parts[1..]).code(1).stderr(contains("part 1 of 3 is missing"));
    let line = json_line(&merge(&parts).success());
    assert_eq!((&line["command"], &line["ok"]), (&"merge".into(), &true.into()));
    let (whole, merged) = (Tree::read(&at("whole")).unwrap(), Tree::read(&at("merged")).unwrap());
    assert_eq!(merged.differences(&whole), [""; 0]);
    assert!(merged.paths().any(|path| path == "shards/waveform-00000.safetensors"));
    Program::Preprocess
        .command(["verify"])
        .arg(&parts[0])
        .assert()
        .success();
    Program::Preprocess
        .command(["split"])
        .arg(&parts[0])
        .assert()
        .code(1)
        .stderr(contains("preprocess merge"));
}

#[test]
fn a_part_that_is_none_is_wrong_usage() {
    for part in ["0/3", "4/3", "2", "a/b"] {
        let out = BuiltDataset::empty();
        let mut command = Program::Preprocess.command(Collection::small().build_arguments(&out.path()));
        command
            .args(["--part", part])
            .assert()
            .code(2)
            .stderr(contains("such as 2/4"));
    }
}

#[test]
fn tracks_that_come_later_are_added_and_earlier_runs_splits_hold() {
    let collection = Collection::of_tracks(12);
    let table = fs::read_to_string(collection.metadata()).unwrap();
    let later: Vec<String> = collection.tracks()[8..]
        .iter()
        .map(|track| format!("{},", track.id))
        .collect();
    let is_later = |line: &str| later.iter().any(|id| line.starts_with(id));
    let early: Vec<&str> = table.lines().filter(|line| !is_later(line)).collect();
    fs::write(collection.metadata(), early.join("\n") + "\n").unwrap();
    let aside = |track: &tests::corpus::Track| collection.file(track).with_extension("later");
    for track in &collection.tracks()[8..] {
        fs::rename(collection.file(track), aside(track)).unwrap();
    }
    let dataset = BuiltDataset::of(&collection);
    dataset.split(&["--strategy", "random", "--name", "mine"]).success();
    let shard = fs::metadata(dataset.path().join("shards/waveform-00000.safetensors")).unwrap();
    for track in &collection.tracks()[8..] {
        fs::rename(aside(track), collection.file(track)).unwrap();
    }
    fs::write(collection.metadata(), table).unwrap();
    let mut command = Program::Preprocess.command(collection.build_arguments(&dataset.path()));
    let line = json_line(&command.arg("--json").assert().success());
    assert_eq!((line["before"].as_u64(), line["kept"].as_u64()), (Some(8), Some(12)));
    let now = fs::metadata(dataset.path().join("shards/waveform-00000.safetensors")).unwrap();
    assert_eq!(now.modified().unwrap(), shard.modified().unwrap());
    assert_eq!(dataset.text("splits/current").trim(), "mine");
    Program::Preprocess
        .command(["verify"])
        .arg(dataset.path())
        .assert()
        .success();
    dataset.split(&["--strategy", "random"]).success();
    assert_eq!(dataset.text("splits/current").trim(), "random-0-grown-1");
}
