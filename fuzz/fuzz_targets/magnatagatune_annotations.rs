//! Reads arbitrary bytes as MagnaTagATune's `annotations_final.csv`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use preprocess::source::magnatagatune;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    for wanted in [&[][..], &["guitar".to_owned()]] {
        if let Ok(clips) = magnatagatune::read_annotations(bytes, Path::new("annotations_final.csv"), wanted) {
            assert!(clips.is_sorted_by(|a, b| a.track_id < b.track_id));
            assert!(
                clips
                    .iter()
                    .flat_map(|clip| &clip.labels)
                    .all(|label| !label.contains('|'))
            );
        }
    }
});
