//! Runs `scripts/python` and the tests of its package if a Python with the required modules is available, and compares
//! the scripts' output with the tables of the data set.

use super::page::root;
use crate::papers::{fit, tagged};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::corpus::Layout;
use tests::harness::{BuiltDataset, Collection, Program, copy_directory};

/// A Python with numpy and safetensors: python3, or one in a virtual environment in target/. If
/// CRATEDIGGER_PYTHON_TESTS is 1, it also has mypy and onnxruntime, and the environment is created, which needs the
/// network. Prints the reason and returns `None` if there is neither.
pub fn interpreter() -> Option<&'static Path> {
    static INTERPRETER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let install = std::env::var_os("CRATEDIGGER_PYTHON_TESTS").is_some_and(|value| value == "1");
        let modules = if install { ALL_MODULES } else { MODULES };
        let own = root().join("target/python/bin/python");
        if let Some(python) = [Path::new("python3"), &own]
            .into_iter()
            .find(|python| has(python, modules))
        {
            return Some(python.to_owned());
        }
        if !install {
            println!("skipped: python3 lacks {MODULES}; CRATEDIGGER_PYTHON_TESTS=1 installs them into target/python");
            return None;
        }
        let script = format!(
            "python3 -m venv target/python && {} -m pip install --quiet {}",
            own.display(),
            ALL_MODULES.replace(',', "")
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {}", text_of(&output));
        Some(own)
    });
    INTERPRETER.as_deref()
}

const MODULES: &str = "numpy, safetensors";
const ALL_MODULES: &str = "numpy, safetensors, mypy, onnxruntime";

fn has(python: &Path, modules: &str) -> bool {
    let output = Command::new(python).args(["-c", &format!("import {modules}")]).output();
    output.is_ok_and(|output| output.status.success())
}

fn dataset() -> &'static BuiltDataset {
    static DATASET: LazyLock<BuiltDataset> = LazyLock::new(|| {
        let dataset = BuiltDataset::small().copy();
        dataset.split("--strategy random --name main").success();
        dataset
    });
    &DATASET
}

/// A command of the interpreter, in `scripts/python`.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(interpreter().unwrap());
    command.args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    command.current_dir(root().join("scripts/python"));
    command
}

