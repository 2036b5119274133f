//! Reads arbitrary bytes as the library of `train similar`, the embeddings of audio files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use train::predict::FileEmbeddings;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(table) = FileEmbeddings::from_safetensors(bytes) {
        assert!(table.values.iter().all(|value| value.is_finite()));
        assert_eq!(table.row(table.paths.len() - 1).len(), table.dimension());
        let written = table.to_safetensors().expect("what was read can be written");
        assert_eq!(FileEmbeddings::from_safetensors(&written), Ok(table));
    }
});
