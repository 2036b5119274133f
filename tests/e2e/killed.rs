//! `preprocess` is killed at moments spread over its run, again and again, and started again: nothing may be lost, and
//! nothing may be other than it is without a kill.

use crate::parts::build;
use crate::rounds;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::harness::{BuiltDataset, Collection, Ended, Killer, Program, Tree, copy_directory, undisturbed};

/// Kills of one directory's program, after which it is let through, so that each stage is met with every other behind it.
const KILLS_EACH: usize = 4;

/// Kills what `command` starts until there were `kills`, in one directory after the other, each made ready by `prepare`.
/// Every one must end as `expected`.
fn kill_again_and_again(
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
        undisturbed(&mut command(&directory));
        let found = Tree::read(&directory).unwrap();
        assert_eq!(found.differences(expected), [""; 0], "after {} kills", killer.kills());
        fs::remove_dir_all(&directory).unwrap();
    }
    println!("{} kills", killer.kills());
}

#[test]
fn a_build_killed_at_any_moment_ends_with_the_same_bytes() {
    // Two pairs of shards, so that some kills come when one is finished.
    let collection = Collection::many(530);
    let root = tempfile::tempdir().unwrap();
    let whole = root.path().join("whole");
    let mut killer = Killer::new(undisturbed(&mut build(&collection, &whole, &[])));
    let expected = Tree::read(&whole).unwrap();
    let out = || root.path().join("killed");
    let command = |out: &Path| build(&collection, out, &[]);
    kill_again_and_again(rounds(4), &mut killer, &expected, out, command);
}

#[test]
fn a_merge_killed_at_any_moment_ends_with_the_same_bytes() {
    let collection = Collection::many(530);
    let root = tempfile::tempdir().unwrap();
    let whole = root.path().join("whole");
    let parts = [root.path().join("part-1"), root.path().join("part-2")];
    for (part, number) in parts.iter().zip(["1/2", "2/2"]) {
        undisturbed(&mut build(&collection, part, &["--part", number]));
    }
    let merge = |out: &Path| {
        let mut command = Program::Preprocess.process(["merge"]);
        command.arg(out).args(&parts);
        command
    };
    let mut killer = Killer::new(undisturbed(&mut merge(&whole)));
    let expected = Tree::read(&whole).unwrap();
    kill_again_and_again(rounds(4), &mut killer, &expected, || root.path().join("killed"), merge);
}

#[test]
fn a_data_set_killed_while_it_grows_is_always_one_or_the_other() {
    let collection = Collection::many(40);
    let (root, early) = (tempfile::tempdir().unwrap(), Collection::many(25));
    let seed = root.path().join("seed");
    undisturbed(&mut build(&early, &seed, &[]));
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
    let whole = seeded("whole");
    let span = undisturbed(&mut grow(&whole));
    let expected = Tree::read(&whole).unwrap();
    let mut killer = Killer::new(span);
    let mut kept = Vec::new();
    let directory = || seeded("killed");
    kill_again_and_again(rounds(6), &mut killer, &expected, directory, grow);
    for _ in 0..rounds(6) {
        let out = seeded("read");
        killer.attempt(&mut grow(&out));
        // Whoever opens it now has the one or the other.
        let output = Program::Preprocess
            .process(["inspect", "--json"])
            .arg(&out)
            .output()
            .unwrap();
        let line = String::from_utf8(output.stdout).unwrap();
        let said: serde_json::Value = serde_json::from_str(line.lines().last().unwrap_or_default()).unwrap();
        kept.push(said["kept"].as_u64().unwrap());
        fs::remove_dir_all(&out).unwrap();
    }
    let (fewer, more) = (kept.iter().min(), kept.iter().max());
    assert!(fewer > Some(&0) && more <= Some(&40), "{kept:?}");
    kept.sort_unstable();
    kept.dedup();
    assert!(kept.len() <= 2, "{kept:?}");
}

#[test]
fn a_split_killed_at_any_moment_ends_with_the_same_bytes() {
    let dataset = BuiltDataset::small().copy();
    let splits = dataset.path().join("splits");
    let split = |_: &Path| {
        let mut command = Program::Preprocess.process(["split", "--quiet"]);
        command
            .arg(dataset.path())
            .args(["--strategy", "grouped", "--name", "mine"]);
        command
    };
    let span = undisturbed(&mut split(&splits));
    let expected = Tree::read(&splits).unwrap();
    fs::remove_dir_all(&splits).unwrap();
    let mut killer = Killer::new(span);
    kill_again_and_again(rounds(8), &mut killer, &expected, || splits.clone(), split);
}
