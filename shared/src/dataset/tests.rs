use super::manifest::{RejectedRow, TrackRow};
use super::shard::{MappedShard, ShardKind, ShardWriter};
use super::statistics::TrackSummary;
use super::*;
use crate::dsp::features::FeatureConfig;
use half::f16;
use std::fs;
use tempfile::TempDir;

/// A complete data set of three short tracks.
fn tiny() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("shards")).unwrap();
    let features = FeatureConfig {
        n_mels: 4,
        ..FeatureConfig::default()
    };
    let path = |kind: ShardKind| root.path().join(kind.path(0));
    let mut waveforms = ShardWriter::create(&path(ShardKind::Waveform), ShardKind::Waveform).unwrap();
    let mut mels = ShardWriter::create(&path(ShardKind::Mel), ShardKind::Mel).unwrap();
    let (mut rows, mut sums) = (Vec::new(), Vec::new());
    for (id, label, samples) in [(5, "Folk", 2048usize), (9, "Rock", 1024), (12, "Folk", 1500)] {
        let pcm: Vec<i16> = (0..samples).map(|at| (at * id) as i16).collect();
        let mel = vec![f16::from_f32(-3.5); 4 * features.track_frames(samples)];
        waveforms.push_waveform(id as u64, &pcm).unwrap();
        mels.push_mel(id as u64, 4, &mel).unwrap();
        sums.push(TrackSummary::new(id as u64, &pcm, &mel, &features));
        rows.push(TrackRow {
            track_id: id as u64,
            labels: vec![label.into()],
            samples: samples as u64,
            ..TrackRow::default()
        });
    }
    let (waveform, mel) = (waveforms.finish().unwrap(), mels.finish().unwrap());
    let contents = [
        (TRACKS_FILE, manifest::to_csv(&rows)),
        (REJECTED_FILE, manifest::to_csv::<RejectedRow>(&[])),
        (SUMMARY_FILE, statistics::summary_to_bytes(&sums, 4)),
    ];
    let record = |finished: shard::FinishedShard| ShardFileRecord {
        bytes: finished.bytes,
        header_blake3: finished.header_blake3,
    };
    let index = DatasetIndex {
        format_version: FORMAT_VERSION,
        fingerprint: features.fingerprint(),
        features,
        classes: vec!["Folk".into(), "Rock".into()],
        kept: 3,
        samples: 4572,
        shards: vec![ShardRecord {
            tracks: 3,
            waveform: record(waveform),
            mel: record(mel),
        }],
        files: contents
            .iter()
            .map(|(name, content)| ((*name).into(), FileRecord::from_content(content)))
            .collect(),
        ..DatasetIndex::default()
    };
    for (name, content) in contents {
        fs::write(root.path().join(name), content).unwrap();
    }
    fs::write(root.path().join(INDEX_FILE), index.to_json()).unwrap();
    root
}

#[test]
fn tracks_are_read_as_they_were_written() {
    let root = tiny();
    let dataset = Dataset::open(root.path()).unwrap();
    assert_eq!(dataset.tracks().len(), 3);
    let rock = dataset.position(9).unwrap();
    assert_eq!((dataset.class(rock), dataset.position(10)), (Some(1), None));
    assert_eq!(dataset.tags(rock).collect::<Vec<_>>(), [1]);
    assert_eq!(dataset.task(), Task::SingleLabel);
    assert_eq!(dataset.waveform(rock)[..4], [0, 9, 18, 27]);
    assert_eq!((dataset.mel(rock).n_mels, dataset.mel(rock).frames), (4, 2));
    assert_eq!(read_summary(root.path(), dataset.index()).unwrap()[1].samples, 1024);
}

#[test]
fn index_round_trips_and_a_changed_one_is_refused() {
    let root = tiny();
    let path = root.path().join(INDEX_FILE);
    let json = fs::read(&path).unwrap();
    let index = DatasetIndex::from_json(&path, &json).unwrap();
    assert_eq!(index.to_json(), json);
    for at in 0..json.len() {
        let mut changed = json.clone();
        changed[at] ^= 1;
        // White space may change without a change of content; anything else is refused.
        if let Ok(read) = DatasetIndex::from_json(&path, &changed) {
            assert_eq!(read, index, "byte {at}");
        }
    }
}

