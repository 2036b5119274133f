//! Builds that add tracks to a finished data set.

use crate::build::journal::JOURNAL_DIRECTORY;
use crate::build::pipeline;
use crate::build::plan::PLAN_FILE;
use crate::testing::{Collection, Crash, NoProgress, contents, split_at_random, three_tracks, tone};
use shared::dataset::manifest::Flag;
use shared::dataset::shard::MAX_TRACKS;
use shared::dataset::split::Split;
use shared::dataset::{Dataset, PREVIOUS_DIRECTORY, TRACKS_FILE};
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

fn ids(root: &Path) -> Vec<(u64, usize, Vec<Flag>)> {
    let dataset = Dataset::open(root).unwrap();
    let rows = dataset.tracks().iter();
    rows.map(|row| (row.track_id, row.shard, row.flags.clone())).collect()
}

#[test]
fn new_tracks_are_added_and_old_shards_untouched() {
    let mut collection = three_tracks();
    collection.listed(9, "Rock");
    collection.build("out").unwrap();
    let out = collection.out("out");
    let before = Dataset::open(&out).unwrap();
    let first = split_at_random(&out, 1);
    let shard = fs::read(out.join("shards/waveform-00000.safetensors")).unwrap();
    // Track 1 comes before all others, the file of track 9 was missing before, and track 1004 is a duplicate.
    collection
        .track(1, "Blues", &tone(7, 195))
        .file("000/000009.mp3", &tone(8, 195))
        .track(1004, "Folk", &tone(6, 195));
    let report = collection.build("out").unwrap();
    assert_eq!((report.before, report.processed, report.index.kept), (3, 3, 6));
    assert_eq!(
        ids(&out),
        [
            (1, 1, vec![]),
            (2, 0, vec![]),
            (5, 0, vec![]),
            (9, 1, vec![]),
            (1003, 0, vec![]),
            (1004, 1, vec![Flag::Duplicate])
        ]
    );
    assert_eq!(fs::read(out.join("shards/waveform-00000.safetensors")).unwrap(), shard);
    assert!(!out.join(JOURNAL_DIRECTORY).exists());
    // The grown data set has the same tracks and tables as one built at once.
    collection.build("at-once").unwrap();
    let (grown, at_once) = (
        Dataset::open(&out).unwrap(),
        Dataset::open(&collection.out("at-once")).unwrap(),
    );
    for position in 0..6 {
        assert_eq!(grown.waveform(position), at_once.waveform(position));
        assert_eq!(grown.mel(position), at_once.mel(position));
    }
    for file in ["shards/summary.safetensors", "rejected.csv", "sources.csv", PLAN_FILE] {
        let read = |root: &Path| fs::read(root.join(file)).unwrap();
        assert_eq!(read(&out), read(&collection.out("at-once")), "{file}");
    }
    // A reader that had the old data set open still reads it, and its split is still valid.
    assert_eq!(before.tracks().len(), 3);
    let still = Split::read(&out, grown.index(), None).unwrap();
    assert_eq!((still.tracks, still.normalization), (first.tracks, first.normalization));
    let second = split_at_random(&out, 1);
    assert_eq!(second.index.name, "random-1-grown-1");
    assert_eq!(second.tracks.values().map(Vec::len).sum::<usize>(), 6);
    assert!(collection.build("out").unwrap().was_complete);
}

#[test]
fn changed_source_file_is_refused() {
    let mut collection = three_tracks();
    collection.build("out").unwrap();
    let out = collection.out("out");
    let before = contents(&out);
    collection
        .file("000/000005.mp3", &tone(9, 190))
        .track(6, "Folk", &tone(5, 180));
    let sentence = collection.build("out").unwrap_err().to_string();
    assert!(
        sentence.contains("1 of its tracks changed in the source")
            && sentence.contains("track 5 (000/000005.mp3) has a different file size"),
        "{sentence}"
    );
    // The source is as before: nothing is left to build.
    assert!(three_tracks().build_into(&out).unwrap().was_complete);
    assert_eq!(contents(&out), before);
}

/// A built data set of three tracks, and more new tracks than a pair of shards can hold.
fn three_built_and_many_new_tracks() -> Collection {
    let mut collection = three_tracks();
    collection.build("out").unwrap();
    for id in 2000..2000 + MAX_TRACKS as u64 + 5 {
        collection.track(id, "Blues", &tone(3 + id as usize % 4, 180));
    }
    collection
}

