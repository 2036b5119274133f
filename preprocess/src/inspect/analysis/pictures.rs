//! Small mel spectrograms of many tracks.

use super::read_shards;
use crate::inspect::InspectError;
use shared::dataset::DatasetIndex;
use shared::dataset::manifest::TrackRow;
use shared::dataset::shard::ShardKind;
use shared::page::Spectrogram;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Maximum width and height of a picture. It takes about 0.6 kB of a page.
pub const PIXELS: [usize; 2] = [48, 24];

/// Draws the tracks at these positions.
pub(super) fn read(
    root: &Path,
    index: &DatasetIndex,
    tracks: &[TrackRow],
    positions: impl IntoIterator<Item = usize>,
) -> Result<HashMap<u64, Spectrogram>, InspectError> {
    let positions: BTreeSet<usize> = positions.into_iter().collect();
    let read = read_shards::read(root, index, ShardKind::Mel, tracks, positions, |position, shard| {
        let id = tracks[position].track_id;
        let mel = shard.mel(id)?;
        Some((
            id,
            Spectrogram::new(mel, 0..mel.frames, index.features.drawn_db(), PIXELS),
        ))
    })?;
    Ok(read.into_iter().collect())
}
