//! `preprocess build`.

use predicates::str::contains;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::fs::{self, File};
use tests::corpus::{Damage, Track};
use tests::harness::{BuiltDataset, Collection, Program, Tree, json_line};

/// Samples of one model clip, the minimum length of a kept track.
const CLIP_SAMPLES: usize = 1 << 19;
const SAMPLE_RATE: f64 = 44_100.0;
const N_MELS: usize = 128;
const HOP_LENGTH: usize = 1024;

fn build(collection: &Collection, more: &[&str]) -> (BuiltDataset, serde_json::Value) {
    let dataset = BuiltDataset::empty();
    let assert = Program::Preprocess
        .command(collection.build_arguments(&dataset.path()))
        .args(more)
        .arg("--json")
        .assert()
        .success();
    (dataset, json_line(&assert))
}

#[test]
fn damaged_files_are_dropped_with_a_reason_and_scratched_ones_kept() {
    let (collection, dataset) = (Collection::small(), BuiltDataset::small());
    let expected: BTreeMap<String, String> = collection
        .tracks()
        .iter()
        .filter_map(|track| {
            let reason = match track.damage? {
                Damage::Empty => "empty_file",
                Damage::Short => "too_short",
                Damage::NotAudio => "not_audio",
                Damage::NoFrames => "no_frames",
                Damage::Scratched => return None,
            };
            Some((track.id.to_string(), reason.to_owned()))
        })
        .collect();
    assert_eq!(expected.len(), 4);
    assert_eq!(dataset.rejected(), expected);
    for row in dataset.table("rejected.csv") {
        assert!(
            row["detail"].split_whitespace().count() >= 3,
            "{row:?} should explain the reason"
        );
        assert!(collection.audio().join(&row["path"]).exists(), "{row:?}");
    }
    let kept = dataset.table("tracks.csv");
    assert_eq!(kept.len() + expected.len(), collection.tracks().len());
    for row in &kept {
        let track = track(collection, &row["track_id"]);
        let scratched = track.damage == Some(Damage::Scratched);
        assert_eq!(row["bad_frames"] != "0", scratched, "{row:?}");
        assert_eq!(row["labels"], track.genre_name());
        assert_eq!(row["artist"], track.artist_id.to_string());
    }
}

#[test]
fn every_rate_and_channel_count_becomes_mono_at_44100_hz() {
    let (collection, dataset) = (Collection::small(), BuiltDataset::small());
    let mut seen = BTreeMap::new();
    for row in dataset.table("tracks.csv") {
        let track = track(collection, &row["track_id"]);
        assert_eq!(row["source_rate"], track.rate.to_string());
        assert_eq!(row["source_channels"], track.channels.to_string());
        if track.damage.is_none() {
            // Without gapless information, the encoder delay and padding remain: just over two frames of 1152 samples.
            let samples: f64 = row["samples"].parse().unwrap();
            let surplus = samples - f64::from(track.seconds) * SAMPLE_RATE;
            let two_frames = 2.0 * 1152.0 * SAMPLE_RATE / f64::from(track.rate);
            assert!((-1.0..=two_frames + 1152.0).contains(&surplus), "{row:?}: {surplus}");
        }
        *seen.entry((track.rate, track.channels)).or_insert(0) += 1;
    }
    for kind in [(44_100, 2), (44_100, 1), (48_000, 2), (22_050, 2)] {
        assert!(seen.contains_key(&kind), "{kind:?} is not in {seen:?}");
    }
}

#[test]
fn shards_can_be_read_with_the_safetensors_library() {
    let dataset = BuiltDataset::small();
    let waveforms = fs::read(dataset.path().join("shards/waveform-00000.safetensors")).unwrap();
    let mels = fs::read(dataset.path().join("shards/mel-00000.safetensors")).unwrap();
    let (waveforms, mels) = (
        SafeTensors::deserialize(&waveforms).unwrap(),
        SafeTensors::deserialize(&mels).unwrap(),
    );
    let rows = dataset.table("tracks.csv");
    assert_eq!((waveforms.len(), mels.len()), (rows.len(), rows.len()));
    for row in &rows {
        let samples: usize = row["samples"].parse().unwrap();
        assert!(samples >= CLIP_SAMPLES);
        let waveform = waveforms.tensor(&row["track_id"]).unwrap();
        assert_eq!((waveform.dtype(), waveform.shape()), (Dtype::I16, &[samples][..]));
        let loudest = waveform
            .data()
            .chunks_exact(2)
            .map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]]).unsigned_abs())
            .max();
        assert!(loudest > Some(3000), "{row:?}: {loudest:?}");
        let mel = mels.tensor(&row["track_id"]).unwrap();
        assert_eq!(
            (mel.dtype(), mel.shape()),
            (Dtype::F16, &[N_MELS, 1 + samples / HOP_LENGTH][..])
        );
    }
}

#[test]
fn files_and_table_rows_that_do_not_match_are_dropped() {
    let collection = Collection::first_tracks(5);
    let [kept, missing, unlabelled, unlisted, other] = collection.tracks() else {
        panic!("five tracks were requested");
    };
    fs::remove_file(collection.file(missing)).unwrap();
    collection.edit_metadata(|line| {
        if line.starts_with(&format!("{},", unlabelled.id)) {
            line.replace(unlabelled.genre_name(), "")
        } else if line.starts_with(&format!("{},", unlisted.id)) {
            // A track outside the subset. A second row of a listed track would be an error.
            line.replace(&format!("{},", unlisted.id), "999999,")
                .replace(",small,", ",large,")
        } else {
            line.to_owned()
        }
    });
    let (dataset, summary) = build(&collection, &[]);
    let expected: BTreeMap<String, String> = [
        (missing, "missing_file"),
        (unlabelled, "unlabelled"),
        (unlisted, "unlisted"),
    ]
    .map(|(track, reason)| (track.id.to_string(), reason.to_owned()))
    .into();
    assert_eq!(dataset.rejected(), expected);
    assert_eq!(ids(&dataset), [kept.id.to_string(), other.id.to_string()]);
    assert_eq!(summary["kept"], 2);
    assert_eq!(summary["dropped"], 3);
    for reason in ["missing_file", "unlabelled", "unlisted"] {
        assert_eq!(summary["reasons"][reason], 1, "{summary}");
    }
}

