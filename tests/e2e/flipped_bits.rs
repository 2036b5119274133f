//! One flipped bit in any file of a data set: `preprocess verify` names the file, and so does `train fit --verify`, which
//! then begins nothing.

use crate::rounds;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Collection, Program, Tree, json_line, stderr};

/// Turns over one bit in place.
fn flip(path: &Path, at: u64, bit: u8) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ (1 << bit)]).unwrap();
}

fn train(data: &Path, run: &Path, model: &str, verify: bool) -> assert_cmd::assert::Assert {
    let mut command = Program::Train.command(["fit", "--model", model, "--epochs", "1", "--batch-size", "2"]);
    command.arg("--data").arg(data).arg("--run").arg(run);
    command.args(verify.then_some("--verify")).assert()
}

fn with_a_split() -> BuiltDataset {
    let dataset = BuiltDataset::build(&Collection::of_tracks(6));
    dataset
        .split("--strategy random --ratios 40,30,30 --name main")
        .success();
    dataset
}

#[test]
fn every_file_is_vouched_for() {
    let (dataset, root) = (with_a_split(), TempDir::new().unwrap());
    let (data, run) = (dataset.path(), root.path().join("run"));
    let tree = Tree::read(&data).unwrap();
    let mut random = Pcg64Mcg::seed_from_u64(5);
    let rounds = rounds(3);
    let mut flips = 0;
    // A lock has nothing in it.
    for file in tree.paths().filter(|path| *path != "splits/.lock") {
        let path = data.join(file);
        // The line break after the current split's name is no part of it.
        let length = fs::metadata(&path).unwrap().len() - u64::from(file == "splits/current");
        for round in 0..rounds {
            let at = match round {
                0 => 0,
                1 => length - 1,
                _ => random.random_range(0..length),
            };
            let bit = random.random_range(0..8);
            flip(&path, at, bit);
            let place = format!("bit {bit} of byte {at} of {file}");
            let refused = train(&data, &run, "mm-crnn", true);
            let output = refused.get_output();
            let said = stderr(output);
            assert_eq!(output.status.code(), Some(1), "{place}: {said}");
            assert!(said.contains(file), "{place}: {said}");
            assert!(!run.exists(), "{place}: something was begun");
            let found = Program::Preprocess.command(["verify", "--json"]).arg(&data).assert();
            let output = found.get_output();
            let said = stderr(output);
            assert_eq!(output.status.code(), Some(1), "{place}: {said}");
            let problems = json_line(&found)["problems"].clone();
            let named = problems
                .as_array()
                .into_iter()
                .flatten()
                .any(|problem| problem["file"] == *file);
            assert!(named || said.contains(file), "{place}: {problems} {said}");
            flip(&path, at, bit);
            flips += 1;
        }
    }
    println!("{flips} flips, all of them found by both programs");
    assert_eq!(tree.differences(&Tree::read(&data).unwrap()), [""; 0]);
    train(&data, &run, "cnn1d", true).success();
    let mut evaluate = Program::Train.command(["eval", "--verify", "--run"]);
    evaluate.arg(&run).assert().success();
    flip(&data.join("shards/waveform-00000.safetensors"), 1 << 17, 3);
    let mut evaluate = Program::Train.command(["eval", "--verify", "--run"]);
    let named = contains("waveform-00000").and(contains("track"));
    evaluate.arg(&run).assert().code(1).stderr(named);
}

#[test]
fn without_being_asked_no_damaged_index_is_opened_and_no_shard_of_another_size() {
    let (dataset, root) = (with_a_split(), TempDir::new().unwrap());
    let (data, run) = (dataset.path(), root.path().join("run"));
    for file in [
        "dataset.json",
        "tracks.csv",
        "splits/main/split.json",
        "splits/main/train.csv",
        "splits/main/val.csv",
        "splits/main/test.csv",
        "splits/main/normalization.json",
    ] {
        let path = data.join(file);
        let middle = fs::metadata(&path).unwrap().len() / 2;
        flip(&path, middle, 0);
        train(&data, &run, "cnn1d", false).code(1).stderr(contains(file));
        flip(&path, middle, 0);
    }
    for file in ["shards/waveform-00000.safetensors", "shards/mel-00000.safetensors"] {
        let path = data.join(file);
        let length = fs::metadata(&path).unwrap().len();
        for other in [length - 1, length + 1, 0] {
            let whole = fs::read(&path).unwrap();
            File::options().write(true).open(&path).unwrap().set_len(other).unwrap();
            let sizes = contains(file).and(contains(format!("{other} bytes")));
            train(&data, &run, "cnn1d", false).code(1).stderr(sizes);
            fs::write(&path, whole).unwrap();
        }
    }
    assert!(!run.exists());
}
