//! Tracks of a data set enter; what a function makes of each one's tensor leaves. Shards are mapped one after another, so
//! that no more of a data set than one shard is in memory at a time.

use crate::inspect::InspectError;
use rayon::prelude::*;
use shared::dataset::manifest::TrackRow;
use shared::dataset::shard::{MappedShard, ShardError, ShardKind};
use shared::dataset::{DatasetIndex, TRACKS_FILE, own_file};
use std::collections::BTreeMap;
use std::path::Path;

/// What `make` makes of each track that `positions` names, in the order of shards and positions, on the threads of the
/// current pool. `make` gets a track's place in `tracks` and its shard, and gives none where the shard does not hold it.
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
                let detail = format!("it does not hold track {} as {TRACKS_FILE} describes it", row.track_id);
                damaged(path.clone(), detail)
            })
        });
        made.extend(outcomes.collect::<Result<Vec<T>, InspectError>>()?);
    }
    Ok(made)
}
