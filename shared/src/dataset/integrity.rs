//! Checks a shard file against the index and the table of tracks.

use super::index::DatasetIndex;
use super::manifest::TrackRow;
use super::shard::{MappedShard, ShardError, ShardKind};
use std::path::Path;

/// The checksum of a track's tensor, from the table.
pub fn recorded_blake3(row: &TrackRow, kind: ShardKind) -> &str {
    match kind {
        ShardKind::Waveform => &row.waveform_blake3,
        ShardKind::Mel => &row.mel_blake3,
    }
}

/// Opens shard `number`, or a copy of it, at `path`. The error says how its size or header differs from the index.
pub fn open_checked(path: &Path, index: &DatasetIndex, kind: ShardKind, number: usize) -> Result<MappedShard, String> {
    let record = index.shards[number].file(kind);
    let shard = MappedShard::open(path, kind, record.bytes).map_err(|error| match error {
        ShardError::Damaged { detail, .. } => detail,
        ShardError::File(error) => format!("it cannot be read: {}", error.source),
    })?;
    if blake3::hash(shard.head()).to_hex().as_str() != record.header_blake3 {
        return Err("its header does not match the checksum in dataset.json".into());
    }
    Ok(shard)
}

/// Groups the rows by shard, for `shards` shards. Rows that name another shard are left out.
pub fn rows_by_shard(tracks: &[TrackRow], shards: usize) -> Vec<Vec<&TrackRow>> {
    let mut rows = vec![Vec::new(); shards];
    for row in tracks {
        if let Some(of_shard) = rows.get_mut(row.shard) {
            of_shard.push(row);
        }
    }
    rows
}

/// Checks the size, the header and every tensor of shard `number`, or of a copy of it, at `path`, and returns the
/// problems as sentences. `rows` are the rows of this shard (see [`rows_by_shard`]). `read` is called with the number
/// of bytes read.
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
    let mut problems = Vec::new();
    read(shard.head().len() as u64);
    if shard.len() != rows.len() {
        problems.push(format!(
            "it holds {} tracks, but tracks.csv lists {} for it",
            shard.len(),
            rows.len()
        ));
    }
    for row in rows {
        let id = row.track_id;
        let Some(bytes) = shard.bytes(id) else {
            problems.push(format!("track {id} is missing from it"));
            continue;
        };
        if blake3::hash(bytes).to_hex().as_str() != recorded_blake3(row, kind) {
            problems.push(format!("track {id} does not match its checksum in tracks.csv"));
        }
        let fits = match kind {
            ShardKind::Waveform => shard.waveform(id).map(|samples| samples.len() as u64) == Some(row.samples),
            ShardKind::Mel => shard.mel(id).is_some_and(|mel| {
                (mel.n_mels, mel.frames) == (index.features.n_mels, index.features.track_frames(row.samples as usize))
            }),
        };
        if !fits {
            problems.push(format!(
                "track {id} does not have the shape for its {} samples",
                row.samples
            ));
        }
        read(bytes.len() as u64);
    }
    problems
}
