//! No command writes a file that a user names into a data set or a run.

use crate::papers::{fit, genres};
use regex::Regex;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tests::harness::{Collection, Program, Tree, stderr_text, stdout_text};

/// An option that names a file or directory to write: the command line before it, the option, and the ending of its
/// files.
type Output = (&'static str, &'static str, &'static str);

/// Options of either program that name files to read.
const READ: [(&str, &str); 12] = [
    ("build", "--audio"),
    ("build", "--metadata"),
    ("split", "--from"),
    ("verify", "--audio"),
    ("inspect", "--compare-normalization"),
    ("fit", "--config"),
    ("sweep", "--config"),
    ("lr-find", "--config"),
    ("embed", "--init-from"),
    ("import", "--weights"),
    ("import", "--labels"),
    ("import", "--normalization"),
];

/// Each command with the options whose values are files or directories.
fn file_options(program: Program) -> BTreeSet<(String, String)> {
    let help = |words: &[&str]| stdout_text(&program.command(words).arg("--help").assert().success());
    let all = help(&[]);
    let commands = all.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let option = Regex::new(r"(?m)^ +(?:-\w, )?(--[a-z0-9-]+) <(?:FILE|DIR)").unwrap();
    let mut options = BTreeSet::new();
    for command in commands.lines().filter_map(|line| line.split_whitespace().next()) {
        if command != "help" {
            let help = help(&[command]);
            let found = option.captures_iter(&help);
            options.extend(found.map(|found| (command.to_owned(), found[1].to_owned())));
        }
    }
    options
}

/// Runs each command with its output in each directory, and expects that it is refused and changes nothing. `paths` are
/// the words of the command lines that stand for paths.
fn check(program: Program, outputs: &[Output], paths: &[(&str, &Path)], owned: &[(&Path, &str)]) {
    let trees = || {
        owned
            .iter()
            .map(|(root, _)| Tree::read(root).unwrap())
            .collect::<Vec<_>>()
    };
    let before = trees();
    for (line, flag, ending) in outputs {
        let path = |word: &str| match paths.iter().find(|(name, _)| *name == word) {
            Some((_, path)) => path.to_path_buf(),
            None => PathBuf::from(word),
        };
        let words: Vec<PathBuf> = line.split(' ').map(path).collect();
        for (root, kind) in owned {
            for name in [format!("new{ending}"), format!("new/new{ending}")] {
                let mut command = program.command(&words);
                let refused = command.arg(flag).arg(root.join(&name)).assert().code(1);
                let message = stderr_text(&refused);
                let expected = format!("is in the {kind} ");
                assert!(
                    message.contains(flag) && message.contains(&expected),
                    "{line} {flag}: {message}"
                );
            }
        }
    }
    for ((before, after), (root, _)) in before.iter().zip(&trees()).zip(owned) {
        assert_eq!(before.differences(after), [""; 0], "{}", root.display());
    }
    let command = |line: &str| line.split(' ').next().unwrap().to_owned();
    let mut known: BTreeSet<(String, String)> = READ
        .iter()
        .map(|(name, option)| (command(name), (*option).into()))
        .collect();
    known.extend(outputs.iter().map(|(line, flag, _)| (command(line), (*flag).into())));
    let unchecked: Vec<_> = file_options(program).difference(&known).cloned().collect();
    assert_eq!(unchecked, [], "these options are neither in READ nor checked");
}

#[test]
fn preprocess_writes_no_output_into_a_data_set_or_a_run() {
    let root = TempDir::new().unwrap();
    let (run, data) = (root.path().join("run"), genres().copy());
    fit(&data.path(), "mfcc-dense", &run, &[]).assert().success();
    let track = &data.table("tracks.csv")[0]["track_id"];
    let outputs = [
        ("inspect DATA", "--html", ".html"),
        ("inspect DATA", "--analysis", ""),
        ("inspect DATA --labels", "--svg", ".svg"),
        ("inspect DATA --track TRACK", "--png", ".png"),
        ("split DATA", "--export", ".csv"),
    ];
    check(
        Program::Preprocess,
        &outputs,
        &[("DATA", &data.path()), ("TRACK", Path::new(track))],
        &[(&data.path(), "data set"), (&run, "run")],
    );
}

#[test]
fn train_writes_no_output_into_a_data_set_or_a_run() {
    let root = TempDir::new().unwrap();
    let (run, set, data) = (root.path().join("run"), root.path().join("set"), genres().copy());
    fit(&data.path(), "mfcc-dense", &run, &[]).assert().success();
    fit(&data.path(), "mfcc-dense", &set, &["--seeds", "2"])
        .assert()
        .success();
    let (music, song) = (Collection::gtzan().audio(), Collection::first_tracks(1));
    let song = song.file(&song.tracks()[0]);
    let outputs = [
        ("lr-find --device cpu --data DATA --model cnn1d", "--out", ""),
        ("report RUN", "--html", ".html"),
        ("report RUN", "--csv", ".csv"),
        ("runs ROOT", "--html", ".html"),
        ("predict --device cpu --force --run RUN SONG", "--csv", ".csv"),
        ("predict --device cpu --force --run RUN SONG", "--timeline", ".svg"),
        ("similar --device cpu --force --run RUN MUSIC SONG", "--csv", ".csv"),
        (
            "similar --device cpu --force --run RUN MUSIC SONG",
            "--playlist",
            ".m3u8",
        ),
        ("export --run RUN", "--out", ""),
        ("embed --device cpu --force --run RUN", "--out", ".safetensors"),
        ("embed --device cpu --force --run RUN SONG", "--out", ".safetensors"),
        ("bench --device cpu --data DATA --model mfcc-dense", "--csv", ".csv"),
        (
            "bench --device cpu --data DATA --model mfcc-dense",
            "--outputs",
            ".safetensors",
        ),
    ];
    let read = [
        ("DATA", data.path()),
        ("RUN", run.clone()),
        ("ROOT", root.path().to_owned()),
        ("SONG", song),
        ("MUSIC", music),
    ];
    let read: Vec<(&str, &Path)> = read.iter().map(|(name, path)| (*name, &**path)).collect();
    let data = data.path();
    for directory in ["new", "splits/new", "."] {
        let refused = fit(&data, "mfcc-dense", &data.join(directory), &[]).assert().code(1);
        assert!(stderr_text(&refused).contains("is in the data set "));
    }
    let mut sweep =
        Program::Train.command("sweep --device cpu --model mfcc-dense --epochs 1 --grid lr=0.1,0.2".split(' '));
    sweep.arg("--data").arg(&data).arg("--sweep").arg(data.join("new"));
    assert!(stderr_text(&sweep.assert().code(1)).contains("is in the data set "));
    let owned = [(&*data, "data set"), (&run, "run"), (&set, "set of runs")];
    check(Program::Train, &outputs, &read, &owned);
}