fn python(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// The files that the tests of the package read. `scripts/python/tests/test_files.py` lists them.
fn files() -> &'static Path {
    static FILES: LazyLock<TempDir> = LazyLock::new(|| {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        let run = |program: Program, words: &str, named: &[(&str, &str)]| {
            let mut command = program.command(words.split(' '));
            for (flag, name) in named {
                command.arg(flag).arg(path(name));
            }
            command.assert().success();
        };
        let collection = Collection::clips(Layout::Fma, 4);
        let short_clips = ["--clip-samples", "24576", "--min-seconds", "1"];
        let mut build = Program::Preprocess.command(collection.build_arguments(&path("data")));
        build.args(short_clips).assert().success();
        for words in [
            "split --strategy random --name main",
            "extend --feature mel --n-mels 64",
        ] {
            let mut command = Program::Preprocess.command(words.split(' '));
            command.arg(path("data")).assert().success();
        }
        copy_directory(&tagged().path(), &path("tags")).unwrap();
        for (data, model, name, embeddings) in [
            ("data", "mm-crnn", "run", "embeddings.safetensors"),
            ("tags", "choi-crnn", "tags-run", "tags-embeddings.safetensors"),
        ] {
            fit(&path(data), model, &path(name), &["--augment", "none"])
                .assert()
                .success();
            run(Program::Train, "eval --device cpu", &[("--run", name)]);
            run(
                Program::Train,
                "embed --device cpu",
                &[("--run", name), ("--out", embeddings)],
            );
        }
        run(Program::Train, "export", &[("--run", "run"), ("--out", "exported")]);
        for run_name in ["run", "tags-run"] {
            let out = format!("onnx/{run_name}");
            run(
                Program::Train,
                "export --format onnx",
                &[("--run", run_name), ("--out", &out)],
            );
        }
        let bench = "bench --model mm-crnn --augment none --batch-size 8 --device cpu";
        run(
            Program::Train,
            bench,
            &[("--data", "data"), ("--outputs", "outputs.safetensors")],
        );
        directory
    });
    FILES.path()
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn python_reads_the_tensors_and_tables_of_a_data_set() {
    if interpreter().is_none() {
        return;
    }
    let data = dataset();
    let path = data.path().display().to_string();
    let output = python(&["read_data_set.py", &path]);
    let text = text_of(&output);
    assert!(output.status.success(), "{text}");
    let tracks = data.table("tracks.csv");
    assert!(
        text.contains(&format!("all {} tracks match tracks.csv", tracks.len())),
        "{text}"
    );

    // The bytes that numpy reads have the checksums of tracks.csv.
    let dump = "import sys; from cratedigger import Dataset; d = Dataset(sys.argv[1]); i = int(sys.argv[2]); \
                sys.stdout.buffer.write((d.mel(i) if sys.argv[3] == 'mel' else d.waveform(i)).tobytes())";
    for row in tracks.iter().step_by(9) {
        for kind in ["waveform", "mel"] {
            let output = python(&["-c", dump, &path, &row["track_id"], kind]);
            let checksum = blake3::hash(&output.stdout).to_hex().to_string();
            assert_eq!(
                checksum,
                row[&format!("{kind}_blake3")],
                "{kind} {}: {}",
                row["track_id"],
                text_of(&output)
            );
        }
    }
}

#[test]
fn python_reports_a_shard_that_does_not_match_tracks_csv() {
    if interpreter().is_none() {
        return;
    }
    let data = dataset().copy();
    let table = data.text("tracks.csv");
    let samples = &data.table("tracks.csv")[0]["samples"];
    let other = "9".repeat(samples.len());
    let changed = table.replacen(&format!(",{samples},"), &format!(",{other},"), 1);
    assert_ne!(changed, table);
    fs::write(data.path().join("tracks.csv"), changed).unwrap();
    let output = python(&["read_data_set.py", &data.path().display().to_string()]);
    let text = text_of(&output);
    assert!(
        !output.status.success()
            && text.starts_with("tracks")
            && text.contains("as in tracks.csv; run `preprocess verify`"),
        "{text}"
    );
}

#[test]
fn tests_of_the_package_pass() {
    if interpreter().is_none() {
        return;
    }
    let mut tests = command(&["-m", "unittest", "discover", "tests"]);
    let output = tests.env("CRATEDIGGER_TEST_FILES", files()).output().unwrap();
    let text = text_of(&output);
    assert!(output.status.success() && text.trim().ends_with("\nOK"), "{text}");
}

#[test]
fn onnxruntime_gives_the_logits_of_exported_runs() {
    let Some(interpreter) = interpreter() else { return };
    if !has(interpreter, "onnxruntime") {
        println!("skipped: {} has no onnxruntime", interpreter.display());
        return;
    }
    let path = |name: &str| files().join(name).display().to_string();
    let output = python(&["../bench/onnx_check.py", &path("onnx/run"), &path("onnx/tags-run")]);
    let text = text_of(&output);
    assert!(output.status.success() && text.matches("agrees").count() == 6, "{text}");

    // A file whose logits are other ones, and one that is no export.
    let other = TempDir::new().unwrap();
    copy_directory(&files().join("onnx/run"), other.path()).unwrap();
    fs::copy(
        files().join("onnx/tags-run/model.onnx"),
        other.path().join("model.onnx"),
    )
    .unwrap();
    for directory in [other.path().display().to_string(), path("run")] {
        let output = python(&["../bench/onnx_check.py", &directory]);
        let text = text_of(&output);
        assert!(!output.status.success() && text.contains("cannot be checked"), "{text}");
    }
}

#[test]
fn types_of_the_package_are_checked() {
    let Some(interpreter) = interpreter() else { return };
    if !has(interpreter, "mypy") {
        println!("skipped: {} has no mypy", interpreter.display());
        return;
    }
    // The settings are in pyproject.toml.
    let output = python(&[
        "-m",
        "mypy",
        "--cache-dir",
        "/dev/null",
        "cratedigger",
        "tests",
        "read_data_set.py",
    ]);
    assert!(output.status.success(), "{}", text_of(&output));
}

#[test]
fn torch_draws_clips_from_the_shards() {
    let Some(interpreter) = interpreter() else { return };
    if !has(interpreter, "torch") {
        println!("skipped: {} has no torch", interpreter.display());
        return;
    }
    let script = fs::read_to_string(root().join("scripts/python/torch_data_set.py")).unwrap();
    assert!(script.lines().count() < 60);
    let data = dataset();
    let output = python(&["torch_data_set.py", &data.path().display().to_string()]);
    let text = text_of(&output);
    assert!(output.status.success(), "{text}");
    let train = data.table("splits/main/train.csv").len();
    assert!(
        text.contains(&format!("epoch of {train} tracks in {} batches", train.div_ceil(4))),
        "{text}"
    );
    assert!(text.contains("clips (4, 524288) torch.float32"), "{text}");

    // A clip is a normalized range of samples in the shard.
    let check = "import sys, torch; from torch_data_set import Clips; from cratedigger import Dataset; \
                 d = Dataset(sys.argv[1]); c = Clips(d); torch.manual_seed(1); clip, label = c[0]; \
                 whole = d.waveform(c.ids[0]); n = d.split().normalization; \
                 back = torch.round((clip * n.waveform_std + n.waveform_mean) * 32768).to(torch.int16).numpy(); \
                 at = [b for b in range(len(whole) - len(back) + 1) if whole[b] == back[0] and (whole[b:b+len(back)] == back).all()]; \
                 print('{\"places\": %d, \"label\": \"%s\"}' % (len(at), d.classes[label]))";
    let output = python(&["-c", check, &data.path().display().to_string()]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text_of(&output)));
    assert_eq!(answer["places"], 1);
    assert_eq!(
        answer["label"],
        data.table("tracks.csv")
            .iter()
            .find(|row| {
                let first = &data.table("splits/main/train.csv")[0]["track_id"];
                row["track_id"] == *first
            })
            .unwrap()["labels"]
            .as_str()
    );
}
