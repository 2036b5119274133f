//! `preprocess` is killed at times spread over its run and started again. The result must have the same bytes as
//! without kills.

use crate::parts::build;
use crate::rounds;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::harness::{BuiltDataset, Collection, Ended, Killer, Program, Tree, copy_directory, timed_run};

/// Maximum number of kills per directory. The program may then finish.
const KILLS_EACH: usize = 4;

/// Starts the program of `command` and kills it, `kills` times in total. Every [`KILLS_EACH`] kills, the program may
/// finish and its directory must have the content `expected`; then `prepare` makes the next directory.
fn kill_repeatedly(
    kills: usize,
    killer: &mut Killer,
    expected: &Tree,
    mut prepare: impl FnMut() -> PathBuf,
    command: impl Fn(&Path) -> Command,
) {
    while killer.kills() < kills {
        let directory = prepare();
        let before = killer.kills();
        while killer.kills() - before < KILLS_EACH {
            if killer.attempt(&mut command(&directory)) == Ended::Done {
                break;
            }
        }
        timed_run(&mut command(&directory));
        let found = Tree::read(&directory).unwrap();
        assert_eq!(found.differences(expected), [""; 0], "after {} kills", killer.kills());
        fs::remove_dir_all(&directory).unwrap();
    }
    println!("{} kills", killer.kills());
}

#[test]
fn a_build_killed_at_any_time_ends_with_the_same_bytes() {
    // Two pairs of shards, so some kills happen when one is finished.
    let collection = Collection::many(530);
    let root = tempfile::tempdir().unwrap();
    let uninterrupted = root.path().join("uninterrupted");
    let mut killer = Killer::new(timed_run(&mut build(&collection, &uninterrupted, &[])));
    let expected = Tree::read(&uninterrupted).unwrap();
    let out = || root.path().join("killed");
    let command = |out: &Path| build(&collection, out, &[]);
    kill_repeatedly(rounds(4), &mut killer, &expected, out, command);
}

#[test]
fn a_merge_killed_at_any_time_ends_with_the_same_bytes() {
    let collection = Collection::many(530);
    let root = tempfile::tempdir().unwrap();
    let uninterrupted = root.path().join("uninterrupted");
    let parts = [root.path().join("part-1"), root.path().join("part-2")];
    for (part, number) in parts.iter().zip(["1/2", "2/2"]) {
        timed_run(&mut build(&collection, part, &["--part", number]));
    }
    let merge = |out: &Path| {
        let mut command = Program::Preprocess.process(["merge"]);
        command.arg(out).args(&parts);
        command
    };
    let mut killer = Killer::new(timed_run(&mut merge(&uninterrupted)));
    let expected = Tree::read(&uninterrupted).unwrap();
    kill_repeatedly(rounds(4), &mut killer, &expected, || root.path().join("killed"), merge);
}

#[test]
fn growth_killed_at_any_time_leaves_the_old_or_the_new_tracks() {
    let collection = Collection::many(40);
    let (root, early) = (tempfile::tempdir().unwrap(), Collection::many(25));
    let seed = root.path().join("seed");
    timed_run(&mut build(&early, &seed, &[]));
    let seeded = |name: &str| {
        let out = root.path().join(name);
        copy_directory(&seed, &out).unwrap();
        out
    };
    let grow = |out: &Path| {
        let mut command = build(&collection, out, &[]);
        command.arg("--quiet");
        command
    };
    let uninterrupted = seeded("uninterrupted");
    let span = timed_run(&mut grow(&uninterrupted));
    let expected = Tree::read(&uninterrupted).unwrap();
    let mut killer = Killer::new(span);
    let mut kept = Vec::new();
    let directory = || seeded("killed");
    kill_repeatedly(rounds(6), &mut killer, &expected, directory, grow);
    for _ in 0..rounds(6) {
        let out = seeded("read");
        killer.attempt(&mut grow(&out));
        // A reader now finds the old or the new data set.
        let output = Program::Preprocess
            .process(["inspect", "--json"])
            .arg(&out)
            .output()
            .unwrap();
        let line = String::from_utf8(output.stdout).unwrap();
        let summary: serde_json::Value = serde_json::from_str(line.lines().last().unwrap_or_default()).unwrap();
        kept.push(summary["kept"].as_u64().unwrap());
        fs::remove_dir_all(&out).unwrap();
    }
    let (fewer, more) = (kept.iter().min(), kept.iter().max());
    assert!(fewer > Some(&0) && more <= Some(&40), "{kept:?}");
    kept.sort_unstable();
    kept.dedup();
    assert!(kept.len() <= 2, "{kept:?}");
}

#[test]
fn a_split_killed_at_any_time_ends_with_the_same_bytes() {
    let dataset = BuiltDataset::small().copy();
    let splits = dataset.path().join("splits");
    let split = |_: &Path| {
        let mut command = Program::Preprocess.process(["split", "--quiet"]);
        command
            .arg(dataset.path())
            .args(["--strategy", "grouped", "--name", "mine"]);
        command
    };
    let span = timed_run(&mut split(&splits));
    let expected = Tree::read(&splits).unwrap();
    fs::remove_dir_all(&splits).unwrap();
    let mut killer = Killer::new(span);
    kill_repeatedly(rounds(8), &mut killer, &expected, || splits.clone(), split);
}
