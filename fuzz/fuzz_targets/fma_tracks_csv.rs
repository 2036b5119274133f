//! Reads arbitrary bytes as FMA's `tracks.csv`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use preprocess::source::fma::{self, Subset};
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    for subset in [Subset::Small, Subset::Large] {
        if let Ok((tracks, listed)) = fma::read_table(bytes, Path::new("tracks.csv"), subset) {
            assert!(tracks.len() <= listed.len());
            assert!(tracks.is_sorted_by(|a, b| a.track_id < b.track_id));
        }
    }
});
