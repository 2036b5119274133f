//! Property tests: any index round-trips, and a changed one is refused or has the same content.

use super::*;
use crate::dsp::features::FeatureConfig;
use proptest::prelude::*;
use std::path::Path;

/// Text with quotes, separators, line ends, control characters, and spaces at the ends.
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
            top_db: Some(top_db),
            ..FeatureConfig::default()
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
    fn any_index_round_trips(index in any_index()) {
        let read = DatasetIndex::from_json(Path::new(INDEX_FILE), &index.to_json()).unwrap();
        // `to_json` fills in the checksum.
        prop_assert_eq!(DatasetIndex { checksum: index.checksum.clone(), ..read }, index);
    }

    #[test]
    fn changed_index_is_refused_or_equal(index in any_index(), at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut json = index.to_json();
        let at = at.index(json.len());
        json[at] = value;
        if let Ok(read) = DatasetIndex::from_json(Path::new(INDEX_FILE), &json) {
            prop_assert_eq!(DatasetIndex { checksum: index.checksum.clone(), ..read }, index);
        }
    }

    #[test]
    fn hostile_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(DatasetIndex::from_json(Path::new(INDEX_FILE), &bytes).is_err());
    }
}
