//! One shard file enters; what is wrong with it leaves.

use super::{Problem, VerifyProgress};
use shared::dataset::DatasetIndex;
use shared::manifest::TrackRow;
use shared::shard::{MappedShard, ShardError, ShardKind};
use std::path::Path;

/// The checksum that the table has for a track's tensor.
pub(super) fn recorded_blake3(row: &TrackRow, kind: ShardKind) -> &str {
    match kind {
        ShardKind::Waveform => &row.waveform_blake3,
        ShardKind::Mel => &row.mel_blake3,
    }
}

/// Checks the file's size, its header, and every tensor.
pub(super) fn problems(
    root: &Path,
    index: &DatasetIndex,
    tracks: &[TrackRow],
    kind: ShardKind,
    number: usize,
    progress: &dyn VerifyProgress,
) -> Vec<Problem> {
    let file = kind.path(number);
    let problem = |detail: String| Problem {
        shard: Some((kind, number)),
        ..Problem::new(file.to_string_lossy(), detail)
    };
    let record = index.shards[number].file(kind);
    let shard = match MappedShard::open(&root.join(&file), kind, record.bytes) {
        Ok(shard) => shard,
        Err(error) => {
            progress.read(record.bytes);
            return vec![problem(match error {
                ShardError::Damaged { detail, .. } => detail,
                ShardError::Io { source, .. } => format!("it cannot be read: {source}"),
            })];
        }
    };
    let mut found = Vec::new();
    if blake3::hash(shard.head()).to_hex().as_str() != record.header_blake3 {
        found.push(problem("its header does not fit the checksum in dataset.json".into()));
    }
    progress.read(shard.head().len() as u64);
    let rows: Vec<&TrackRow> = tracks.iter().filter(|row| row.shard == number).collect();
    if shard.len() != rows.len() {
        found.push(problem(format!(
            "it holds {} tracks, and tracks.csv puts {} into it",
            shard.len(),
            rows.len()
        )));
    }
    for row in rows {
        let id = row.track_id;
        let Some(bytes) = shard.bytes(id) else {
            found.push(problem(format!("track {id} is missing from it")));
            continue;
        };
        if blake3::hash(bytes).to_hex().as_str() != recorded_blake3(row, kind) {
            found.push(problem(format!("track {id} does not fit its checksum in tracks.csv")));
        }
        let fits = match kind {
            ShardKind::Waveform => shard.waveform(id).map(|samples| samples.len() as u64) == Some(row.samples),
            ShardKind::Mel => shard.mel(id).is_some_and(|mel| {
                (mel.n_mels, mel.frames) == (index.features.n_mels, index.features.track_frames(row.samples as usize))
            }),
        };
        if !fits {
            found.push(problem(format!(
                "track {id} does not have the shape that its {} samples give it",
                row.samples
            )));
        }
        progress.read(bytes.len() as u64);
    }
    found
}