#[test]
fn duplicate_recording_is_flagged_or_dropped() {
    let collection = Collection::first_tracks(3);
    let [first, _, last] = collection.tracks() else {
        panic!("three tracks were requested");
    };
    // Another file with the same samples: it has an ID3v1 tag at its end.
    let mut copy = fs::read(collection.file(first)).unwrap();
    let mut tag = [0; 128];
    tag[..3].copy_from_slice(b"TAG");
    copy.extend(tag);
    fs::write(collection.file(last), copy).unwrap();

    let (flagged, _) = build(&collection, &[]);
    let flags: Vec<String> = flagged
        .table("tracks.csv")
        .into_iter()
        .map(|row| row["flags"].clone())
        .collect();
    assert_eq!(flags, ["", "", "duplicate"]);
    let (dropped, _) = build(&collection, &["--drop", "duplicates"]);
    assert_eq!(
        dropped.rejected(),
        [(last.id.to_string(), "duplicate".to_owned())].into()
    );
    assert_eq!(ids(&dropped).len(), 2);
}

#[test]
fn data_set_does_not_depend_on_the_number_of_jobs() {
    let collection = Collection::small();
    let (one, _) = build(collection, &["--jobs", "1"]);
    let (four, _) = build(collection, &["--jobs", "4"]);
    let (one, four) = (Tree::read(&one.path()).unwrap(), Tree::read(&four.path()).unwrap());
    assert_eq!(one.differences(&four), [""; 0]);
    let expected = [
        "dataset.json",
        "rejected.csv",
        "shards/mel-00000.safetensors",
        "shards/summary.safetensors",
        "shards/waveform-00000.safetensors",
        "tracks.csv",
    ];
    for file in expected {
        assert!(one.paths().any(|path| path == file), "{file} is missing");
    }
    assert!(
        !one.paths()
            .any(|path| path.starts_with(".build/") || path.ends_with(".tmp"))
    );
}

#[test]
fn second_build_into_the_same_directory_is_refused() {
    let collection = Collection::first_tracks(1);
    let dataset = BuiltDataset::empty();
    let journal = dataset.path().join(".build");
    fs::create_dir_all(&journal).unwrap();
    let held = File::create(journal.join("lock")).unwrap();
    held.lock().unwrap();
    let arguments = collection.build_arguments(&dataset.path());
    let refused = Program::Preprocess.command(&arguments).arg("--json").assert().code(1);
    let refused = refused.stderr(contains("is being built by another process"));
    assert_eq!(json_line(&refused)["ok"], false);
    held.unlock().unwrap();
    Program::Preprocess.command(&arguments).assert().success();
}

#[test]
fn complete_data_set_is_not_built_again() {
    let dataset = BuiltDataset::small().copy();
    let before = Tree::read(&dataset.path()).unwrap();
    let assert = Program::Preprocess
        .command(Collection::small().build_arguments(&dataset.path()))
        .arg("--json")
        .assert()
        .success();
    assert_eq!(json_line(&assert)["was_complete"], true);
    assert_eq!(before.differences(&Tree::read(&dataset.path()).unwrap()), [""; 0]);
}

#[test]
fn build_into_a_directory_with_other_files_is_refused() {
    let dataset = BuiltDataset::empty();
    fs::create_dir_all(dataset.path()).unwrap();
    fs::write(dataset.path().join("thesis.tex"), "x").unwrap();
    Program::Preprocess
        .command(Collection::first_tracks(1).build_arguments(&dataset.path()))
        .assert()
        .code(1)
        .stderr(contains("not empty"));
    assert_eq!(
        Tree::read(&dataset.path()).unwrap().paths().collect::<Vec<_>>(),
        ["thesis.tex"]
    );
}

#[test]
fn build_summary_agrees_with_the_tables() {
    let collection = Collection::first_tracks(2);
    let (dataset, summary) = build(&collection, &[]);
    let samples: f64 = dataset
        .table("tracks.csv")
        .iter()
        .map(|row| row["samples"].parse::<f64>().unwrap())
        .sum();
    assert_eq!(
        (summary["ok"].as_bool(), summary["command"].as_str()),
        (Some(true), Some("build"))
    );
    assert_eq!(summary["processed"], 2);
    let hours = summary["hours"].as_f64().unwrap();
    assert!((hours - samples / SAMPLE_RATE / 3600.0).abs() < 1e-9, "{hours}");
    assert!(summary["bytes"].as_f64().unwrap() > 2.0 * samples);
}

fn track<'a>(collection: &'a Collection, id: &str) -> &'a Track {
    collection
        .tracks()
        .iter()
        .find(|track| track.id.to_string() == id)
        .unwrap_or_else(|| panic!("track {id} is not in the collection"))
}

fn ids(dataset: &BuiltDataset) -> Vec<String> {
    let rows = dataset.table("tracks.csv");
    rows.into_iter().map(|row| row["track_id"].clone()).collect()
}
