//! Error messages do not repeat their cause.

use std::fs;
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Collection, Program, json_line};

/// The error message of a failing command.
fn message(program: Program, arguments: &[&str]) -> String {
    let failed = program.command(arguments).arg("--json").assert().failure();
    json_line(&failed)["error"].as_str().unwrap().to_owned()
}

#[test]
fn error_messages_do_not_repeat_a_part() {
    let root = TempDir::new().unwrap();
    let path = |name: &str| root.path().join(name).display().to_string();
    let dataset = BuiltDataset::small().copy();
    dataset.split("--strategy random --name main").success();
    let data = dataset.path().display().to_string();
    let collection = Collection::first_tracks(1);
    let built = collection.build_arguments(&dataset.path());
    let (audio, metadata) = (built[4].as_str(), built[6].as_str());
    assert_eq!((built[3].as_str(), built[5].as_str()), ("--audio", "--metadata"));
    fs::write(path("file"), "x").unwrap();
    fs::create_dir_all(path("index/dataset.json")).unwrap();
    let below_file = path("file/below");
    let fit = [
        "fit", "--model", "cnn1d", "--device", "cpu", "--epochs", "1", "--data", &data,
    ];
    let fit_with = |more: &[&str]| message(Program::Train, &[&fit[..], more].concat());
    let preprocess = |arguments: &[&str]| message(Program::Preprocess, arguments);
    let fma = ["build", "--source", "fma", "--audio"];
    let messages = [
        preprocess(&[&fma[..], &[audio, "--metadata", &path("none.csv"), "--out", &path("a")]].concat()),
        preprocess(&[&fma[..], &[audio, "--metadata", audio, "--out", &path("a")]].concat()),
        preprocess(&[&fma[..], &[audio, "--metadata", metadata, "--out", &below_file]].concat()),
        preprocess(&["inspect", &data, "--html", &below_file]),
        preprocess(&["inspect", &path("index")]),
        preprocess(&["merge", &path("b"), &data]),
        fit_with(&["--run", &below_file]),
        fit_with(&["--run", &path("c"), "--cache", "local", &below_file]),
        fit_with(&[
            "--run",
            &path("d"),
            "--background",
            &path("none"),
            "--augment",
            "background",
        ]),
        fit_with(&["--run", &path("e"), "--init-from", &path("none.pt")]),
        message(Program::Train, &["report", &path("none")]),
        message(Program::Train, &["runs", &path("none")]),
        message(Program::Train, &["eval", "--run", &path("none")]),
    ];
    for message in messages {
        let mut parts: Vec<&str> = message.split(": ").flat_map(|part| part.split("; ")).collect();
        let all = parts.len();
        parts.sort_unstable();
        parts.dedup();
        assert_eq!(parts.len(), all, "{message}");
        assert!(message.matches("(os error").count() <= 1, "{message}");
    }
}
