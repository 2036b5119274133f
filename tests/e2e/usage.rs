//! What holds for every command of `preprocess`: help, exit status 2 for wrong usage, and the last line of JSON.

use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty};
use tests::harness::{BuiltDataset, Collection, Program, json_line};

const COMMANDS: [&str; 4] = ["build", "split", "verify", "inspect"];

#[test]
fn help_and_version_are_on_stdout() {
    Program::Preprocess
        .command(["--version"])
        .assert()
        .success()
        .stdout(contains("preprocess"));
    for command in COMMANDS {
        Program::Preprocess
            .command([command, "--help"])
            .assert()
            .success()
            .stdout(contains("Usage").and(contains("Examples")));
    }
}

#[test]
fn wrong_usage_ends_with_status_2_and_writes_nothing() {
    let dataset = BuiltDataset::empty();
    let out = dataset.path().display().to_string();
    let collection = Collection::of_tracks(1);
    let build = collection.build_arguments(&dataset.path());
    let with = |more: &[&str]| -> Vec<String> {
        let more = more.iter().map(|word| (*word).to_owned());
        build.iter().cloned().chain(more).collect()
    };
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(|word| (*word).to_owned()).collect() };
    for arguments in [
        words(&[]),
        words(&["bake"]),
        words(&["build"]),
        words(&["build", "--source", "fma", "--out", &out]),
        with(&["--jobs", "0"]),
        with(&["--jobs", "many"]),
        with(&["--source", "radio"]),
        with(&["--min-decoded-share", "1.5"]),
        with(&["--preset", "fma_small", "--subset", "large"]),
        with(&["--louder"]),
        words(&["split"]),
        words(&["split", &out, "--strategy", "astrology"]),
        words(&["split", &out, "--group-by", "artist", "--strategy", "random"]),
        words(&["verify"]),
        words(&["verify", &out, "--audio", &out]),
        words(&["inspect", &out, "--track", "2"]),
    ] {
        Program::Preprocess
            .command(&arguments)
            .assert()
            .code(2)
            .stdout(is_empty())
            .stderr(is_empty().not());
    }
    assert!(!dataset.path().exists());
}

#[test]
fn the_last_line_is_json_whether_it_went_well_or_not() {
    let dataset = BuiltDataset::small().copy();
    let path = dataset.path().display().to_string();
    for command in ["split", "verify", "inspect"] {
        let good = Program::Preprocess
            .command([command, &path, "--json"])
            .assert()
            .success();
        assert_eq!(json_line(&good)["ok"], true, "{command}");
        assert_eq!(json_line(&good)["command"], command);
        let bad = Program::Preprocess
            .command([command, "no-such-directory", "--json"])
            .assert()
            .code(1)
            .stderr(contains("no-such-directory"));
        assert_eq!(json_line(&bad)["ok"], false, "{command}");
        let error = json_line(&bad)["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains("no-such-directory"), "{command}: {error}");
    }
}

#[test]
fn quiet_means_quiet() {
    let dataset = BuiltDataset::small().copy();
    let path = dataset.path().display().to_string();
    for command in ["split", "verify", "inspect"] {
        let assert = Program::Preprocess.command([command, &path, "-q"]).assert().success();
        assert.stdout(is_empty());
    }
    let (collection, out) = (Collection::of_tracks(1), BuiltDataset::empty());
    Program::Preprocess
        .command(collection.build_arguments(&out.path()))
        .arg("-q")
        .assert()
        .success()
        .stdout(is_empty())
        .stderr(is_empty());
}

#[test]
fn inspect_draws_a_track() {
    let dataset = BuiltDataset::small().copy();
    let id = dataset.table("tracks.csv")[0]["track_id"].clone();
    let png = dataset.path().join("track.png");
    let mut command = Program::Preprocess.command(["inspect", "--track", &id, "--png"]);
    command.arg(&png).arg(dataset.path()).assert().success();
    let picture = std::fs::read(&png).unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000);
    let mut unknown = Program::Preprocess.command(["inspect", "--track", "123456789", "--png"]);
    unknown
        .arg(&png)
        .arg(dataset.path())
        .assert()
        .code(1)
        .stderr(contains("123456789"));
}
