//! Opens a data set of six arbitrary files: `dataset.json`, `tracks.csv`, `rejected.csv`, the summary and a pair of
//! shards. The index is read unchanged, and again with corrected checksums, because only then are the files parsed.

#![no_main]

use fuzz::sections;
use libfuzzer_sys::fuzz_target;
use shared::dataset::shard::ShardKind;
use shared::dataset::{self, Dataset, DatasetIndex, FileRecord};
use std::cell::RefCell;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

thread_local! {
    static DIRECTORY: RefCell<TempDir> = RefCell::new(fuzz::directory());
}

fuzz_target!(|bytes: &[u8]| {
    let [json, tracks, rejected, summary, waveform, mel] = sections::<6>(bytes);
    let _ = DatasetIndex::from_json(Path::new("dataset.json"), json);
    let Ok(mut index) = serde_json::from_slice::<DatasetIndex>(json) else {
        return;
    };
    DIRECTORY.with_borrow(|directory| {
        let root = directory.path();
        fs::create_dir_all(root.join("shards")).expect("the temporary directory has space");
        let write = |name: &str, content: &[u8]| {
            fs::write(root.join(name), content).expect("the temporary directory has space");
        };
        for (name, content) in [
            (dataset::TRACKS_FILE, tracks),
            (dataset::REJECTED_FILE, rejected),
            (dataset::SUMMARY_FILE, summary),
        ] {
            write(name, content);
            index.files.insert(name.into(), FileRecord::from_content(content));
        }
        // One shard is enough: all are read in the same way.
        index.shards.truncate(1);
        if let Some(shard) = index.shards.first_mut() {
            write(&ShardKind::Waveform.path(0).to_string_lossy(), waveform);
            write(&ShardKind::Mel.path(0).to_string_lossy(), mel);
            shard.waveform.bytes = waveform.len() as u64;
            shard.mel.bytes = mel.len() as u64;
        }
        index.fingerprint = index.features.fingerprint();
        index.format_version = dataset::FORMAT_VERSION;
        write(dataset::INDEX_FILE, &index.to_json());
        if let Ok(read) = Dataset::read_index(root) {
            for file in read.files.keys() {
                let _ = dataset::read_recorded(root, &read, file);
            }
            let _ = dataset::read_rejected(root, &read);
            let _ = dataset::read_summary(root, &read);
        }
        if let Ok(open) = Dataset::open(root) {
            for position in 0..open.tracks().len() {
                let _ = (open.class(position), open.tags(position).count());
                let mel = open.mel(position);
                assert_eq!(mel.values.len(), mel.n_mels * mel.frames);
                assert_eq!(open.waveform(position).len() as u64, open.tracks()[position].samples);
            }
        }
    });
});
