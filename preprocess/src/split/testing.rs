//! Rows for tests.

use shared::dataset::manifest::TrackRow;

/// A track of a class, with unique samples and no artist.
pub(crate) fn row(track_id: u64, class: &str) -> TrackRow {
    TrackRow {
        track_id,
        labels: vec![class.into()],
        path: format!("{track_id}.mp3"),
        samples: 1 << 19,
        recording: track_id,
        waveform_blake3: format!("samples of {track_id}"),
        ..TrackRow::default()
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
