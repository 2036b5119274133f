//! What is wrong with a shard file, compared with the index and the table.

use super::index::DatasetIndex;
use super::manifest::TrackRow;
use super::shard::{MappedShard, ShardError, ShardKind};
use std::path::Path;

/// The checksum that the table has for a track's tensor.
pub fn recorded_blake3(row: &TrackRow, kind: ShardKind) -> &str {
    match kind {
        ShardKind::Waveform => &row.waveform_blake3,
        ShardKind::Mel => &row.mel_blake3,
    }
}

/// Opens shard `number`, or a copy of it, at `path`. Its size and its header are as the index says, or the sentence says
/// what they are.
pub fn open_checked(path: &Path, index: &DatasetIndex, kind: ShardKind, number: usize) -> Result<MappedShard, String> {
    let record = index.shards[number].file(kind);
    let shard = MappedShard::open(path, kind, record.bytes).map_err(|error| match error {
        ShardError::Damaged { detail, .. } => detail,
        ShardError::File(error) => format!("it cannot be read: {}", error.source),
    })?;
    if blake3::hash(shard.head()).to_hex().as_str() != record.header_blake3 {
        return Err("its header does not fit the checksum in dataset.json".into());
    }
    Ok(shard)
}

/// The rows of each of `shards` shards. Rows that name a shard beyond them are left out.
pub fn rows_by_shard(tracks: &[TrackRow], shards: usize) -> Vec<Vec<&TrackRow>> {
    let mut rows = vec![Vec::new(); shards];
    for row in tracks {
        if let Some(of_shard) = rows.get_mut(row.shard) {
            of_shard.push(row);
        }
    }
    rows
}

/// What is wrong with shard `number`, or a copy of it, at `path`, as sentences: its size, its header, and every tensor
/// against `rows`, those of this shard (see [`rows_by_shard`]). `read` is called with the number of bytes read.
pub fn shard_problems(
    path: &Path,
    index: &DatasetIndex,
    rows: &[&TrackRow],
    kind: ShardKind,
    number: usize,
    read: &dyn Fn(u64),
) -> Vec<String> {
    let shard = match open_checked(path, index, kind, number) {
        Ok(shard) => shard,
        Err(detail) => {
            read(index.shards[number].file(kind).bytes);
            return vec![detail];
        }
    };
    let mut found = Vec::new();
    read(shard.head().len() as u64);
    if shard.len() != rows.len() {
        found.push(format!(
            "it holds {} tracks, and tracks.csv puts {} into it",
            shard.len(),
            rows.len()
        ));
    }
    for row in rows {
        let id = row.track_id;
        let Some(bytes) = shard.bytes(id) else {
            found.push(format!("track {id} is missing from it"));
            continue;
        };
        if blake3::hash(bytes).to_hex().as_str() != recorded_blake3(row, kind) {
            found.push(format!("track {id} does not fit its checksum in tracks.csv"));
        }
        let fits = match kind {
            ShardKind::Waveform => shard.waveform(id).map(|samples| samples.len() as u64) == Some(row.samples),
            ShardKind::Mel => shard.mel(id).is_some_and(|mel| {
                (mel.n_mels, mel.frames) == (index.features.n_mels, index.features.track_frames(row.samples as usize))
            }),
        };
        if !fits {
            found.push(format!(
                "track {id} does not have the shape that its {} samples give it",
                row.samples
            ));
        }
        read(bytes.len() as u64);
    }
    found
}
