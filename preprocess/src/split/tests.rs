//! Splits of a small data set, on disk.

use super::*;
use crate::testing::{Collection, contents, tone};
use shared::dataset::Dataset;
use shared::dataset::split::{self, LeakAudit, Set, Split};
use std::fs;
use std::path::Path;

fn collection() -> Collection {
    let mut collection = Collection::new();
    for id in 0..20 {
        collection.track(
            id,
            if id % 2 == 0 { "Folk" } else { "Rock" },
            &tone(4, 160 + 2 * id as u8),
        );
    }
    collection
}

fn random(root: &Path, seed: u64) -> SplitConfig {
    SplitConfig {
        dataset: root.to_owned(),
        name: None,
        strategy: Strategy::Drawn {
            method: Method::Random,
            ratios: Ratios::default(),
            seed,
        },
    }
}

#[test]
fn new_split_is_current_and_equals_the_report() {
    let collection = collection();
    collection.build("out").unwrap();
    let root = collection.out("out");
    let report = make(&random(&root, 3)).unwrap();
    let index = Dataset::read_index(&root).unwrap();
    let current = Split::read(&root, &index, None).unwrap();
    assert_eq!((current.index.name.as_str(), report.existed), ("random-3", false));
    assert_eq!(current.tracks, report.split.tracks);
    assert_eq!(current.normalization, report.split.normalization);
    assert_eq!(current.normalization.tracks, 16);
    let sizes: Vec<usize> = current.tracks.values().map(Vec::len).collect();
    assert_eq!(sizes, [16, 2, 2]);
    // Every artist has one track here, and no album is known.
    let leaks = LeakAudit {
        unknown_albums: 20,
        ..LeakAudit::default()
    };
    assert_eq!(current.index.leaks, leaks);
}

#[test]
fn existing_name_is_refused_unless_the_split_is_the_same() {
    let collection = collection();
    collection.build("out").unwrap();
    let root = collection.out("out");
    make(&random(&root, 3)).unwrap();
    let before = contents(&root);
    assert!(make(&random(&root, 3)).unwrap().existed);
    let other = SplitConfig {
        name: Some("random-3".into()),
        ..random(&root, 4)
    };
    let error = make(&other).unwrap_err().to_string();
    assert!(error.contains("already has a different split `random-3`"), "{error}");
    assert_eq!(contents(&root), before);
    // Making an existing split again makes it the current one.
    make(&random(&root, 4)).unwrap();
    assert_eq!(split::current(&root).unwrap().as_deref(), Some("random-4"));
    make(&random(&root, 3)).unwrap();
    assert_eq!(split::current(&root).unwrap().as_deref(), Some("random-3"));
}

fn folds(root: &Path, name: Option<&str>) -> FoldsConfig {
    FoldsConfig {
        dataset: root.to_owned(),
        name: name.map(str::to_owned),
        method: Method::Stratified,
        folds: 4,
        seed: 2,
    }
}

#[test]
fn first_fold_is_current_and_every_track_is_tested_once() {
    let collection = collection();
    collection.build("out").unwrap();
    let root = collection.out("out");
    let report = make_folds(&folds(&root, None)).unwrap();
    assert_eq!((report.name.as_str(), report.existed), ("stratified-2-4folds", false));
    let names = split::folds(&root, &report.name).unwrap();
    assert_eq!(names[3], "stratified-2-4folds-4");
    assert_eq!(split::current(&root).unwrap().as_ref(), names.first());
    let index = Dataset::read_index(&root).unwrap();
    let mut tested = Vec::new();
    for (name, made) in names.iter().zip(&report.splits) {
        let split = Split::read(&root, &index, Some(name)).unwrap();
        assert_eq!(split.tracks, made.tracks);
        assert_eq!(split.tracks.values().map(Vec::len).collect::<Vec<_>>(), [10, 5, 5]);
        tested.extend(split.tracks[&Set::Test].clone());
    }
    tested.sort_unstable();
    assert_eq!(tested, (0..20).collect::<Vec<u64>>());
    let before = contents(&root);
    assert!(make_folds(&folds(&root, None)).unwrap().existed);
    assert_eq!(contents(&root), before);
}

