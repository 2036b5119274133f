//! Complete builds of small collections.

use super::*;
use crate::build::journal::{JOURNAL_DIRECTORY, Journal};
use crate::build::plan::PLAN_FILE;
use crate::testing::{Collection, Crash, NoProgress, contents, mixed, three_tracks, tone};
use shared::dataset::shard::MAX_TRACKS;
use shared::dataset::{self, Dataset, Task};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

fn reasons(out: &Path) -> Vec<(Option<u64>, String)> {
    let index = Dataset::read_index(out).unwrap();
    let rows = dataset::read_rejected(out, &index).unwrap();
    rows.into_iter().map(|row| (row.track_id, row.reason)).collect()
}

#[test]
fn every_track_is_kept_or_dropped_with_its_reason() {
    let collection = mixed();
    let report = collection.build("out").unwrap();
    let out = collection.out("out");
    let expected = [
        (Some(7), "empty_file"),
        (Some(8), "not_audio"),
        (Some(9), "no_frames"),
        (Some(10), "missing_file"),
        (Some(11), "unlabelled"),
        (Some(12), "too_short"),
        (Some(13), "silent"),
        (Some(16), "low_decoded_share"),
        (Some(99), "unlisted"),
        (None, "unlisted"),
    ];
    assert_eq!(reasons(&out), expected.map(|(id, reason)| (id, reason.to_owned())));
    assert_eq!(report.reasons["unlisted"], 2);
    let dataset = Dataset::open(&out).unwrap();
    let rows: Vec<_> = dataset
        .tracks()
        .iter()
        .map(|row| (row.track_id, row.flags.clone(), row.bad_frames))
        .collect();
    assert_eq!(
        rows,
        [
            (2, vec![], 0),
            (5, vec![], 0),
            (14, vec![Flag::Duplicate], 0),
            (15, vec![Flag::NearSilent], 0),
            (17, vec![], 1),
            (1003, vec![], 0),
        ]
    );
    assert_eq!(dataset.classes(), ["Folk", "Rock"]);
    assert_eq!(dataset.waveform(1), dataset.waveform(2));
    assert!(!out.join(JOURNAL_DIRECTORY).exists());
}

#[test]
fn flagged_tracks_are_dropped_if_requested() {
    let collection = mixed();
    let config = BuildConfig {
        drop: vec![Flag::NearSilent, Flag::Duplicate],
        ..collection.config("out")
    };
    build(&config, &mut NoProgress).unwrap();
    let reasons = reasons(&config.out);
    assert!(reasons.contains(&(Some(14), "duplicate".into())));
    assert!(reasons.contains(&(Some(15), "near_silent".into())));
}

#[test]
fn output_does_not_depend_on_the_number_of_jobs() {
    let collection = mixed();
    let build = |jobs: usize| {
        let config = BuildConfig {
            jobs,
            ..collection.config(&format!("out-{jobs}"))
        };
        build(&config, &mut NoProgress).unwrap();
        contents(&config.out)
    };
    let one = build(1);
    assert_eq!(build(2), one);
    assert_eq!(build(5), one);
}

#[test]
fn complete_data_set_is_not_changed() {
    let collection = three_tracks();
    assert!(!collection.build("out").unwrap().was_complete);
    let before = contents(&collection.out("out"));
    let again = collection.build("out").unwrap();
    assert!(again.was_complete && again.index.kept == 3);
    let other = BuildConfig {
        drop: vec![Flag::Duplicate],
        ..collection.config("out")
    };
    let error = build(&other, &mut NoProgress).unwrap_err().to_string();
    assert!(error.contains("is a finished data set with other settings"), "{error}");
    // The state after a crash between writing the index and removing the journal.
    let plan: BuildPlan = serde_json::from_slice(&fs::read(collection.out("out").join(PLAN_FILE)).unwrap()).unwrap();
    fs::create_dir(collection.out("out").join(JOURNAL_DIRECTORY)).unwrap();
    drop(Journal::open(&collection.out("out"), &plan).unwrap());
    assert!(collection.build("out").unwrap().was_complete);
    assert_eq!(contents(&collection.out("out")), before);
}

/// Moves the audio directory away after this many tracks.
struct Unmount<'a>(usize, &'a Path);

impl BuildProgress for Unmount<'_> {
    fn track(&mut self, _: bool) {
        if self.0 == 0 {
            fs::rename(self.1, self.1.with_extension("gone")).unwrap();
        }
        self.0 = self.0.wrapping_sub(1);
    }
}

