//! The same recording under several ids: `build` finds it, `inspect` lists it, `split` keeps it in one set.

use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::corpus::encode_mp3;
use tests::harness::{BuiltDataset, Program, Tree, json_line};

/// Sample rate of the data set of the small corpus.
const RATE: u32 = 44_100;

/// Mono samples of each track in the data set of the small corpus.
fn waveforms() -> BTreeMap<String, Vec<i16>> {
    let file = fs::read(BuiltDataset::small().path().join("shards/waveform-00000.safetensors")).unwrap();
    let shard = SafeTensors::deserialize(&file).unwrap();
    let samples = |bytes: &[u8]| -> Vec<i16> {
        bytes
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    };
    let tracks = shard.iter().map(|(id, tensor)| (id.to_owned(), samples(tensor.data())));
    tracks.collect()
}

fn softer(samples: &[i16]) -> Vec<i16> {
    samples.iter().map(|sample| sample / 2).collect()
}

/// Adds white noise 20 dB below the signal.
fn noisy(samples: &[i16]) -> Vec<i16> {
    let power = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / samples.len() as f64;
    let amplitude = 0.1 * (3.0 * power).sqrt();
    let mut state = 1u64;
    let noise = std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as f64 / f64::from(u32::MAX) * 2.0 - 1.0
    });
    let sum = |(&sample, noise): (&i16, f64)| (f64::from(sample) + amplitude * noise) as i16;
    samples.iter().zip(noise).map(sum).collect()
}

/// Resamples by linear interpolation.
fn resampled(samples: &[i16], rate: u32) -> Vec<i16> {
    let count = samples.len() as u64 * u64::from(rate) / u64::from(RATE);
    (0..count)
        .map(|at| {
            let place = at as f64 * f64::from(RATE) / f64::from(rate);
            let (now, next) = (
                samples[place as usize],
                samples[(place as usize + 1).min(samples.len() - 1)],
            );
            (f64::from(now) + (f64::from(next) - f64::from(now)) * place.fract()) as i16
        })
        .collect()
}

/// All tracks of the small corpus and copies of six of them, as `music/original/ID-0.mp3` and `music/copy/ID-COPY.mp3`.
struct CopiedMusic {
    directory: TempDir,
}

impl CopiedMusic {
    fn shared() -> &'static Self {
        static MUSIC: LazyLock<CopiedMusic> = LazyLock::new(CopiedMusic::new);
        &MUSIC
    }

    fn new() -> Self {
        let music = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        for (number, (id, samples)) in waveforms().iter().enumerate() {
            let write = |genre: &str, copy: &str, samples: &[i16], rate: u32, kbps: u32| {
                let path = music.audio().join(genre).join(format!("{id}-{copy}.mp3"));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, encode_mp3(samples, rate, 1, kbps).unwrap()).unwrap();
            };
            write("original", "0", samples, RATE, 128);
            if number % 5 != 0 {
                continue;
            }
            // 2.7 s is not a whole number of MP3 frames.
            let cut = &samples[(2.7 * f64::from(RATE)) as usize..];
            write("copy", "64", samples, RATE, 64);
            write("copy", "256", samples, RATE, 256);
            write("copy", "24000", &resampled(samples, 24_000), 24_000, 64);
            write("copy", "48000", &resampled(samples, 48_000), 48_000, 128);
            write("copy", "softer", &softer(samples), RATE, 128);
            write("copy", "noisy", &noisy(samples), RATE, 128);
            write("copy", "cut", cut, RATE, 128);
            write("copy", "all", &noisy(&softer(&resampled(cut, 32_000))), 32_000, 64);
        }
        music
    }

    fn audio(&self) -> PathBuf {
        self.directory.path().join("music")
    }

    fn build(&self, out: &Path, more: &[&str]) {
        let mut command = Program::Preprocess.command(["build", "--source", "folder", "--min-seconds", "5", "--audio"]);
        command
            .arg(self.audio())
            .arg("--out")
            .arg(out)
            .args(more)
            .assert()
            .success();
    }

    fn dataset() -> &'static BuiltDataset {
        static BUILT: LazyLock<BuiltDataset> = LazyLock::new(|| {
            let built = BuiltDataset::empty();
            CopiedMusic::shared().build(&built.path(), &[]);
            built
        });
        &BUILT
    }
}

/// The track id of the original of a copy.
fn original(path: &str) -> String {
    let (_, name) = path.rsplit_once('/').unwrap();
    name.split_once('-').unwrap().0.to_owned()
}

