//! Data sets that tracks are added to.

use crate::build::journal::JOURNAL_DIRECTORY;
use crate::build::pipeline;
use crate::build::plan::PLAN_FILE;
use crate::testing::{Collection, Crash, Unwatched, contents, split_at_random, three_tracks, tone};
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
    // One comes before all others, one's file was missing and has come, one has the samples of an earlier one.
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
    // Whatever is known of a track is that of a data set that was built at once.
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
    // Who had the old one open still has it, and its split is still one of the new.
    assert_eq!(before.tracks().len(), 3);
    let still = Split::read(&out, grown.index(), None).unwrap();
    assert_eq!((still.tracks, still.normalization), (first.tracks, first.normalization));
    let second = split_at_random(&out, 1);
    assert_eq!(second.index.name, "random-1-grown-1");
    assert_eq!(second.tracks.values().map(Vec::len).sum::<usize>(), 6);
    assert!(collection.build("out").unwrap().was_complete);
}

#[test]
fn what_changed_is_not_mixed_with_what_was() {
    let mut collection = three_tracks();
    collection.build("out").unwrap();
    let out = collection.out("out");
    let before = contents(&out);
    collection
        .file("000/000005.mp3", &tone(9, 190))
        .track(6, "Folk", &tone(5, 180));
    let sentence = collection.build("out").unwrap_err().to_string();
    assert!(
        sentence.contains(", 1 changed in the source since")
            && sentence.contains("track 5 (000/000005.mp3) has a file of another size"),
        "{sentence}"
    );
    fs::remove_dir_all(out.join(JOURNAL_DIRECTORY)).unwrap();
    assert_eq!(contents(&out), before);
}

/// More tracks than a pair of shards holds, on top of three.
fn many() -> Collection {
    let mut collection = three_tracks();
    collection.build("out").unwrap();
    for id in 2000..2000 + MAX_TRACKS as u64 + 5 {
        collection.track(id, "Blues", &tone(3 + id as usize % 4, 180));
    }
    collection
}

#[test]
fn an_interrupted_growth_leaves_the_old_one_and_goes_on() {
    let collection = many();
    let (out, config) = (collection.out("out"), collection.config("out"));
    let crashed = panic::catch_unwind(AssertUnwindSafe(|| {
        pipeline::build(&config, &mut Crash(MAX_TRACKS + 2))
    }));
    assert!(crashed.is_err());
    assert_eq!(Dataset::open(&out).unwrap().tracks().len(), 3);
    let report = pipeline::build(&config, &mut Unwatched).unwrap();
    assert_eq!((report.resumed, report.processed), (MAX_TRACKS, 5));
    assert_eq!(Dataset::open(&out).unwrap().tracks().len(), MAX_TRACKS + 8);
}

#[test]
fn a_source_that_grew_on_meanwhile_is_begun_anew() {
    let mut collection = many();
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

/// What a crash leaves that comes after the first table was replaced and before the index was.
#[test]
fn a_data_set_whose_tables_are_being_replaced_can_be_read() {
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
        // As the crash left it, the journal's plan is that of the larger one.
        let grown: crate::build::plan::BuildPlan =
            serde_json::from_slice(&fs::read(out.join(PLAN_FILE)).unwrap()).unwrap();
        assert_ne!(grown.to_json(), plan);
        fs::write(torn.join(".build/plan.json"), grown.to_json()).unwrap();
        let config = pipeline::BuildConfig {
            out: torn.clone(),
            ..collection.config("out")
        };
        pipeline::build(&config, &mut Unwatched).unwrap();
        assert_eq!(contents(&torn), new);
    }
}
