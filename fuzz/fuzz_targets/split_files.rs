//! Reads a split of five arbitrary files and an arbitrary `splits/current`. `split.json` is read unchanged, and again
//! with corrected checksums.

#![no_main]

use fuzz::sections;
use libfuzzer_sys::fuzz_target;
use shared::dataset::split::{self, NORMALIZATION_FILE, SPLIT_FILE, Set, Split, SplitIndex};
use shared::dataset::{DatasetIndex, FileRecord, SourceRecord, Task};
use shared::dsp::features::FeatureConfig;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use tempfile::TempDir;

thread_local! {
    static DIRECTORY: RefCell<TempDir> = RefCell::new(fuzz::directory());
}

fn index() -> DatasetIndex {
    let features = FeatureConfig {
        n_mels: 2,
        ..FeatureConfig::default()
    };
    DatasetIndex {
        format_version: shared::dataset::FORMAT_VERSION,
        checksum: "abc".into(),
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
        samples: 3,
        shards: Vec::new(),
        files: BTreeMap::new(),
        earlier: Vec::new(),
        waveforms_of: None,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [current, json, train, val, test, normalization] = sections::<6>(bytes);
    DIRECTORY.with_borrow(|directory| {
        let root = directory.path();
        let splits = root.join("splits");
        fs::create_dir_all(splits.join("s")).expect("the temporary directory has space");
        fs::write(splits.join("current"), current).expect("the temporary directory has space");
        let write = |name: &str, content: &[u8]| {
            fs::write(splits.join("s").join(name), content).expect("the temporary directory has space");
        };
        write(SPLIT_FILE, json);
        let index = index();
        for name in [None, Some("s")] {
            let _ = Split::read(root, &index, name);
        }
        let _ = (split::names(root), split::current(root));
        let Ok(mut signed) = serde_json::from_slice::<SplitIndex>(json) else {
            return;
        };
        let lists = Set::ALL.map(|set| set.file());
        let names = lists.iter().map(String::as_str).chain([NORMALIZATION_FILE]);
        for (name, content) in names.zip([train, val, test, normalization]) {
            write(name, content);
            signed.files.insert(name.into(), FileRecord::from_content(content));
        }
        signed.format_version = split::FORMAT_VERSION;
        signed.dataset = index.checksum.clone();
        signed.checksum = String::new();
        let unsigned = serde_json::to_vec(&signed).expect("plain data always serializes");
        signed.checksum = blake3::hash(&unsigned).to_hex().to_string();
        write(
            SPLIT_FILE,
            &serde_json::to_vec(&signed).expect("plain data always serializes"),
        );
        if let Ok(split) = Split::read(root, &index, Some("s")) {
            assert_eq!(split.normalization.mel_mean.len(), 2);
        }
    });
});
