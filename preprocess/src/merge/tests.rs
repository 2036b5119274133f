//! Merges of parts of small collections.

use super::*;
use crate::build::journal::JOURNAL_DIRECTORY;
use crate::build::pipeline::{self, BuildConfig};
use crate::build::preset::Preset;
use crate::build::report::BuildReport;
use crate::testing::{Collection, Crash, NoProgress, contents, mixed, three_tracks, tone};
use shared::dataset::Dataset;
use shared::dataset::manifest::Flag;
use shared::dataset::shard::{DATA_START, MAX_TRACKS};
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;

fn build_parts(config: &BuildConfig, count: usize) -> Vec<PathBuf> {
    let parts = (1..=count).map(|number| {
        let part = BuildConfig {
            part: Some(format!("{number}/{count}").parse().unwrap()),
            out: config.out.with_extension(format!("{number}-of-{count}")),
            ..config.clone()
        };
        pipeline::build(&part, &mut NoProgress).unwrap();
        part.out
    });
    parts.collect()
}

fn merged(out: PathBuf, parts: &[PathBuf]) -> anyhow::Result<BuildReport> {
    let config = MergeConfig {
        out,
        parts: parts.to_vec(),
        jobs: 2,
    };
    merge(&config, &mut NoProgress)
}

fn refusal(out: PathBuf, parts: &[PathBuf]) -> String {
    let error = merged(out.clone(), parts).unwrap_err().to_string();
    assert!(!out.exists(), "{error}");
    error
}

#[test]
fn merged_parts_equal_the_build_of_one_process() {
    let collection = mixed();
    for drop in [vec![], vec![Flag::Duplicate], vec![Flag::Duplicate, Flag::NearSilent]] {
        let name = format!("whole-{}", drop.len());
        let config = BuildConfig {
            drop,
            preset: Some(Preset::fma_small()),
            ..collection.config(&name)
        };
        pipeline::build(&config, &mut NoProgress).unwrap();
        for count in [1, 2, 3, 20] {
            let mut parts = build_parts(&config, count);
            parts.reverse();
            let out = collection.out(&format!("{name}-merged-{count}"));
            let report = merged(out.clone(), &parts).unwrap();
            assert_eq!(report.processed, 14);
            assert_eq!(contents(&out), contents(&config.out), "{name}, {count} parts");
            assert!(merged(out, &parts).unwrap().was_complete);
        }
    }
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let collection = three_tracks();
    let parts = build_parts(&collection.config("out"), 3);
    let out = || collection.out("merged");
    assert_eq!(
        refusal(out(), &parts[..1]),
        "parts 2, 3 of 3 are missing; build and give all 3 parts"
    );
    assert!(refusal(out(), &parts[1..]).starts_with("part 1 of 3 is missing"));
    let twice = refusal(out(), &[parts[0].clone(), parts[0].clone()]);
    assert!(twice.contains("are both part 1/3"), "{twice}");
    let of_two = build_parts(&collection.config("out"), 2);
    let mixed_up = refusal(out(), &[parts[0].clone(), of_two[1].clone()]);
    assert!(mixed_up.contains("one is part 1/3 and one is part 2/2"), "{mixed_up}");
    let other = BuildConfig {
        drop: vec![Flag::Duplicate],
        ..collection.config("other")
    };
    let other = build_parts(&other, 3);
    let error = refusal(out(), &[parts[0].clone(), other[1].clone()]);
    assert!(error.contains("drop was [] and is now [\"duplicate\"]"), "{error}");
    collection.build("whole").unwrap();
    let error = refusal(out(), &[collection.out("whole")]);
    assert!(error.contains("is not a part"), "{error}");
    assert!(refusal(out(), &[collection.out("nowhere")]).contains("is not a data set"));
}

#[test]
fn part_cannot_be_split_and_cannot_grow() {
    let mut collection = three_tracks();
    let parts = build_parts(&collection.config("out"), 2);
    let config = crate::split::SplitConfig {
        dataset: parts[0].clone(),
        name: None,
        strategy: crate::split::Strategy::Official,
    };
    let error = crate::split::make(&config).unwrap_err().to_string();
    assert!(
        error.contains("part 1/2") && error.contains("preprocess merge"),
        "{error}"
    );
    collection.track(7, "Folk", &tone(4, 180));
    let grown = BuildConfig {
        part: Some("1/2".parse().unwrap()),
        out: parts[0].clone(),
        ..collection.config("out")
    };
    let error = pipeline::build(&grown, &mut NoProgress).unwrap_err().to_string();
    assert!(error.contains("tracks was 3 and is now 4"), "{error}");
}

#[test]
fn damaged_part_is_refused_until_it_is_repaired() {
    let collection = three_tracks();
    collection.build("whole").unwrap();
    let parts = build_parts(&collection.config("out"), 2);
    let shard = parts[1].join("shards/mel-00000.safetensors");
    let mut bytes = fs::read(&shard).unwrap();
    bytes[DATA_START + 9] ^= 4;
    fs::write(&shard, &bytes).unwrap();
    let out = collection.out("merged");
    let error = merged(out.clone(), &parts).unwrap_err().to_string();
    assert!(error.contains("track 5 in shards/mel-00000.safetensors"), "{error}");
    assert!(Dataset::open(&out).is_err());
    bytes[DATA_START + 9] ^= 4;
    fs::write(&shard, &bytes).unwrap();
    merged(out.clone(), &parts).unwrap();
    assert_eq!(contents(&out), contents(&collection.out("whole")));
}

#[test]
fn interrupted_merge_resumes_after_its_last_finished_shard() {
    let mut collection = Collection::new();
    for id in 0..MAX_TRACKS as u64 + 8 {
        collection.track(id, "Folk", &tone(3 + id as usize % 5, 180));
    }
    collection.build("whole").unwrap();
    let parts = build_parts(&collection.config("out"), 3);
    let config = MergeConfig {
        out: collection.out("merged"),
        parts,
        jobs: 2,
    };
    let crashed = panic::catch_unwind(AssertUnwindSafe(|| merge(&config, &mut Crash(MAX_TRACKS + 3))));
    assert!(crashed.is_err() && config.out.join(JOURNAL_DIRECTORY).is_dir());
    let report = merge(&config, &mut NoProgress).unwrap();
    assert_eq!(report.resumed, MAX_TRACKS);
    assert_eq!(contents(&config.out), contents(&collection.out("whole")));
}
