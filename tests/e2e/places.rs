//! Unreadable and unwritable paths, unusual file names and almost empty collections: `preprocess` reports an error or
//! builds a correct data set.

use predicates::str::contains;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use tests::harness::{BuiltDataset, Collection, Program, json_line, on_a_small_disk, stderr};

/// Runs `preprocess` without root's right to ignore file permissions. Prints the reason and returns `None` if that is
/// not possible.
fn unprivileged(arguments: &[String]) -> Option<Output> {
    let mut command = Command::new("unshare");
    let tried = Command::new("unshare").args(["--user", "true"]).status();
    if !tried.is_ok_and(|status| status.success()) {
        println!("skipped: could not create a user namespace");
        return None;
    }
    command.arg("--user").arg(Program::Preprocess.path()).args(arguments);
    Some(command.output().unwrap())
}

/// The error message of a failed program.
fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = stderr(output);
    assert!(message.starts_with("error: "), "{message}");
    message
}

fn with_mode(path: &Path, mode: u32, act: impl FnOnce()) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    act();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn paths_without_permission_are_reported() {
    let collection = Collection::first_tracks(2);
    let root = tempfile::tempdir().unwrap();
    let closed = root.path().join("closed");
    fs::create_dir(&closed).unwrap();
    let out = closed.join("dataset");
    with_mode(&closed, 0o555, || {
        let Some(output) = unprivileged(&collection.build_arguments(&out)) else {
            return;
        };
        let message = error(&output);
        assert!(
            message.contains("closed/dataset") && message.contains("Permission denied"),
            "{message}"
        );
    });
    with_mode(&collection.audio(), 0o000, || {
        let Some(output) = unprivileged(&collection.build_arguments(&out)) else {
            return;
        };
        let message = error(&output);
        assert!(
            message.contains("audio") && message.contains("Permission denied"),
            "{message}"
        );
    });
    // An unreadable file only drops its track.
    let file = collection.file(&collection.tracks()[0]);
    let open = root.path().join("dataset");
    with_mode(&file, 0o000, || {
        let Some(output) = unprivileged(&collection.build_arguments(&open)) else {
            return;
        };
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let rejected = fs::read_to_string(open.join("rejected.csv")).unwrap();
        assert!(
            rejected.contains("io_error") && rejected.contains("Permission denied"),
            "{rejected}"
        );
    });
    let dataset = BuiltDataset::small().copy();
    let words = ["split".to_owned(), dataset.path().display().to_string()];
    with_mode(&dataset.path(), 0o555, || {
        let Some(output) = unprivileged(&words) else { return };
        let message = error(&output);
        assert!(
            message.contains("splits") && message.contains("Permission denied"),
            "{message}"
        );
    });
}

#[test]
fn read_only_file_system_is_reported() {
    let collection = Collection::first_tracks(2);
    let root = tempfile::tempdir().unwrap();
    let script = r#"mount -o remount,ro "$1" && shift && "$@""#;
    let mut words = vec![Program::Preprocess.path().to_owned()];
    let disk = root.path().join("disk");
    let arguments = collection.build_arguments(&disk.join("dataset"));
    words.extend(arguments.into_iter().map(Into::into));
    let words: Vec<&Path> = words.iter().map(AsRef::as_ref).collect();
    let Some(output) = on_a_small_disk(&disk, 1 << 20, script, &words) else {
        return;
    };
    assert!(error(&output).contains("Read-only file system"), "{output:?}");
}

