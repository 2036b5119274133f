//! Behaviour of all commands: `--help`, exit status 2 for usage errors, `--json` and `--quiet`.

use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty};
use tests::harness::{BuiltDataset, Collection, Program, json_line, stderr_text, stdout_text};

const COMMANDS: [&str; 4] = ["build", "split", "verify", "inspect"];

#[test]
fn help_and_version_are_printed_to_stdout() {
    for (program, name) in [(Program::Preprocess, "preprocess"), (Program::Train, "train")] {
        let version = stdout_text(&program.command(["--version"]).assert().success());
        let begin = format!("{name} {}", env!("CARGO_PKG_VERSION"));
        assert!(version.starts_with(&begin) && version.lines().count() == 1, "{version}");
    }
    for command in COMMANDS {
        Program::Preprocess
            .command([command, "--help"])
            .assert()
            .success()
            .stdout(contains("Usage").and(contains("Examples")));
    }
}

#[test]
fn usage_errors_exit_with_status_2_and_write_nothing() {
    let dataset = BuiltDataset::empty();
    let out = dataset.path().display().to_string();
    let collection = Collection::first_tracks(1);
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
fn json_line_is_printed_after_success_and_failure() {
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
fn usage_errors_are_json_with_the_json_flag() {
    for (program, line, expected) in [
        (Program::Preprocess, "--json bake", "bake"),
        (Program::Preprocess, "build --json", "--out"),
        (Program::Preprocess, "build --out o --louder --json", "--louder"),
        (Program::Preprocess, "build --source radio --json --out o", "radio"),
        (
            Program::Preprocess,
            "split d --group-by artist --strategy random --json",
            "--strategy grouped",
        ),
        (
            Program::Preprocess,
            "build --source fma --audio a --out o --json",
            "--metadata",
        ),
        (Program::Train, "--json", "subcommand"),
        (Program::Train, "eval --json", "--run"),
        (Program::Train, "--json fit --run r --louder", "--louder"),
        (Program::Train, "eval --run r --set validation --json", "validation"),
        (Program::Train, "eval --run r --device abacus --json", "abacus"),
        (Program::Train, "fit --run r --json", "--data"),
    ] {
        let refused = program.command(line.split(' ')).assert().code(2);
        let output = refused.get_output();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(printed.lines().count(), 1, "{line}: {printed}");
        let object = json_line(&refused);
        assert_eq!(
            (&object["ok"], &object["kind"]),
            (&false.into(), &"usage".into()),
            "{line}"
        );
        let error = object["error"].as_str().unwrap();
        assert!(error.contains(expected), "{line}: {error}");
        assert!(
            !error.starts_with("error") && !error.contains("Usage:") && !error.contains('\n'),
            "{line}: {error}"
        );
        assert!(!output.stderr.is_empty(), "{line}");
    }
    // No JSON without the flag, or for help.
    for program in [Program::Preprocess, Program::Train] {
        program.command(["bake"]).assert().code(2).stdout(is_empty());
        let help = program.command(["--help", "--json"]).assert().success();
        help.stdout(contains("Usage:").and(contains("\"ok\"").not()));
    }
}

#[test]
fn failures_have_the_kind_failed() {
    for (program, line) in [
        (Program::Preprocess, "inspect no-such-directory --json"),
        (Program::Train, "eval --run no-such-directory --json"),
    ] {
        let failed = program.command(line.split(' ')).assert().code(1);
        assert_eq!(json_line(&failed)["kind"], "failed", "{line}");
    }
}

#[test]
fn quiet_omits_progress_and_keeps_results_and_warnings() {
    let dataset = BuiltDataset::small().copy();
    let path = dataset.path().display().to_string();
    for command in ["split", "verify", "inspect"] {
        // The first call makes the split. It exists in the next two calls, which must print the same.
        Program::Preprocess.command([command, &path]).assert().success();
        let normal = Program::Preprocess.command([command, &path]).assert().success();
        let quiet = Program::Preprocess.command([command, &path, "-q"]).assert().success();
        assert_eq!(normal.get_output().stdout, quiet.get_output().stdout, "{command}");
        let stderr = stderr_text(&quiet);
        assert!(
            stderr.lines().all(|line| line.starts_with("warning: ")),
            "{command}: {stderr}"
        );
    }
    let collection = Collection::first_tracks(2);
    let build = |more: &[&str]| {
        let out = BuiltDataset::empty();
        let mut command = Program::Preprocess.command(collection.build_arguments(&out.path()));
        command.args(more).assert().success()
    };
    build(&[]).stderr(contains("2 tracks"));
    let quiet = build(&["-q"]).stdout(contains("kept      2 tracks"));
    let quiet = stderr_text(&quiet);
    assert!(quiet.lines().all(|line| line.starts_with("warning: ")), "{quiet}");
    let warned = build(&["-q", "--preset", "fma_small"]);
    let warned = warned
        .stdout(contains("kept      2 tracks"))
        .stderr(contains("2 tracks\n").not());
    warned.stderr(contains("warning: fma_small should have"));
    let models = |more: &[&str]| Program::Train.command(["models"]).args(more).assert().success();
    assert_eq!(models(&[]).get_output().stdout, models(&["-q"]).get_output().stdout);
}

#[test]
fn inspect_draws_a_track_as_png() {
    let dataset = BuiltDataset::small().copy();
    let id = dataset.table("tracks.csv")[0]["track_id"].clone();
    let root = tempfile::tempdir().unwrap();
    let png = root.path().join("track.png");
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
