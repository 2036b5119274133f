//! A complete small data set for tests, written with the public functions of `shared` only.

use crate::models::ModelKind;
use crate::settings::device::DeviceChoice;
use crate::settings::{RunConfig, Settings};
use burn::tensor::Device;
use half::f16;
use ndarray::Array2;
use shared::dataset::manifest::{self, RejectedRow, TrackRow};
use shared::dataset::shard::{FinishedShard, ShardKind, ShardWriter};
use shared::dataset::split::{self, LeakAudit, Set, Split, SplitIndex, SplitRow};
use shared::dataset::statistics::{self, Normalization, TrackSummary};
use shared::dataset::{
    DatasetIndex, FORMAT_VERSION, FileRecord, INDEX_FILE, REJECTED_FILE, SUMMARY_FILE, ShardFileRecord, ShardRecord,
    SourceRecord, TRACKS_FILE, Task,
};
use shared::dsp::decibel::{Reference, power_to_db};
use shared::dsp::features::FeatureConfig;
use shared::dsp::mel::{MelScratch, MelSpectrogram};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Number of tracks; their ids are 10, 20, 30 …
pub const TRACKS: usize = 8;

/// Rounds of a fault-injection test: CRATEDIGGER_FAULT_ROUNDS, or `default`.
pub fn fault_rounds(default: u32) -> u32 {
    let rounds = std::env::var("CRATEDIGGER_FAULT_ROUNDS").ok();
    rounds.map_or(default, |rounds| {
        rounds.parse().expect("CRATEDIGGER_FAULT_ROUNDS is a number")
    })
}

/// The device that CRATEDIGGER_TEST_DEVICE names, as `scripts/test_gpu.sh` does. Without it, says that the test is skipped.
pub fn named_device() -> Option<Device> {
    let Ok(name) = std::env::var("CRATEDIGGER_TEST_DEVICE") else {
        eprintln!("skipped: CRATEDIGGER_TEST_DEVICE names no device");
        return None;
    };
    let choice: DeviceChoice = name.parse().unwrap();
    Some(choice.open().unwrap().0)
}

/// Default settings of `model` on the data set in `root`.
pub fn config(root: &Path, model: ModelKind) -> RunConfig {
    let settings = Settings {
        data: Some(root.into()),
        model: Some(model),
        ..Settings::default()
    };
    settings.resolve().unwrap()
}

/// Two classes of noisy tones, a little longer than a clip, with a split `main` of four, two and two tracks.
pub fn dataset() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let features = FeatureConfig::default();
    fs::create_dir(root.path().join("shards")).unwrap();
    let writer = |kind: ShardKind| ShardWriter::create(&root.path().join(kind.path(0)), kind).unwrap();
    let (mut waveforms, mut mels) = (writer(ShardKind::Waveform), writer(ShardKind::Mel));
    let (mel, mut scratch) = (MelSpectrogram::new(&features), MelScratch::default());
    let (mut rows, mut sums) = (Vec::new(), Vec::new());
    for at in 0..TRACKS {
        let track_id = 10 * (at as u64 + 1);
        let samples = samples(at, features.clip_samples + 5000 * at);
        let mut power = Array2::zeros((features.n_mels, mel.frames(samples.len())));
        mel.power(&samples, &mut scratch, power.view_mut());
        power_to_db(power.as_slice_mut().unwrap(), Reference::Value(1.0), None);
        let decibels: Vec<f16> = power.iter().map(|&value| f16::from_f32(value)).collect();
        waveforms.push_waveform(track_id, &samples).unwrap();
        mels.push_mel(track_id, features.n_mels, &decibels).unwrap();
        sums.push(TrackSummary::new(track_id, &samples, &decibels, &features));
        rows.push(TrackRow {
            track_id,
            labels: vec![["Folk", "Rock"][at % 2].into()],
            artist: String::new(),
            album: String::new(),
            official_split: String::new(),
            path: format!("000/{track_id:06}.mp3"),
            samples: samples.len() as u64,
            source_rate: 44_100,
            source_channels: 1,
            bad_frames: 0,
            clipped_samples: 0,
            flags: Vec::new(),
            recording: track_id,
            shard: 0,
            waveform_blake3: blake3::hash(bytemuck::cast_slice(&samples)).to_hex().to_string(),
            mel_blake3: blake3::hash(bytemuck::cast_slice(&decibels)).to_hex().to_string(),
        });
    }
    let record = |shard: FinishedShard| ShardFileRecord {
        bytes: shard.bytes,
        header_blake3: shard.header_blake3,
    };
    let (waveform, mel) = (record(waveforms.finish().unwrap()), record(mels.finish().unwrap()));
    let files = [
        (TRACKS_FILE, manifest::to_csv(&rows)),
        (REJECTED_FILE, manifest::to_csv::<RejectedRow>(&[])),
        (SUMMARY_FILE, statistics::summary_to_bytes(&sums, features.n_mels)),
    ];
    let index = DatasetIndex {
        format_version: FORMAT_VERSION,
        checksum: String::new(),
        source: SourceRecord {
            name: "fma".into(),
            subset: "small".into(),
            preset: None,
            preset_differences: Vec::new(),
            audio: "audio".into(),
            part: None,
        },
        fingerprint: features.fingerprint(),
        features: features.clone(),
        task: Task::default(),
        classes: vec!["Folk".into(), "Rock".into()],
        kept: TRACKS,
        rejected: 0,
        samples: rows.iter().map(|row| row.samples).sum(),
        shards: vec![ShardRecord {
            tracks: TRACKS,
            waveform,
            mel,
        }],
        files: files
            .iter()
            .map(|(name, content)| ((*name).to_owned(), FileRecord::from_content(content)))
            .collect(),
        waveforms_of: None,
        earlier: Vec::new(),
    };
    for (name, content) in &files {
        fs::write(root.path().join(name), content).unwrap();
    }
    fs::write(root.path().join(INDEX_FILE), index.to_json()).unwrap();
    let index = shared::dataset::Dataset::read_index(root.path()).unwrap();
    write_split(root.path(), &index, &rows, &sums, features.n_mels);
    root
}

fn samples(at: usize, length: usize) -> Vec<i16> {
    let pitch = 0.01 + 0.02 * (at % 2) as f32;
    let mut noise = at as u32 + 1;
    (0..length)
        .map(|t| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((t as f32 * pitch).sin() * 8000.0) as i16 + (noise >> 20) as i16 - 2048
        })
        .collect()
}

fn write_split(root: &Path, index: &DatasetIndex, rows: &[TrackRow], sums: &[TrackSummary], n_mels: usize) {
    let sets = [(Set::Train, 0..4), (Set::Val, 4..6), (Set::Test, 6..TRACKS)];
    let lists: BTreeMap<Set, Vec<SplitRow>> = sets
        .map(|(set, range)| {
            let row = |row: &TrackRow| SplitRow {
                track_id: row.track_id,
                labels: row.labels.clone(),
            };
            (set, rows[range].iter().map(row).collect())
        })
        .into();
    let split_index = SplitIndex {
        format_version: split::FORMAT_VERSION,
        checksum: String::new(),
        name: "main".into(),
        dataset: index.checksum.clone(),
        strategy: "random".into(),
        group_by: None,
        ratios: Some([0.5, 0.25, 0.25]),
        seed: Some(0),
        fold: None,
        counts: BTreeMap::new(),
        leaks: LeakAudit::default(),
        files: BTreeMap::new(),
    };
    let normalization = Normalization::from_summaries(&sums[..4], n_mels).unwrap();
    Split::write(root, split_index, &lists, &normalization).unwrap();
    split::set_current(root, "main").unwrap();
}