#[test]
fn folds_are_written_all_or_none() {
    let collection = collection();
    collection.build("out").unwrap();
    let root = collection.out("out");
    let taken = SplitConfig {
        name: Some("mine-3".into()),
        ..random(&root, 1)
    };
    make(&taken).unwrap();
    let before = contents(&root);
    let error = make_folds(&folds(&root, Some("mine"))).unwrap_err().to_string();
    assert!(error.contains("already has a different split `mine-3`"), "{error}");
    assert!(make_folds(&folds(&root, Some("../mine"))).is_err());
    assert_eq!(contents(&root), before);
    // Missing folds are created again.
    let folds_before = make_folds(&folds(&root, Some("other"))).unwrap();
    fs::remove_dir_all(root.join("splits/other-2")).unwrap();
    assert!(split::folds(&root, "other").is_err());
    assert!(!make_folds(&folds(&root, Some("other"))).unwrap().existed);
    assert_eq!(split::folds(&root, "other").unwrap().len(), folds_before.splits.len());
}

#[test]
fn pruning_keeps_all_folds_of_the_current_split() {
    let collection = collection();
    collection.build("out").unwrap();
    let root = collection.out("out");
    make_folds(&folds(&root, Some("old"))).unwrap();
    make(&random(&root, 1)).unwrap();
    make_folds(&folds(&root, Some("mine"))).unwrap();
    split::set_current(&root, "mine-3").unwrap();
    assert_eq!(prune(&root).unwrap(), ["old-1", "old-2", "old-3", "old-4", "random-1"]);
    assert_eq!(split::folds(&root, "mine").unwrap().len(), 4);
}

#[test]
fn more_folds_than_tracks_are_refused() {
    let collection = collection();
    collection.build("out").unwrap();
    let root = collection.out("out");
    let config = FoldsConfig {
        folds: 21,
        ..folds(&root, None)
    };
    let error = make_folds(&config).unwrap_err().to_string();
    assert!(error.contains("20 tracks cannot fill 21 sets"), "{error}");
    assert_eq!(split::names(&root).unwrap(), [""; 0]);
}

#[test]
fn warning_about_a_fold_without_a_class_suggests_fewer_folds() {
    let mut collection = collection();
    for id in 20..23 {
        collection.track(id, "Polka", &tone(4, 121 + 2 * id as u8));
    }
    collection.build("out").unwrap();
    let report = make_folds(&folds(&collection.out("out"), None)).unwrap();
    let warnings = report.warnings.join("\n");
    assert!(warnings.contains("has no track of the class Polka"), "{warnings}");
    assert!(
        warnings.contains("--folds 3 would put every class into every set"),
        "{warnings}"
    );
}

#[test]
fn pruning_keeps_only_the_current_split() {
    let collection = collection();
    collection.build("out").unwrap();
    let root = collection.out("out");
    assert!(prune(&root).unwrap_err().to_string().contains("has no current split"));
    for seed in 1..4 {
        make(&random(&root, seed)).unwrap();
    }
    assert_eq!(prune(&root).unwrap(), ["random-1", "random-2"]);
    assert_eq!(split::names(&root).unwrap(), ["random-3"]);
    assert_eq!(prune(&root).unwrap(), [""; 0]);
}

#[test]
fn missing_classes_and_shared_recordings_give_warnings() {
    let mut collection = Collection::new();
    for id in 0..6 {
        collection.track(id, if id == 0 { "Polka" } else { "Rock" }, &tone(4, 190));
    }
    collection.build("out").unwrap();
    let report = make(&random(&collection.out("out"), 0)).unwrap();
    let warnings = report.warnings.join("\n");
    assert!(warnings.contains("no track of the class Polka"), "{warnings}");
    assert!(warnings.contains("1 recording is in more than one set"), "{warnings}");
}

#[test]
fn tracks_that_the_data_set_gained_since_the_previous_split_are_counted() {
    let mut collection = collection();
    collection.build("out").unwrap();
    let root = collection.out("out");
    assert_eq!(make(&random(&root, 3)).unwrap().gained, None);
    // Another split of the same tracks.
    assert_eq!(make(&random(&root, 4)).unwrap().gained, None);
    collection
        .track(30, "Folk", &tone(4, 203))
        .track(31, "Rock", &tone(5, 203));
    collection.build("out").unwrap();
    let gained = Some(GainedTracks {
        since: "random-4".into(),
        count: 2,
    });
    assert_eq!(make(&random(&root, 3)).unwrap().gained, gained);
    // The current split has the new tracks now.
    assert_eq!(make(&random(&root, 5)).unwrap().gained, None);
    split::set_current(&root, "random-4").unwrap();
    assert_eq!(make_folds(&folds(&root, None)).unwrap().gained, gained);
    // A previous split that cannot be read does not stop a new one.
    fs::write(root.join("splits/random-4/train.csv"), "").unwrap();
    split::set_current(&root, "random-4").unwrap();
    assert_eq!(make(&random(&root, 6)).unwrap().gained, None);
}
