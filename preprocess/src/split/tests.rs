//! Splits of a small data set, on disk.

use super::*;
use crate::testing::{Collection, contents, tone};

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
        strategy: Strategy::Random {
            ratios: Ratios::default(),
            seed,
        },
    }
}

#[test]
fn the_new_split_is_live_and_is_what_was_reported() {
    let collection = collection();
    collection.build("out").unwrap();
    let root = collection.out("out");
    let report = make(&random(&root, 3)).unwrap();
    let index = Dataset::read_index(&root).unwrap();
    let live = Split::read(&root, &index, None).unwrap();
    assert_eq!((live.index.name.as_str(), report.existed), ("random-3", false));
    assert_eq!(live.tracks, report.split.tracks);
    assert_eq!(live.normalization, report.split.normalization);
    assert_eq!(live.normalization.tracks, 16);
    let sizes: Vec<usize> = live.tracks.values().map(Vec::len).collect();
    assert_eq!(sizes, [16, 2, 2]);
    // Every artist has one track here.
    assert_eq!(live.index.leaks, Default::default());
}

#[test]
fn a_name_that_is_taken_is_refused_unless_it_is_the_same_split() {
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
    let error = make(&other).unwrap_err();
    assert!(
        matches!(&error, MakeSplitError::Exists { name, .. } if name == "random-3"),
        "{error}"
    );
    assert_eq!(contents(&root), before);
    // Making an old split again makes it live.
    make(&random(&root, 4)).unwrap();
    assert_eq!(split::current(&root).unwrap().as_deref(), Some("random-4"));
    make(&random(&root, 3)).unwrap();
    assert_eq!(split::current(&root).unwrap().as_deref(), Some("random-3"));
}

#[test]
fn pruning_keeps_the_live_split_alone() {
    let collection = collection();
    collection.build("out").unwrap();
    let root = collection.out("out");
    assert!(matches!(prune(&root), Err(MakeSplitError::NothingLive { .. })));
    for seed in 1..4 {
        make(&random(&root, seed)).unwrap();
    }
    assert_eq!(prune(&root).unwrap(), ["random-1", "random-2"]);
    assert_eq!(split::names(&root).unwrap(), ["random-3"]);
    assert_eq!(prune(&root).unwrap(), [""; 0]);
}

#[test]
fn a_set_without_a_class_and_shared_artists_are_warned_of() {
    let mut collection = Collection::new();
    for id in 0..6 {
        collection.track(id, if id == 0 { "Polka" } else { "Rock" }, &tone(4, 190));
    }
    collection.build("out").unwrap();
    let report = make(&random(&collection.out("out"), 0)).unwrap();
    let warnings = report.warnings.join("\n");
    assert!(warnings.contains("no track of the class Polka"), "{warnings}");
    assert!(
        warnings.contains("1 recording stands in more than one set"),
        "{warnings}"
    );
}
