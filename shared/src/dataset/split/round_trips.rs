//! Property tests: any split round-trips, and a changed one is refused or has the same content.

use super::tests::{dataset_index, write};
use super::*;
use crate::dataset::manifest;
use crate::dataset::statistics::Normalization;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ \"',|\t\r\na]{0,6}"]
}

fn label() -> impl Strategy<Value = String> {
    text().prop_filter("a label is not empty and has no `|`", |label| {
        !label.is_empty() && !label.contains('|')
    })
}

fn set() -> impl Strategy<Value = Set> {
    prop::sample::select(Set::ALL.to_vec())
}

fn leaks() -> impl Strategy<Value = Vec<Leak>> {
    let tracks = prop::collection::btree_map(set(), prop::collection::vec(any::<u64>(), 0..3), 0..4);
    prop::collection::vec((text(), tracks).prop_map(|(name, tracks)| Leak { name, tracks }), 0..3)
}

prop_compose! {
    fn any_split()(
        name in "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,8}".prop_filter("a reserved name", |name| name != CURRENT_FILE),
        strategy in text(),
        group_by in prop::option::of(text()),
        ratios in prop::option::of([-1e9f64..1e9, -1.0..1.0, 0.0..1e-9]),
        seed in any::<Option<u64>>(),
        fold in prop::option::of((text(), any::<usize>(), any::<usize>())),
        counts in prop::collection::btree_map(set(), prop::collection::btree_map(text(), any::<usize>(), 0..3), 0..4),
        (artists, albums, recordings) in (leaks(), leaks(), leaks()),
        (unknown_artists, unknown_albums) in any::<(usize, usize)>(),
    ) -> SplitIndex {
        SplitIndex {
            format_version: FORMAT_VERSION,
            checksum: String::new(),
            name,
            dataset: "abc".into(),
            strategy,
            group_by,
            ratios,
            seed,
            fold: fold.map(|(name, number, of)| Fold { name, number, of }),
            counts,
            leaks: LeakAudit { artists, albums, recordings, unknown_artists, unknown_albums },
            files: BTreeMap::new(),
        }
    }
}

prop_compose! {
    fn any_normalization()(
        tracks in any::<usize>(),
        values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL, 6),
        constant_bands in prop::collection::vec(any::<usize>(), 0..3),
    ) -> Normalization {
        Normalization {
            tracks,
            waveform_mean: values[0],
            waveform_std: values[1],
            mel_mean: values[2..4].to_vec(),
            mel_std: values[4..].to_vec(),
            constant_bands,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 24 }))]
    #[test]
    fn any_split_round_trips(
        index in any_split(),
        normalization in any_normalization(),
        labels in prop::collection::btree_map(any::<u64>(), (set(), prop::collection::vec(label(), 0..3)), 0..9),
    ) {
        let root = tempfile::tempdir().unwrap();
        let mut rows: BTreeMap<Set, Vec<SplitRow>> = BTreeMap::new();
        for (track_id, (set, labels)) in labels {
            rows.entry(set).or_default().push(SplitRow { track_id, labels });
        }
        Split::write(root.path(), index.clone(), &rows, &normalization).unwrap();
        let split = Split::read(root.path(), &dataset_index(), Some(&index.name)).unwrap();
        let filled_in = SplitIndex {
            checksum: split.index.checksum.clone(),
            files: split.index.files.clone(),
            ..index.clone()
        };
        prop_assert_eq!(&split.index, &filled_in);
        prop_assert_eq!(&split.normalization, &normalization);
        for set in Set::ALL {
            let path = directory(root.path(), &index.name).unwrap().join(set.file());
            let listed: Vec<SplitRow> = manifest::from_csv(&fs::read(path).unwrap()).unwrap();
            prop_assert_eq!(&listed, &rows.get(&set).cloned().unwrap_or_default());
            let ids: Vec<u64> = listed.iter().map(|row| row.track_id).collect();
            prop_assert_eq!(&split.tracks[&set], &ids);
        }
    }

    #[test]
    fn changed_file_is_refused_or_equal(
        file in prop::sample::select(vec!["split.json", "train.csv", "val.csv", "normalization.json"]),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let root = tempfile::tempdir().unwrap();
        write(&root, "s", [vec![1, 4], vec![2], vec![3]]).unwrap();
        let before = Split::read(root.path(), &dataset_index(), Some("s")).unwrap();
        let path = root.path().join("splits/s").join(file);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = value;
        fs::write(&path, bytes).unwrap();
        if let Ok(after) = Split::read(root.path(), &dataset_index(), Some("s")) {
            prop_assert_eq!(after, before);
        }
    }
}