#[test]
fn interrupted_growth_keeps_the_old_data_set_and_resumes() {
    let collection = three_built_and_many_new_tracks();
    let (out, config) = (collection.out("out"), collection.config("out"));
    let crashed = panic::catch_unwind(AssertUnwindSafe(|| {
        pipeline::build(&config, &mut Crash(MAX_TRACKS + 2))
    }));
    assert!(crashed.is_err());
    assert_eq!(Dataset::open(&out).unwrap().tracks().len(), 3);
    let report = pipeline::build(&config, &mut NoProgress).unwrap();
    assert_eq!((report.resumed, report.processed), (MAX_TRACKS, 5));
    assert_eq!(Dataset::open(&out).unwrap().tracks().len(), MAX_TRACKS + 8);
}

#[test]
fn interrupted_growth_is_forgotten_if_the_new_tracks_are_gone() {
    let collection = three_built_and_many_new_tracks();
    let (out, config) = (collection.out("out"), collection.config("out"));
    let before = contents(&out);
    let crashed = panic::catch_unwind(AssertUnwindSafe(|| {
        pipeline::build(&config, &mut Crash(MAX_TRACKS + 2))
    }));
    assert!(crashed.is_err() && out.join("shards/mel-00001.safetensors").exists());
    assert!(three_tracks().build_into(&out).unwrap().was_complete);
    assert!(contents(&out) == before);
}

#[test]
fn interrupted_growth_restarts_if_the_source_grew_again() {
    let mut collection = three_built_and_many_new_tracks();
    let out = collection.out("out");
    let config = collection.config("out");
    let crashed = panic::catch_unwind(AssertUnwindSafe(|| {
        pipeline::build(&config, &mut Crash(MAX_TRACKS + 2))
    }));
    assert!(crashed.is_err() && out.join("shards/mel-00001.safetensors").exists());
    collection.track(1, "Blues", &tone(7, 195));
    let report = collection.build("out").unwrap();
    assert_eq!((report.resumed, report.index.kept), (0, MAX_TRACKS + 9));
    let shards = fs::read_dir(out.join("shards")).unwrap().count();
    assert_eq!(shards, 2 * report.index.shards.len() + 1);
}

/// Simulates a crash after `replaced` tables were replaced and before the index was.
#[test]
fn data_set_is_readable_while_its_tables_are_replaced() {
    let mut collection = three_tracks();
    collection.build("out").unwrap();
    let (out, plan) = (
        collection.out("out"),
        fs::read(collection.out("out").join(PLAN_FILE)).unwrap(),
    );
    let old = contents(&out);
    collection.track(7, "Folk", &tone(5, 170));
    collection.build("out").unwrap();
    let new = contents(&out);
    for replaced in 0..=5 {
        let torn = collection.out(&format!("torn-{replaced}"));
        let names = [
            PLAN_FILE,
            "sources.csv",
            TRACKS_FILE,
            "rejected.csv",
            "shards/summary.safetensors",
        ];
        for (path, content) in &new {
            let at = names.iter().position(|name| path == Path::new(name));
            let was = old.iter().find(|(known, _)| known == path).map(|(_, content)| content);
            let content = match (at, was) {
                (Some(at), Some(was)) if at >= replaced => was,
                (None, Some(was)) if path == Path::new("dataset.json") => was,
                _ => content,
            };
            let kept = torn.join(PREVIOUS_DIRECTORY).join(path);
            for file in [&torn.join(path), &kept] {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
            }
            fs::write(torn.join(path), content).unwrap();
            if let (Some(_), Some(was)) = (at, was) {
                fs::write(kept, was).unwrap();
            }
        }
        assert_eq!(Dataset::open(&torn).unwrap().tracks().len(), 3);
        split_at_random(&torn, 3);
        fs::remove_dir_all(torn.join("splits")).unwrap();
        // The crash left the plan of the larger data set in the journal.
        let grown: crate::build::plan::BuildPlan =
            serde_json::from_slice(&fs::read(out.join(PLAN_FILE)).unwrap()).unwrap();
        assert_ne!(grown.to_json(), plan);
        fs::write(torn.join(".build/plan.json"), grown.to_json()).unwrap();
        let also_torn = collection.out(&format!("also-torn-{replaced}"));
        for (path, content) in contents(&torn) {
            fs::create_dir_all(also_torn.join(&path).parent().unwrap()).unwrap();
            fs::write(also_torn.join(path), content).unwrap();
        }
        collection.build_into(&torn).unwrap();
        assert_eq!(contents(&torn), new);
        // The source is as it was before the growth.
        three_tracks().build_into(&also_torn).unwrap();
        assert_eq!(contents(&also_torn), old);
    }
}