#[test]
fn track_with_several_labels_has_several_classes() {
    let root = tiny();
    let mut index = Dataset::read_index(root.path()).unwrap();
    let mut rows = read_tracks(root.path(), &index).unwrap();
    rows[1].labels = vec!["Rock".into(), "Folk".into()];
    rows[2].labels.clear();
    let table = manifest::to_csv(&rows);
    index.task = Task::MultiLabel;
    index.files.insert(TRACKS_FILE.into(), FileRecord::from_content(&table));
    fs::write(root.path().join(TRACKS_FILE), table).unwrap();
    fs::write(root.path().join(INDEX_FILE), index.to_json()).unwrap();
    let dataset = Dataset::open(root.path()).unwrap();
    assert_eq!(dataset.task(), Task::MultiLabel);
    let tags = |position| dataset.tags(position).collect::<Vec<_>>();
    assert_eq!((tags(0), tags(1), tags(2)), (vec![0], vec![1, 0], vec![]));
    assert_eq!((dataset.class(1), dataset.class(2)), (None, None));
}

#[test]
fn task_is_written_only_if_multi_label() {
    let root = tiny();
    let index = Dataset::read_index(root.path()).unwrap();
    let json = |index: &DatasetIndex| String::from_utf8(index.to_json()).unwrap();
    assert!(!json(&index).contains("\"task\""));
    let tagged = DatasetIndex {
        task: Task::MultiLabel,
        ..index
    };
    assert!(json(&tagged).contains("\"task\": \"multi-label\""));
}

#[test]
fn damaged_file_is_refused_by_name() {
    type Damage = fn(&mut Vec<u8>);
    let cases: [(&str, Damage); 4] = [
        (INDEX_FILE, |bytes| bytes.truncate(20)),
        (TRACKS_FILE, |bytes| bytes[100] ^= 1),
        ("shards/waveform-00000.safetensors", |bytes| {
            bytes.truncate(bytes.len() - 2)
        }),
        ("shards/mel-00000.safetensors", |bytes| bytes[20] ^= 1),
    ];
    for (file, damage) in cases {
        let root = tiny();
        let path = root.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let message = Dataset::open(root.path()).unwrap_err().to_string();
        assert!(message.contains(file), "{message} should name {file}");
    }
}

#[test]
fn other_version_and_missing_index_give_different_errors() {
    let root = tiny();
    let path = root.path().join(INDEX_FILE);
    fs::write(&path, r#"{"format_version": 7, "unknown": true}"#).unwrap();
    assert!(matches!(
        Dataset::open(root.path()),
        Err(DatasetError::Version { found: 7, .. })
    ));
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        Dataset::open(root.path()),
        Err(DatasetError::NotADataset { .. })
    ));
}

#[test]
fn relocated_shards_are_read_only_if_they_match() {
    let (root, copies) = (tiny(), tempfile::tempdir().unwrap());
    let mut dataset = Dataset::open(root.path()).unwrap();
    let refused = dataset.relocate(ShardKind::Waveform, copies.path());
    assert!(matches!(refused, Err(DatasetError::Shard(_))));
    fs::create_dir(copies.path().join("shards")).unwrap();
    let file = ShardKind::Waveform.path(0);
    fs::copy(root.path().join(&file), copies.path().join(&file)).unwrap();
    dataset.relocate(ShardKind::Waveform, copies.path()).unwrap();
    fs::remove_file(root.path().join(&file)).unwrap();
    assert_eq!(dataset.waveform(1)[..4], [0, 9, 18, 27]);
    // Another data set's shard of the same size.
    let mut bytes = fs::read(copies.path().join(&file)).unwrap();
    let header = String::from_utf8_lossy(&bytes[..shard::DATA_START]).into_owned();
    let other = header.replacen("\"9\"", "\"8\"", 1);
    assert_ne!(other, header);
    // Edit the bytes: the length word before the header is not text.
    bytes[8..shard::DATA_START].copy_from_slice(&other.as_bytes()[other.len() - (shard::DATA_START - 8)..]);
    fs::write(copies.path().join("other"), bytes).unwrap();
    fs::rename(copies.path().join("other"), copies.path().join(&file)).unwrap();
    assert!(dataset.relocate(ShardKind::Waveform, copies.path()).is_err());
    assert_eq!(dataset.waveform(1)[..4], [0, 9, 18, 27]);
}