#[test]
fn file_in_place_of_a_directory_is_reported() {
    let collection = Collection::first_tracks(2);
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let run = |arguments: Vec<String>| {
        Program::Preprocess
            .command(arguments)
            .assert()
            .code(1)
            .stderr(contains("file"))
    };
    run(collection.build_arguments(&file));
    run(collection.build_arguments(&file.join("inside")));
    for command in ["split", "verify"] {
        run(vec![command.to_owned(), file.display().to_string()]);
    }
    run(vec![
        "merge".to_owned(),
        root.path().join("out").display().to_string(),
        file.display().to_string(),
    ]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a directory");
}

#[test]
fn paths_that_are_not_utf8_can_be_used() {
    let collection = Collection::first_tracks(3);
    let root = tempfile::tempdir().unwrap();
    let odd = root.path().join(OsStr::from_bytes(b"mus\xefk"));
    fs::create_dir(&odd).unwrap();
    fs::rename(collection.audio(), odd.join("audio")).unwrap();
    fs::copy(collection.metadata(), odd.join("tracks.csv")).unwrap();
    // An extra file whose name cannot be written to a table.
    fs::write(odd.join("audio").join(OsStr::from_bytes(b"\xff.mp3")), b"x").unwrap();
    let out = odd.join("dataset");
    let mut build = Program::Preprocess.command(["build", "--source", "fma", "--json"]);
    build
        .arg("--audio")
        .arg(odd.join("audio"))
        .arg("--metadata")
        .arg(odd.join("tracks.csv"));
    let line = json_line(&build.arg("--out").arg(&out).assert().success());
    assert_eq!(
        (line["kept"].as_u64(), line["dropped"].as_u64()),
        (Some(3), Some(1)),
        "{line}"
    );
    for command in ["verify", "inspect"] {
        Program::Preprocess.command([command]).arg(&out).assert().success();
    }
}

/// A data set of the first `count` tracks, with a change to each line of their table.
fn dataset_of(count: usize, change: impl Fn(&str) -> String) -> BuiltDataset {
    let collection = Collection::first_tracks(count);
    collection.edit_metadata(change);
    BuiltDataset::build(&collection)
}

#[test]
fn collections_with_few_or_no_tracks_are_built_or_refused() {
    // The only listed file is missing.
    let nothing = Collection::first_tracks(1);
    let file = nothing.file(&nothing.tracks()[0]);
    fs::remove_file(&file).unwrap();
    let refused = BuiltDataset::empty();
    let mut build = Program::Preprocess.command(nothing.build_arguments(&refused.path()));
    build.assert().code(1).stderr(contains("has none of the 1 files"));
    assert!(!refused.path().exists());
    // The only file is empty.
    fs::write(&file, "").unwrap();
    let none = BuiltDataset::empty();
    let mut build = Program::Preprocess.command(nothing.build_arguments(&none.path()));
    build.assert().code(1).stderr(contains("error: no track was kept"));
    assert_eq!(none.table("tracks.csv").len(), 0);
    Program::Preprocess
        .command(["verify"])
        .arg(none.path())
        .assert()
        .success();
    Program::Preprocess
        .command(["inspect"])
        .arg(none.path())
        .assert()
        .success();
    none.split("").code(1).stderr(contains("track"));
    let one = dataset_of(1, str::to_owned);
    one.split("").code(1).stderr(contains("track"));
    assert!(!one.path().join("splits/current").exists());
    // With one class the tracks are still divided into three sets.
    let genre = Collection::first_tracks(1).tracks()[0].genre_name();
    let class = dataset_of(6, |line| {
        let tracks = Collection::small().tracks().iter();
        tracks.fold(line.to_owned(), |line, track| {
            line.replace(&format!(",{},", track.genre_name()), &format!(",{genre},"))
        })
    });
    let line = json_line(&class.split("--ratios 50,25,25").success());
    let tracks = |set: &str| line["counts"][set][genre].as_u64().unwrap();
    assert_eq!(tracks("train") + tracks("val") + tracks("test"), 6);
    assert!(["train", "val", "test"].iter().all(|set| tracks(set) > 0), "{line}");
}

#[test]
fn class_with_fewer_tracks_than_sets_gives_a_warning() {
    let collection = Collection::first_tracks(7);
    let small = BuiltDataset::build(&collection);
    let rows = small.table("tracks.csv");
    let members = |class: &str| rows.iter().filter(|row| row["labels"] == class).count();
    let classes = rows.iter().map(|row| row["labels"].as_str());
    let rare = classes.filter(|class| members(class) < 3).min().unwrap();
    let line = json_line(&small.split("").success());
    let warnings: Vec<&str> = line["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|w| w.as_str())
        .collect();
    assert!(
        warnings.iter().any(|warning| warning.contains("has no track of")),
        "{warnings:?}"
    );
    let scarce = warnings
        .iter()
        .find(|warning| warning.starts_with("classes with too few tracks to be in all 3 sets: "));
    assert!(scarce.is_some_and(|scarce| scarce.contains(rare)), "{warnings:?}");
}
