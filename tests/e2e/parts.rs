//! Builds in parts and their merge; data sets that grow.

use predicates::str::contains;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tests::harness::{BuiltDataset, Collection, Program, Tree, json_line};

/// Options for tracks of about one second.
pub const SHORT: [&str; 4] = ["--clip-samples", "32768", "--min-seconds", "1"];

/// `preprocess build` of a collection of short tracks.
pub fn build(collection: &Collection, out: &Path, more: &[&str]) -> std::process::Command {
    let mut command = Program::Preprocess.process(collection.build_arguments(out));
    command.args(SHORT).args(more);
    command
}

#[test]
fn merged_parts_have_the_same_bytes_as_one_build() {
    let collection = Collection::many(530);
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    assert!(
        build(&collection, &at("single"), &["--drop", "duplicates"])
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
    let (single, merged) = (Tree::read(&at("single")).unwrap(), Tree::read(&at("merged")).unwrap());
    assert_eq!(merged.differences(&single), [""; 0]);
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
fn invalid_part_is_a_usage_error() {
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

/// A collection whose last tracks are hidden until it grows.
struct Growing {
    collection: Collection,
    table: String,
    early: usize,
}

impl Growing {
    /// Late tracks are of `class`, or of one that the early tracks have.
    fn new(all: usize, early: usize, class: Option<&str>) -> Self {
        let collection = Collection::first_tracks(all);
        let class = class.unwrap_or(collection.tracks()[0].genre_name());
        let ids: Vec<String> = collection.tracks()[early..]
            .iter()
            .map(|track| format!("{},", track.id))
            .collect();
        let is_late = |line: &str| ids.iter().any(|id| line.starts_with(id));
        for track in &collection.tracks()[early..] {
            collection.edit_metadata(|line| match line.starts_with(&format!("{},", track.id)) {
                true => line.replace(&format!(",{},", track.genre_name()), &format!(",{class},")),
                false => line.to_owned(),
            });
        }
        let table = fs::read_to_string(collection.metadata()).unwrap();
        let known: Vec<&str> = table.lines().filter(|line| !is_late(line)).collect();
        fs::write(collection.metadata(), known.join("\n") + "\n").unwrap();
        for track in &collection.tracks()[early..] {
            let file = collection.file(track);
            fs::rename(&file, file.with_extension("later")).unwrap();
        }
        Self {
            collection,
            table,
            early,
        }
    }

    /// Restores the late tracks and builds again.
    fn grow(&self, dataset: &BuiltDataset) -> serde_json::Value {
        for track in &self.collection.tracks()[self.early..] {
            let file = self.collection.file(track);
            fs::rename(file.with_extension("later"), file).unwrap();
        }
        fs::write(self.collection.metadata(), &self.table).unwrap();
        let mut command = Program::Preprocess.command(self.collection.build_arguments(&dataset.path()));
        json_line(&command.arg("--json").assert().success())
    }
}

#[test]
fn later_tracks_are_added_and_earlier_splits_stay_valid() {
    let growing = Growing::new(12, 8, None);
    let dataset = BuiltDataset::build(&growing.collection);
    dataset.split("--strategy random --name mine").success();
    let shard = || fs::metadata(dataset.path().join("shards/waveform-00000.safetensors")).unwrap();
    let before = shard().modified().unwrap();
    let line = growing.grow(&dataset);
    assert_eq!((line["before"].as_u64(), line["kept"].as_u64()), (Some(8), Some(12)));
    assert_eq!(shard().modified().unwrap(), before);
    assert_eq!(dataset.text("splits/current").trim(), "mine");
    Program::Preprocess
        .command(["verify"])
        .arg(dataset.path())
        .assert()
        .success();
    dataset.split("--strategy random").success();
    assert_eq!(dataset.text("splits/current").trim(), "random-0-grown-1");
}

fn fit(data: &Path, run: &Path, more: &[&str]) {
    let mut command = Program::Train.command(["fit", "--device", "cpu"]);
    command
        .arg("--data")
        .arg(data)
        .arg("--run")
        .arg(run)
        .args(more)
        .assert()
        .success();
}

#[test]
fn resumed_run_ignores_tracks_and_classes_added_to_the_data_set() {
    // The first of all classes moves the others.
    let growing = Growing::new(12, 8, Some("Ambient"));
    let dataset = BuiltDataset::build(&growing.collection);
    dataset
        .split("--strategy random --ratios 50,25,25 --name mine")
        .success();
    let (root, before) = (tempfile::tempdir().unwrap(), dataset.copy());
    let (uninterrupted, run) = (root.path().join("uninterrupted"), root.path().join("run"));
    let begin = ["--model", "cnn1d", "--batch-size", "2", "--epochs"];
    fit(&before.path(), &uninterrupted, &[&begin[..], &["2"]].concat());
    fit(&dataset.path(), &run, &[&begin[..], &["1"]].concat());
    let combined = root.path().join("combined");
    let mut embed = Program::Train.command("embed --device cpu --classify svm --c 1 --run".split(' '));
    embed.arg(&run).arg("--save-run").arg(&combined).assert().success();
    growing.grow(&dataset);
    fit(&dataset.path(), &run, &["--resume", "--epochs", "2"]);
    let weights = |run: &Path| fs::read(run.join("best.safetensors")).unwrap();
    assert_eq!(weights(&run), weights(&uninterrupted));
    for run in [&run, &combined] {
        let mut eval = Program::Train.command(["eval", "--device", "cpu", "--run"]);
        eval.arg(run).assert().success();
    }
}

#[test]
fn extended_data_set_with_other_mel_settings_can_be_trained_on() {
    let dataset = BuiltDataset::build(&Collection::first_tracks(6));
    dataset
        .split("--strategy random --ratios 50,25,25 --name mine")
        .success();
    let extend = |more: &[&str]| {
        let mut command = Program::Preprocess.command(["extend", "--json", "--feature", "mel"]);
        command.arg(dataset.path()).args(more).assert()
    };
    extend(&[]).code(1).stderr(contains("already has these features"));
    let line = json_line(&extend(&["--n-fft", "2048"]).success());
    assert_eq!(
        (line["made"].as_u64(), line["splits"][0].as_str()),
        (Some(6), Some("mine"))
    );
    let set = dataset.path().join("features/mel-128-2048-1024");
    let root = tempfile::tempdir().unwrap();
    fit(
        &set,
        &root.path().join("run"),
        &["--model", "cnn2d", "--batch-size", "2", "--epochs", "1", "--verify"],
    );
    Program::Preprocess
        .command(["verify"])
        .arg(dataset.path())
        .assert()
        .success();
    assert_eq!(json_line(&extend(&["--n-fft", "2048"]).success())["made"], 0);
}