#[test]
fn every_changed_byte_of_a_shard_is_found() {
    let root = tiny();
    let index = Dataset::read_index(root.path()).unwrap();
    let mut rows = read_tracks(root.path(), &index).unwrap();
    let path = root.path().join(ShardKind::Mel.path(0));
    let shard = MappedShard::open(&path, ShardKind::Mel, index.shards[0].mel.bytes).unwrap();
    for row in &mut rows {
        row.mel_blake3 = blake3::hash(shard.bytes(row.track_id).unwrap()).to_hex().to_string();
    }
    drop(shard);
    let shard_rows = integrity::rows_by_shard(&rows, 1);
    let problems = || integrity::shard_problems(&path, &index, &shard_rows[0], ShardKind::Mel, 0, &|_| {});
    assert_eq!(problems(), [""; 0]);
    let original = fs::read(&path).unwrap();
    for at in (0..original.len()).step_by(97).chain([original.len() - 1]) {
        let mut changed = original.clone();
        changed[at] ^= 4;
        fs::write(&path, &changed).unwrap();
        assert_eq!(problems().len(), 1, "byte {at}: {:?}", problems());
    }
    fs::write(&path, original).unwrap();
    let fewer = &shard_rows[0][1..];
    let problems = integrity::shard_problems(&path, &index, fewer, ShardKind::Mel, 0, &|_| {});
    assert!(problems[0].contains("holds 3 tracks"), "{problems:?}");
}

#[test]
fn rows_are_grouped_by_shard() {
    let root = tiny();
    let index = Dataset::read_index(root.path()).unwrap();
    let mut rows = read_tracks(root.path(), &index).unwrap();
    let ids: Vec<u64> = rows.iter().map(|row| row.track_id).collect();
    for (row, shard) in rows.iter_mut().zip([2, 0, 7]) {
        row.shard = shard;
    }
    let grouped: Vec<Vec<u64>> = integrity::rows_by_shard(&rows, 3)
        .into_iter()
        .map(|rows| rows.iter().map(|row| row.track_id).collect())
        .collect();
    assert_eq!(grouped, [vec![ids[1]], vec![], vec![ids[0]]]);
}

#[test]
fn path_out_of_the_data_set_is_not_read() {
    let root = tiny();
    let mut index = Dataset::read_index(root.path()).unwrap();
    let secret = root.path().with_extension("secret");
    fs::write(&secret, b"secret").unwrap();
    let relative = format!("../{}", secret.file_name().unwrap().to_string_lossy());
    for file in [relative.as_str(), secret.to_str().unwrap()] {
        index.files.insert(file.into(), FileRecord::from_content(b"secret"));
        let error = read_recorded(root.path(), &index, file).unwrap_err().to_string();
        assert!(error.contains("leads out of the data set"), "{error}");
    }
    fs::remove_file(secret).unwrap();
}

#[cfg(unix)]
#[test]
fn only_links_out_of_the_data_set_are_refused() {
    use std::os::unix::fs::symlink;
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    for file in [TRACKS_FILE, "shards/mel-00000.safetensors", "shards"] {
        let root = tiny();
        let there = elsewhere.path().join("there");
        fs::rename(root.path().join(file), &there).unwrap();
        symlink(&there, root.path().join(file)).unwrap();
        let error = Dataset::open(root.path()).unwrap_err().to_string();
        assert!(error.contains("leads out of the data set"), "{error}");
        fs::remove_file(root.path().join(file)).unwrap();
        fs::rename(&there, root.path().join(file)).unwrap();
        symlink(root.path(), &link).unwrap();
        assert!(Dataset::open(&link).is_ok());
        fs::remove_file(&link).unwrap();
    }
}
