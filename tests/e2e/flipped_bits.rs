//! One bit is flipped in each file of a data set. `preprocess verify` and `train fit --verify` must name the file, and
//! no run may be started.

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

/// Flips one bit in place.
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
    let dataset = BuiltDataset::build(&Collection::first_tracks(6));
    dataset
        .split("--strategy random --ratios 40,30,30 --name main")
        .success();
    dataset
}

#[test]
fn flipped_bit_in_any_file_is_found_by_verify() {
    let (dataset, root) = (with_a_split(), TempDir::new().unwrap());
    let (data, run) = (dataset.path(), root.path().join("run"));
    let tree = Tree::read(&data).unwrap();
    let mut random = Pcg64Mcg::seed_from_u64(5);
    let rounds = rounds(3);
    let mut flips = 0;
    // The lock file is empty.
    for file in tree.paths().filter(|path| *path != "splits/.lock") {
        let path = data.join(file);
        // The line break after the name of the current split is not checked.
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
            let message = stderr(output);
            assert_eq!(output.status.code(), Some(1), "{place}: {message}");
            assert!(message.contains(file), "{place}: {message}");
            assert!(!run.exists(), "{place}: a run was started");
            let found = Program::Preprocess.command(["verify", "--json"]).arg(&data).assert();
            let output = found.get_output();
            let message = stderr(output);
            assert_eq!(output.status.code(), Some(1), "{place}: {message}");
            let problems = json_line(&found)["problems"].clone();
            let named = problems
                .as_array()
                .into_iter()
                .flatten()
                .any(|problem| problem["file"] == *file);
            assert!(named || message.contains(file), "{place}: {problems} {message}");
            flip(&path, at, bit);
            flips += 1;
        }
    }
    println!("both programs found all {flips} flipped bits");
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
fn damaged_index_and_wrong_shard_sizes_are_found_without_verify() {
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
            let bytes = fs::read(&path).unwrap();
            File::options().write(true).open(&path).unwrap().set_len(other).unwrap();
            let sizes = contains(file).and(contains(format!("{other} bytes")));
            train(&data, &run, "cnn1d", false).code(1).stderr(sizes);
            fs::write(&path, bytes).unwrap();
        }
    }
    assert!(!run.exists());
}
