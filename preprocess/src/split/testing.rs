//! Rows for the tests of this directory.

use shared::dataset::manifest::TrackRow;

/// A track of a class, with samples of its own and no artist.
pub(crate) fn row(track_id: u64, class: &str) -> TrackRow {
    TrackRow {
        track_id,
        labels: vec![class.into()],
        artist: String::new(),
        album: String::new(),
        official_split: String::new(),
        path: format!("{track_id}.mp3"),
        samples: 1 << 19,
        source_rate: 44_100,
        source_channels: 2,
        bad_frames: 0,
        clipped_samples: 0,
        flags: Vec::new(),
        recording: track_id,
        shard: 0,
        waveform_blake3: format!("samples of {track_id}"),
        mel_blake3: String::new(),
    }
}

/// [`row()`] with an artist and an album.
pub(super) fn track_by(track_id: u64, class: &str, artist: &str, album: &str) -> TrackRow {
    TrackRow {
        artist: artist.into(),
        album: album.into(),
        ..row(track_id, class)
    }
}
