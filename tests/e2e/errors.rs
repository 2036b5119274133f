//! Messages of errors: each has its cause once.

use super::documentation::root;
use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Collection, Program, json_line};

/// The Rust files below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = directories.iter().flat_map(|directory| sources(directory));
    let files = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(below).collect()
}

/// The messages in a Rust file that print what their error has as its `source()` too.
fn causes_printed_twice(text: &str) -> Vec<&str> {
    let named = Regex::new(r"[^#\w]source: |#\[source\]\s*(?:pub )?\w+: ").unwrap();
    let unnamed = Regex::new(r"\(#\[(?:from|source)\]").unwrap();
    // Each with its variant or type, and for the last variant nothing behind the enum.
    let errors = text
        .split("#[error(")
        .skip(1)
        .filter_map(|error| error.split_once(")]\n"));
    let wrong = errors.filter(|(message, item)| {
        let item = item.split("\n}").next().unwrap_or(item);
        let prints = |name: &str| [":", "}"].iter().any(|end| message.contains(&format!("{{{name}{end}")));
        prints("source") && named.is_match(item) || prints("0") && unnamed.is_match(item)
    });
    wrong.map(|(message, _)| message).collect()
}

#[test]
fn an_error_either_prints_its_cause_or_has_it_as_its_source() {
    let twice = "/// Refused.\n#[error(\"could not read {}: {source}\", path.display())]\nIo {\n  path: PathBuf,\n  source: io::Error,\n}";
    assert_eq!(causes_printed_twice(twice).len(), 1);
    assert_eq!(
        causes_printed_twice("#[error(\"{0}\")]\nStopped(#[from] Stopped),\n").len(),
        1
    );
    assert_eq!(causes_printed_twice(&twice.replace("  source", "  r#source")), [""; 0]);
    assert_eq!(causes_printed_twice(&twice.replace(": {source}", "")), [""; 0]);
    let (mut errors, mut wrong) = (0, Vec::new());
    for part in ["shared/src", "preprocess/src", "train/src", "tests/src"] {
        for path in sources(&root().join(part)) {
            let text = fs::read_to_string(&path).unwrap();
            errors += text.matches("#[error(").count();
            wrong.extend(
                causes_printed_twice(&text)
                    .iter()
                    .map(|message| format!("{}: {message}", path.display())),
            );
        }
    }
    assert!(errors > 100, "{errors}");
    assert!(
        wrong.is_empty(),
        "messages that print their source:\n{}",
        wrong.join("\n")
    );
}

/// The message of a command that fails.
fn message(program: Program, arguments: &[&str]) -> String {
    let failed = program.command(arguments).arg("--json").assert().failure();
    json_line(&failed)["error"].as_str().unwrap().to_owned()
}

#[test]
fn messages_of_failed_commands_repeat_nothing() {
    let root = TempDir::new().unwrap();
    let path = |name: &str| root.path().join(name).display().to_string();
    let dataset = BuiltDataset::small().copy();
    dataset.split(&["--strategy", "random", "--name", "main"]).success();
    let data = dataset.path().display().to_string();
    let collection = Collection::of_tracks(1);
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
