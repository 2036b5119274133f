use super::*;
use crate::dataset::shard::ShardWriter;
use half::f16;
use proptest::prelude::*;
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
            artist: String::new(),
            album: String::new(),
            official_split: String::new(),
            path: format!("000/{id:06}.mp3"),
            samples: samples as u64,
            source_rate: 44_100,
            source_channels: 2,
            bad_frames: 0,
            clipped_samples: 0,
            flags: Vec::new(),
            recording: id as u64,
            shard: 0,
            waveform_blake3: String::new(),
            mel_blake3: String::new(),
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
        features,
        task: Task::default(),
        classes: vec!["Folk".into(), "Rock".into()],
        kept: 3,
        rejected: 0,
        samples: 4572,
        shards: vec![ShardRecord {
            tracks: 3,
            waveform: record(waveform),
            mel: record(mel),
        }],
        files: contents
            .iter()
            .map(|(name, content)| ((*name).into(), FileRecord::of(content)))
            .collect(),
        waveforms_of: None,
        earlier: Vec::new(),
    };
    for (name, content) in contents {
        fs::write(root.path().join(name), content).unwrap();
    }
    fs::write(root.path().join(INDEX_FILE), index.to_json()).unwrap();
    root
}

#[test]
fn tracks_are_lent_as_they_were_written() {
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
fn the_index_survives_a_round_trip_and_no_change() {
    let root = tiny();
    let path = root.path().join(INDEX_FILE);
    let json = fs::read(&path).unwrap();
    let index = DatasetIndex::from_json(&path, &json).unwrap();
    assert_eq!(index.to_json(), json);
    for at in 0..json.len() {
        let mut changed = json.clone();
        changed[at] ^= 1;
        // White space may change without a change of meaning; anything else is refused.
        if let Ok(read) = DatasetIndex::from_json(&path, &changed) {
            assert_eq!(read, index, "byte {at}");
        }
    }
}

#[test]
fn several_labels_are_several_classes() {
    let root = tiny();
    let mut index = Dataset::read_index(root.path()).unwrap();
    let mut rows = read_tracks(root.path(), &index).unwrap();
    rows[1].labels = vec!["Rock".into(), "Folk".into()];
    rows[2].labels.clear();
    let table = manifest::to_csv(&rows);
    index.task = Task::MultiLabel;
    index.files.insert(TRACKS_FILE.into(), FileRecord::of(&table));
    fs::write(root.path().join(TRACKS_FILE), table).unwrap();
    fs::write(root.path().join(INDEX_FILE), index.to_json()).unwrap();
    let dataset = Dataset::open(root.path()).unwrap();
    assert_eq!(dataset.task(), Task::MultiLabel);
    let tags = |position| dataset.tags(position).collect::<Vec<_>>();
    assert_eq!((tags(0), tags(1), tags(2)), (vec![0], vec![1, 0], vec![]));
    assert_eq!((dataset.class(1), dataset.class(2)), (None, None));
}

#[test]
fn an_index_without_a_task_is_of_one_label_and_keeps_its_checksum() {
    let root = tiny();
    let json = fs::read_to_string(root.path().join(INDEX_FILE)).unwrap();
    assert!(!json.contains("\"task\""));
    let index = DatasetIndex::from_json(Path::new(INDEX_FILE), json.as_bytes()).unwrap();
    assert_eq!(index.task, Task::SingleLabel);
    let tagged = DatasetIndex {
        task: Task::MultiLabel,
        ..index
    };
    let json = String::from_utf8(tagged.to_json()).unwrap();
    assert!(json.contains("\"task\": \"multi-label\""), "{json}");
    let read = DatasetIndex::from_json(Path::new(INDEX_FILE), json.as_bytes()).unwrap();
    assert_eq!(read.task, Task::MultiLabel);
}

#[test]
fn each_damage_is_refused_with_the_file_named() {
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
fn another_version_and_no_index_are_told_apart() {
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
fn copies_elsewhere_are_read_instead_and_only_if_they_are_the_same() {
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
    // Through the bytes: the length word before the header is no text.
    bytes[8..shard::DATA_START].copy_from_slice(&other.as_bytes()[other.len() - (shard::DATA_START - 8)..]);
    fs::write(copies.path().join("other"), bytes).unwrap();
    fs::rename(copies.path().join("other"), copies.path().join(&file)).unwrap();
    assert!(dataset.relocate(ShardKind::Waveform, copies.path()).is_err());
    assert_eq!(dataset.waveform(1)[..4], [0, 9, 18, 27]);
}

#[test]
fn every_byte_of_a_shard_is_vouched_for() {
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
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let mut changed = whole.clone();
        changed[at] ^= 4;
        fs::write(&path, &changed).unwrap();
        assert_eq!(problems().len(), 1, "byte {at}: {:?}", problems());
    }
    fs::write(&path, whole).unwrap();
    let fewer = &shard_rows[0][1..];
    let problems = integrity::shard_problems(&path, &index, fewer, ShardKind::Mel, 0, &|_| {});
    assert!(problems[0].contains("holds 3 tracks"), "{problems:?}");
}

#[test]
fn rows_are_grouped_by_the_shard_they_name() {
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
fn a_path_in_the_index_that_leaves_is_not_read() {
    let root = tiny();
    let mut index = Dataset::read_index(root.path()).unwrap();
    let secret = root.path().with_extension("secret");
    fs::write(&secret, b"secret").unwrap();
    let beside = format!("../{}", secret.file_name().unwrap().to_string_lossy());
    for file in [beside.as_str(), secret.to_str().unwrap()] {
        index.files.insert(file.into(), FileRecord::of(b"secret"));
        let error = read_recorded(root.path(), &index, file).unwrap_err().to_string();
        assert!(error.contains("leads out of the data set"), "{error}");
    }
    fs::remove_file(secret).unwrap();
}

#[cfg(unix)]
#[test]
fn links_that_leave_are_not_followed_and_the_directory_may_be_one() {
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

/// Text as tables and documents meet it: quotes, separators, line ends, control characters, spaces at the ends.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ \"',;|\t\r\n\\x00-\\x1fäß漢]{0,8}",
        prop::sample::select(vec![
            " ",
            "\"",
            "\"\"",
            "\r\n",
            "a\"b",
            ",",
            "'",
            " a ",
            "\u{feff}a",
            "-1",
            "NaN",
            "true"
        ])
        .prop_map(str::to_owned),
    ]
}

prop_compose! {
    fn file_record()(bytes in any::<u64>(), blake3 in text()) -> FileRecord {
        FileRecord { bytes, blake3 }
    }
}

prop_compose! {
    fn shard_file()(bytes in any::<u64>(), header_blake3 in text()) -> ShardFileRecord {
        ShardFileRecord { bytes, header_blake3 }
    }
}

prop_compose! {
    fn features()(
        n_fft in 8usize..4096,
        hop in 1usize..16,
        clip in 2048usize..5000,
        n_mels in 1usize..4,
        rate in 1u32..200_000,
        (f_min, f_max, top_db) in (0.0f32..0.4, 0.401f32..0.5, 0.1f32..200.0),
    ) -> FeatureConfig {
        FeatureConfig {
            sample_rate: rate,
            clip_samples: clip * 2 * hop,
            n_fft: 2 * (n_fft / 2).max(hop),
            hop_length: hop,
            n_mels,
            f_min: f_min * rate as f32,
            f_max: f_max * rate as f32,
            top_db,
        }
    }
}

prop_compose! {
    fn any_index()(
        features in features(),
        texts in prop::collection::vec(text(), 4),
        preset in prop::option::of(text()),
        lists in (prop::collection::vec(text(), 0..3), prop::collection::vec(text(), 0..5)),
        counts in any::<(usize, usize, u64)>(),
        shards in prop::collection::vec((any::<usize>(), shard_file(), shard_file()), 0..3),
        files in prop::collection::btree_map(text(), file_record(), 0..4),
        many in any::<bool>(),
        more in (prop::option::of(text()), prop::collection::vec(text(), 0..3)),
    ) -> DatasetIndex {
        let [name, subset, audio, checksum] = texts.try_into().unwrap();
        DatasetIndex {
            format_version: FORMAT_VERSION,
            checksum,
            source: SourceRecord { name, subset, preset, preset_differences: lists.0, audio, part: more.0.clone() },
            fingerprint: features.fingerprint(),
            features,
            task: if many { Task::MultiLabel } else { Task::SingleLabel },
            classes: lists.1,
            kept: counts.0,
            rejected: counts.1,
            samples: counts.2,
            shards: shards.into_iter().map(|(tracks, waveform, mel)| ShardRecord { tracks, waveform, mel }).collect(),
            files,
            waveforms_of: more.0.clone(),
            earlier: more.1,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 256 }))]
    #[test]
    fn any_index_comes_back(index in any_index()) {
        let read = DatasetIndex::from_json(Path::new(INDEX_FILE), &index.to_json()).unwrap();
        // The checksum is filled in.
        prop_assert_eq!(DatasetIndex { checksum: index.checksum.clone(), ..read }, index);
    }

    #[test]
    fn a_changed_index_is_the_same_or_refused(index in any_index(), at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut json = index.to_json();
        let at = at.index(json.len());
        json[at] = value;
        if let Ok(read) = DatasetIndex::from_json(Path::new(INDEX_FILE), &json) {
            prop_assert_eq!(DatasetIndex { checksum: index.checksum.clone(), ..read }, index);
        }
    }

    #[test]
    fn hostile_bytes_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(DatasetIndex::from_json(Path::new(INDEX_FILE), &bytes).is_err());
    }
}
