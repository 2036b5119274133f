//! Splits are made and pruned while other processes read the current split.

use crate::rounds;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use tests::harness::{BuiltDataset, Program};

const READERS: usize = 4;

/// Reads and checks a split without this project's code. The error says what is wrong with it.
fn read(splits: &Path, name: &str, tracks: &BTreeSet<String>) -> Result<(), String> {
    let directory = splits.join(name);
    let read = |file: &str| fs::read(directory.join(file)).map_err(|error| format!("{name}/{file}: {error}"));
    let index: serde_json::Value =
        serde_json::from_slice(&read("split.json")?).map_err(|error| format!("{name}/split.json: {error}"))?;
    if index["name"] != *name {
        return Err(format!("{name} has the name {}", index["name"]));
    }
    let mut found = BTreeSet::new();
    for file in ["train.csv", "val.csv", "test.csv", "normalization.json"] {
        let content = read(file)?;
        if index["files"][file]["blake3"] != *blake3::hash(&content).to_hex().as_str() {
            return Err(format!("{name}/{file} belongs to another split"));
        }
        let text = String::from_utf8(content).map_err(|error| error.to_string())?;
        let ids = text
            .lines()
            .skip(1)
            .filter_map(|line| Some(line.split_once(',')?.0.to_owned()));
        if file.ends_with(".csv") && ids.into_iter().any(|id| !found.insert(id)) {
            return Err(format!("{name}: a track is in two sets"));
        }
    }
    if found == *tracks {
        Ok(())
    } else {
        Err(format!("{name} does not contain all tracks"))
    }
}

#[test]
fn readers_always_find_one_complete_current_split() {
    let dataset = BuiltDataset::small().copy();
    dataset.split("--seed 0").success();
    let tracks: BTreeSet<String> = dataset
        .table("tracks.csv")
        .into_iter()
        .map(|row| row["track_id"].clone())
        .collect();
    let (splits, done, reads) = (
        dataset.path().join("splits"),
        AtomicBool::new(false),
        AtomicUsize::new(0),
    );
    let current = || fs::read_to_string(splits.join("current")).map(|name| name.trim().to_owned());
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                scope.spawn(|| -> Result<(), String> {
                    while !done.load(Ordering::Relaxed) {
                        let name = current().map_err(|error| format!("current: {error}"))?;
                        // The split may be pruned between the two reads; then another one is current.
                        if let Err(wrong) = read(&splits, &name, &tracks)
                            && current().is_ok_and(|now| now == name)
                        {
                            return Err(wrong);
                        }
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        for round in 1..=rounds(30) {
            dataset.split(&format!("--seed {round} --strategy random")).success();
            // `preprocess` reads it too, and makes a grouped split at the same time.
            if round % 10 == 0 {
                let mut other = Program::Preprocess.process(["split", "--strategy", "grouped", "--quiet"]);
                let mut other = other
                    .arg(dataset.path())
                    .args(["--seed", &round.to_string()])
                    .spawn()
                    .unwrap();
                dataset.split("--prune").success();
                assert!(other.wait().unwrap().success());
            }
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), Ok(()));
        }
    });
    println!("{} reads", reads.load(Ordering::Relaxed));
    Program::Preprocess
        .command(["verify"])
        .arg(dataset.path())
        .assert()
        .success();
}
