//! Reads the tensors of some tracks. Shards are mapped one after another, so at most one shard is in memory at a time.

use crate::inspect::InspectError;
use rayon::prelude::*;
use shared::dataset::manifest::TrackRow;
use shared::dataset::shard::{MappedShard, ShardError, ShardKind};
use shared::dataset::{DatasetIndex, TRACKS_FILE, own_file};
use std::collections::BTreeMap;
use std::path::Path;

/// Calls `make` for each track in `positions`, in the order of shards and positions, on the current thread pool. `make`
/// gets the track's position in `tracks` and its shard, and returns `None` if the shard does not contain the track.
pub(super) fn read<T: Send>(
    root: &Path,
    index: &DatasetIndex,
    kind: ShardKind,
    tracks: &[TrackRow],
    positions: impl IntoIterator<Item = usize>,
    make: impl Fn(usize, &MappedShard) -> Option<T> + Sync,
) -> Result<Vec<T>, InspectError> {
    let mut by_shard: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for position in positions {
        by_shard.entry(tracks[position].shard).or_default().push(position);
    }
    let mut made = Vec::new();
    for (number, positions) in by_shard {
        let damaged = |path, detail| InspectError::Shard(ShardError::Damaged { path, detail });
        let record = index.shards.get(number).ok_or_else(|| {
            let detail = format!("it names shard {number}, which does not exist");
            damaged(root.join(TRACKS_FILE), detail)
        })?;
        let path = own_file(root, &kind.path(number))?;
        let shard = MappedShard::open(&path, kind, record.file(kind).bytes)?;
        let outcomes = positions.par_iter().map(|&position| {
            make(position, &shard).ok_or_else(|| {
                let row = &tracks[position];
                let detail = format!(
                    "it does not contain track {} as {TRACKS_FILE} describes it",
                    row.track_id
                );
                damaged(path.clone(), detail)
            })
        });
        made.extend(outcomes.collect::<Result<Vec<T>, InspectError>>()?);
    }
    Ok(made)
}