fn inspect(dataset: &Path) -> Value {
    let mut command = Program::Preprocess.command(["inspect", "--duplicates", "--json"]);
    json_line(&command.arg(dataset).assert().success())
}

#[test]
fn copies_share_a_recording_and_different_pieces_do_not() {
    let rows = CopiedMusic::dataset().table("tracks.csv");
    let mut originals: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut recordings: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for row in &rows {
        let piece = original(&row["path"]);
        originals
            .entry(row["recording"].clone())
            .or_default()
            .insert(piece.clone());
        recordings
            .entry(piece)
            .or_default()
            .push(row["track_id"].parse().unwrap());
    }
    assert_eq!(rows.iter().filter(|row| row["labels"] == "copy").count(), 6 * 8);
    assert!(originals.values().all(|pieces| pieces.len() == 1), "{originals:?}");
    assert_eq!(originals.len(), recordings.len());
    for (recording, pieces) in originals {
        let lowest = recordings[pieces.first().unwrap()].iter().min().unwrap();
        assert_eq!(recording, lowest.to_string());
    }
}

#[test]
fn inspect_lists_copies_with_offsets_and_labels() {
    let dataset = CopiedMusic::dataset().copy();
    dataset.split("--strategy random --name leaky").success();
    let summary = inspect(&dataset.path());
    let groups = summary["groups"].as_array().unwrap();
    assert_eq!((groups.len(), &summary["split"]), (6, &json!("leaky")));
    for group in groups {
        assert_eq!(group["several_labels"], true);
        let tracks = group["tracks"].as_array().unwrap();
        assert_eq!(tracks.len(), 9);
        let offset = |copy: &str| {
            let found = tracks
                .iter()
                .find(|track| track["path"].as_str().unwrap().contains(copy));
            found.unwrap()["offset_seconds"].as_f64().unwrap()
        };
        for (copy, seconds) in [("-cut", 2.7), ("-all", 2.7), ("-64", 0.0), ("-24000", 0.0)] {
            // The delay of an encoder is up to 0.05 s.
            assert!((offset(copy) - offset("-0.") - seconds).abs() < 0.1, "{copy}: {group}");
        }
    }
    let mut command = Program::Preprocess.command(["inspect", "--duplicates"]);
    command
        .arg(dataset.path())
        .assert()
        .success()
        .stdout(contains(
            "6 recordings with several tracks, 6 of them with different labels",
        ))
        .stdout(contains("begins at +2.7 s").or(contains("begins at -2.7 s")));
    let without_copies = json_line(
        &Program::Preprocess
            .command(["inspect", "--duplicates", "--json"])
            .arg(BuiltDataset::small().path())
            .assert()
            .success(),
    );
    assert_eq!(without_copies["groups"], json!([]));
}

#[test]
fn split_by_recording_keeps_copies_together_and_random_one_leaks() {
    let dataset = CopiedMusic::dataset().copy();
    let leaks = |name: &str| -> Value {
        let split: Value = serde_json::from_str(&dataset.text(&format!("splits/{name}/split.json"))).unwrap();
        split["leaks"]["recordings"].clone()
    };
    dataset
        .split("--strategy grouped --group-by recording --name apart")
        .success();
    assert_eq!(leaks("apart"), json!([]));
    let groups = inspect(&dataset.path())["groups"].clone();
    for group in groups.as_array().unwrap() {
        assert_eq!(group["sets"].as_array().unwrap().len(), 1, "{group}");
    }
    dataset
        .split("--strategy random --name leaky")
        .success()
        .stderr(contains("in more than one set"));
    assert!(!leaks("leaky").as_array().unwrap().is_empty());
}

#[test]
fn recordings_do_not_depend_on_jobs_or_parts() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let music = CopiedMusic::shared();
    music.build(&at("one"), &["--jobs", "1"]);
    for part in ["1/2", "2/2"] {
        music.build(&at(&part[..1]), &["--part", part]);
    }
    let mut merge = Program::Preprocess.command(["merge"]);
    merge.arg(at("merged")).args([at("1"), at("2")]).assert().success();
    let expected = Tree::read(&CopiedMusic::dataset().path()).unwrap();
    for name in ["one", "merged"] {
        assert_eq!(Tree::read(&at(name)).unwrap().differences(&expected), [""; 0], "{name}");
    }
}
