//! Checks one shard file.

use super::report::{Problem, VerifyProgress, without_path};
use shared::dataset::integrity::shard_problems;
use shared::dataset::manifest::TrackRow;
use shared::dataset::shard::ShardKind;
use shared::dataset::{DatasetIndex, own_file};
use std::path::Path;

/// Checks the file's size, its header, and every tensor.
pub(super) fn problems(
    root: &Path,
    index: &DatasetIndex,
    rows: &[&TrackRow],
    kind: ShardKind,
    number: usize,
    progress: &dyn VerifyProgress,
) -> Vec<Problem> {
    let file = kind.path(number);
    let found = match own_file(root, &file) {
        Ok(path) => shard_problems(&path, index, rows, kind, number, &|bytes| progress.read(bytes)),
        Err(error) => vec![without_path(error)],
    };
    found
        .into_iter()
        .map(|detail| Problem {
            shard: Some((kind, number)),
            ..Problem::new(file.to_string_lossy(), detail)
        })
        .collect()
}
