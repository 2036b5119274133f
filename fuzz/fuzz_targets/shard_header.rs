//! Opens arbitrary bytes as a shard of either kind.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::dataset::shard::{MappedShard, ShardKind};
use std::cell::RefCell;
use std::fs;
use tempfile::TempDir;

thread_local! {
    static DIRECTORY: RefCell<TempDir> = RefCell::new(fuzz::directory());
}

fuzz_target!(|bytes: &[u8]| {
    DIRECTORY.with_borrow(|directory| {
        let path = directory.path().join("shard.safetensors");
        // A new file each time, because a mapped file must not be modified.
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).expect("the temporary directory has space");
        for kind in ShardKind::ALL {
            let Ok(mut shard) = MappedShard::open(&path, kind, bytes.len() as u64) else {
                continue;
            };
            assert!(shard.head().len() <= bytes.len());
            let ids = (0..10).chain([u64::MAX]);
            for id in ids {
                let length = shard.bytes(id).map(<[u8]>::len);
                assert_eq!(
                    shard
                        .waveform(id)
                        .map(|samples| 2 * samples.len())
                        .or(shard.mel(id).map(|mel| 2 * mel.values.len())),
                    length
                );
            }
            let _ = (shard.will_need(), shard.load());
        }
    });
});