#[test]
fn vanished_files_stop_the_build_and_are_not_rejected() {
    let mut collection = Collection::new();
    for id in 1..80 {
        collection.track(id, "Folk", &tone(4, 180));
    }
    collection.listed(80, "Folk");
    let config = collection.config("out");
    let error = build(&config, &mut Unmount(3, &collection.audio())).unwrap_err();
    assert!(error.to_string().contains("vanished during the build"), "{error}");
    assert!(Dataset::open(&config.out).is_err());
    fs::rename(collection.audio().with_extension("gone"), collection.audio()).unwrap();
    let report = build(&config, &mut NoProgress).unwrap();
    assert_eq!(
        report.reasons.into_iter().collect::<Vec<_>>(),
        [("missing_file".to_owned(), 1)]
    );
}

#[test]
fn interrupted_build_resumes_after_its_last_finished_shard() {
    let mut collection = Collection::new();
    for id in 0..MAX_TRACKS as u64 + 8 {
        // Some tracks are dropped, and tracks before and after the crash have the same samples.
        let mp3 = if id % 100 == 7 {
            Vec::new()
        } else {
            tone(3 + id as usize % 5, 180)
        };
        collection.track(id, "Folk", &mp3);
    }
    let uninterrupted = collection.config("whole");
    build(&uninterrupted, &mut NoProgress).unwrap();
    let config = collection.config("out");
    let crashed = panic::catch_unwind(AssertUnwindSafe(|| build(&config, &mut Crash(MAX_TRACKS + 7))));
    assert!(crashed.is_err());
    let first = config.out.join("shards/waveform-00000.safetensors");
    let inode = fs::metadata(&first).unwrap().ino();
    assert!(Dataset::read_index(&config.out).is_err());
    let report = build(&config, &mut NoProgress).unwrap();
    assert!(report.resumed > MAX_TRACKS && report.processed < 8, "{report:?}");
    assert_eq!(fs::metadata(&first).unwrap().ino(), inode);
    assert_eq!(contents(&config.out), contents(&uninterrupted.out));
}

#[test]
fn differences_from_a_preset_are_recorded() {
    let collection = three_tracks();
    let config = BuildConfig {
        preset: Some(Preset::fma_small()),
        ..collection.config("out")
    };
    let report = build(&config, &mut NoProgress).unwrap();
    let differences = &report.index.source.preset_differences;
    assert!(
        differences.iter().any(|sentence| sentence.contains("8000 tracks")),
        "{differences:?}"
    );
}

#[test]
fn audio_directory_without_any_listed_file_is_refused() {
    let mut collection = Collection::new();
    collection
        .listed(2, "Folk")
        .listed(1003, "Rock")
        .file("elsewhere/000002.mp3", &tone(4, 200));
    let error = collection.build("out").unwrap_err().to_string();
    assert!(
        error.contains("audio has none of the 2 files that") && error.contains("holds 000/000002.mp3"),
        "{error}"
    );
    assert!(!collection.out("out").exists());
    // One existing file is enough.
    collection.file("001/001003.mp3", &tone(4, 200));
    assert_eq!(collection.build("out").unwrap().index.kept, 1);
}

#[test]
fn labels_without_a_kept_track_give_warnings() {
    let mut collection = three_tracks();
    assert_eq!(collection.build("all").unwrap().warnings, [""; 0]);
    collection.track(7, "Jazz", b"").track(8, "Dub", &tone(1, 200));
    let warnings = collection.build("out").unwrap().warnings;
    assert!(
        matches!(&warnings[..], [one] if one.starts_with("no track of `Dub`, `Jazz` was kept")),
        "{warnings:?}"
    );
    // A complete data set repeats the warnings; a part gives none.
    assert_eq!(collection.build("out").unwrap().warnings, warnings);
    let mut part = collection.config("part");
    part.part = Some("2/2".parse().unwrap());
    assert_eq!(build(&part, &mut NoProgress).unwrap().warnings, [""; 0]);
}

/// An ID3v2.3 tag and a tone.
fn tagged(artist: &str, album: &str, frames: usize) -> Vec<u8> {
    let frame = |name: &str, text: &str| {
        let size = text.len() as u32 + 1;
        [name.as_bytes(), &size.to_be_bytes(), &[0; 3], text.as_bytes()].concat()
    };
    let body = [frame("TPE1", artist), frame("TALB", album)].concat();
    [
        &b"ID3\x03\0\0\0\0\0"[..],
        &[body.len() as u8],
        &body,
        &tone(frames, 200),
    ]
    .concat()
}

