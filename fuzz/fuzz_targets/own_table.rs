//! Reads arbitrary bytes as a table of one's own music.

#![no_main]

use libfuzzer_sys::fuzz_target;
use preprocess::source::csv_table;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(listing) = csv_table::read_table(bytes, Path::new("table.csv")) {
        assert!(listing.tracks.is_sorted_by(|a, b| a.track_id < b.track_id));
        let mut labels = listing.tracks.iter().flat_map(|track| &track.labels);
        assert!(labels.all(|label| !label.is_empty() && !label.contains('|')));
    }
});
