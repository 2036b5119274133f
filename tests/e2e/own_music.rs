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
    let mut dry_run = Program::Preprocess.command(["build", "--dry-run", "--json", "--out"]);
    let predicted = json_line(&dry_run.arg(dataset.path()).assert().success());
    assert_eq!(
        (&predicted["before"], &predicted["tracks"]),
        (&3.into(), &2.into()),
        "{predicted}"
    );
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

#[test]
fn own_table_is_built_and_its_split_is_used_by_another_build() {
    let (music, dataset, other) = (BuiltDataset::empty(), BuiltDataset::empty(), BuiltDataset::empty());
    let root = music.path();
    folder(&root);
    let rows = [
        "path,label,artist,split,bpm",
        "Loud/two.wav,Loud;fast,Duo,train,120",
        "Quiet/Somebody/three.mp3,Quiet,,test,60",
        "gone.wav,Quiet,,test,60",
        "../outside.wav,Quiet,,test,60",
    ];
    let table = root.join("table.csv");
    fs::write(&table, rows.join("\n")).unwrap();
    let build = |out: &Path, more: &str| {
        let mut command = Program::Preprocess.command(["build", "--source", "csv", "--json", "--metadata"]);
        command.arg(&table).arg("--out").arg(out);
        command.args(SMALL_FEATURES.split(' ')).args(more.split_whitespace());
        json_line(&command.assert().success())
    };
    let line = build(&dataset.path(), "");
    assert_eq!(line["classes"], serde_json::json!(["Loud", "Quiet", "fast"]));
    let notes = line["notes"].to_string();
    assert!(notes.contains("that are not used: `bpm`"), "{notes}");
    assert!(notes.contains("no artist was found in the tags"), "{notes}");
    let mut dropped: Vec<String> = dataset.rejected().into_values().collect();
    dropped.sort();
    assert_eq!(dropped, ["missing_file", "outside"]);
    dataset.split("--strategy official").success();
    let file = root.join("split.csv");
    let export = format!("--export {}", file.display());
    dataset
        .split(&export)
        .success()
        .stdout(contains("1 train, 0 val, 1 test tracks"));
    // A build of all files, with other settings.
    let mut command = Program::Preprocess.command(["build", "--source", "folder", "--audio"]);
    command.arg(&root).arg("--out").arg(other.path());
    command.args(SMALL_FEATURES.split(' ')).args(["--max-seconds", "5"]);
    command.assert().success();
    let line = json_line(
        &other
            .split(&format!("--from {}", file.display()))
            .success()
            .stderr(contains("1 of 3 tracks of")),
    );
    assert_eq!((&line["missing"], &line["left_out"]), (&0.into(), &1.into()), "{line}");
    let read = |dataset: &BuiltDataset| dataset.text("splits/official/test.csv");
    assert!(read(&dataset).contains(",Quiet") && read(&dataset) == read(&other));
    fs::write(&table, "path,label\na.wav,Loud\n./a.wav,Quiet\n").unwrap();
    let mut command = Program::Preprocess.command(["build", "--source", "csv", "--metadata"]);
    let refused = command.arg(&table).arg("--out").arg(music.path().join("out")).assert();
    refused.code(1).stderr(contains("line 3: a.wav is already in line 2"));
}