fn artists(out: &Path) -> Vec<(String, String, String)> {
    let index = Dataset::read_index(out).unwrap();
    let rows = dataset::read_tracks(out, &index).unwrap();
    let mut rows: Vec<_> = rows.into_iter().map(|row| (row.path, row.artist, row.album)).collect();
    rows.sort();
    rows
}

fn triples(rows: &[[&str; 3]]) -> Vec<(String, String, String)> {
    let owned = |row: &[&str; 3]| (row[0].to_owned(), row[1].to_owned(), row[2].to_owned());
    rows.iter().map(owned).collect()
}

#[test]
fn tags_name_the_artists_that_a_folder_does_not_name() {
    let mut collection = Collection::new();
    collection
        .file("Folk/1.mp3", &tagged(" Nina\0", "Live", 4))
        .file("Folk/2.mp3", &tagged("Nina", "", 5))
        .file("Folk/Trio/3.mp3", &tagged("Somebody", "Live", 6))
        .file("Rock/4.mp3", &tone(7, 200));
    let build = |jobs: usize| {
        let config = BuildConfig {
            source: Source::Folder,
            jobs,
            ..collection.config(&format!("out-{jobs}"))
        };
        let notes = build(&config, &mut NoProgress).unwrap().notes;
        (notes, contents(&config.out))
    };
    let (notes, content) = build(1);
    assert_eq!(
        notes,
        ["1 artist of 2 tracks found in the tags of the files; the artist of 1 track is unknown"]
    );
    assert_eq!(
        artists(&collection.out("out-1")),
        triples(&[
            ["Folk/1.mp3", "Nina", "Live"],
            ["Folk/2.mp3", "Nina", ""],
            ["Folk/Trio/3.mp3", "Trio", "Live"],
            ["Rock/4.mp3", "", ""],
        ])
    );
    assert_eq!(build(5), (notes.clone(), content));
    // The summary is the same when nothing is left to do.
    assert_eq!(build(1).0, notes);
}

#[test]
fn tags_do_not_change_the_artists_of_known_collections() {
    let mut collection = Collection::new();
    collection.track(2, "Folk", &tagged("Nina", "Live", 4));
    assert!(collection.build("out").unwrap().notes.is_empty());
    assert_eq!(artists(&collection.out("out")), triples(&[["000/000002.mp3", "2", ""]]));
}

#[test]
fn own_table_names_labels_artists_and_sets() {
    let mut collection = Collection::new();
    for (at, name) in ["a", "b", "c"].iter().enumerate() {
        collection.file(&format!("{name}.mp3"), &tagged("Nina", "Live", 4 + at));
    }
    let table = collection.audio().join("table.csv");
    let config = |name: &str| BuildConfig {
        source: Source::Csv { table: table.clone() },
        ..collection.config(name)
    };
    let write = |rows: &str| fs::write(&table, format!("path,label,artist,split\n{rows}")).unwrap();
    write("a.mp3,Folk,Trio,train\nb.mp3,Rock,,val\n");
    let report = build(&config("out"), &mut NoProgress).unwrap();
    assert_eq!((report.index.kept, report.index.task), (2, Task::SingleLabel));
    assert_eq!(report.notes, ["1 artist of 1 track found in the tags of the files"]);
    let expected = triples(&[["a.mp3", "Trio", "Live"], ["b.mp3", "Nina", "Live"]]);
    assert_eq!(artists(&collection.out("out")), expected);
    let rows = dataset::read_tracks(&collection.out("out"), &report.index).unwrap();
    let mut sets: Vec<_> = rows.iter().map(|row| row.official_split.as_str()).collect();
    sets.sort_unstable();
    assert_eq!(sets, ["train", "val"]);
    // More rows with one label each are added; a row with two would change the task.
    write("a.mp3,Folk,Trio,train\nb.mp3,Rock,,val\nc.mp3,Folk;loud,,test\n");
    let error = build(&config("out"), &mut NoProgress).unwrap_err().to_string();
    assert!(error.contains("is a single-label data set and cannot grow"), "{error}");
    let report = build(&config("tags"), &mut NoProgress).unwrap();
    assert_eq!((report.index.task, report.index.classes.len()), (Task::MultiLabel, 3));
    write("c.mp3,Folk,,test\nb.mp3,Rock,,val\na.mp3,Folk,Trio,train\n");
    let report = build(&config("out"), &mut NoProgress).unwrap();
    assert_eq!((report.before, report.index.kept), (2, 3));
}
