//! Data sets from a folder of one's own music that grows or has directories with unusual names.

use super::sources::{SMALL_FEATURES, folder};
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tests::harness::{BuiltDataset, Program, json_line};

fn build(music: &Path, out: &Path) -> Value {
    let mut command = Program::Preprocess.command(["build", "--source", "folder", "--audio"]);
    command.arg(music).arg("--out").arg(out).args(SMALL_FEATURES.split(' '));
    command.args(["--max-seconds", "5", "--drop", "duplicates"]);
    json_line(&command.arg("--json").assert().success())
}

#[test]
fn growing_a_data_set_reuses_its_settings() {
    let (music, dataset, complete) = (BuiltDataset::empty(), BuiltDataset::empty(), BuiltDataset::empty());
    folder(&music.path());
    build(&music.path(), &dataset.path());
    fs::rename(music.path().join("loose.wav"), music.path().join("Loud/another.wav")).unwrap();
    let mut grow = Program::Preprocess.command(["build", "--json", "--out"]);
    let line = json_line(&grow.arg(dataset.path()).assert().success());
    assert_eq!((&line["before"], &line["processed"]), (&3.into(), &2.into()), "{line}");
    build(&music.path(), &complete.path());
    let [grown, complete] =
        [&dataset, &complete].map(|built| -> Value { serde_json::from_str(&built.text("build.json")).unwrap() });
    assert_eq!(grown, complete);
    // Another value of a setting is refused and nothing is changed.
    let mut other = Program::Preprocess.command(["build", "--n-mels", "64", "--out"]);
    let other = other.arg(dataset.path()).assert().code(1);
    other.stderr(contains("n_mels was 32 and is now 64"));
    let unchanged: Value = serde_json::from_str(&dataset.text("build.json")).unwrap();
    assert_eq!(grown, unchanged);
}

#[test]
fn similar_or_missing_class_names_give_warnings() {
    let (music, dataset) = (BuiltDataset::empty(), BuiltDataset::empty());
    let root = music.path();
    folder(&root);
    for class in ["loud", "Caf\u{e9}", "Cafe\u{301}", "NaN"] {
        fs::create_dir(root.join(class)).unwrap();
        fs::copy(root.join("loose.wav"), root.join(class).join("a.wav")).unwrap();
    }
    fs::create_dir(root.join("Broken")).unwrap();
    fs::write(root.join("Broken/a.wav"), "no sound").unwrap();
    let line = build(&root, &dataset.path());
    let warnings: Vec<&str> = line["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect();
    for (at, expected) in [
        "`Loud`, `loud`",
        r"(Caf\u{e9})",
        "1 track has the label `NaN`",
        "`Broken`",
    ]
    .iter()
    .enumerate()
    {
        let named = warnings.iter().filter(|warning| warning.contains(expected)).count();
        assert_eq!(named, 1, "{at}: {expected} in {warnings:?}");
    }
}
