//! Checks a data set and its feature sets.

use super::report::{Problem, VerifyProgress, VerifyReport, without_path};
use super::{shards, splits, tables};
use crate::build::feature_sets::feature_sets;
use crate::split::lock_for_reading;
use rayon::prelude::*;
use shared::dataset::integrity::rows_by_shard;
use shared::dataset::shard::ShardKind;
use shared::dataset::{self, Dataset, DatasetError, REJECTED_FILE, SUMMARY_FILE, TRACKS_FILE};
use std::path::Path;

/// Checks the whole data set and its feature sets on the current thread pool. Fails only if the index cannot be read,
/// because there is nothing else to compare with.
pub fn verify(root: &Path, progress: &dyn VerifyProgress) -> Result<VerifyReport, DatasetError> {
    let mut report = verify_one(root, root, progress)?;
    for set in feature_sets(root)? {
        let inside = set.strip_prefix(root).unwrap_or(&set).to_string_lossy().into_owned();
        match verify_one(&set, root, progress) {
            Ok(found) => {
                report.files += found.files;
                report.bytes += found.bytes;
                // A repair of the data set does not include its feature sets.
                report
                    .problems
                    .extend(found.problems.into_iter().map(|problem| Problem {
                        file: format!("{inside}/{}", problem.file),
                        detail: format!("{}; delete {inside} and run `preprocess extend` again", problem.detail),
                        shard: None,
                    }));
            }
            Err(error) => report.problems.push(Problem::new(inside, without_path(error))),
        }
    }
    Ok(report)
}

/// Checks the data set in `root`, which is `whole` or one of its feature sets.
fn verify_one(root: &Path, whole: &Path, progress: &dyn VerifyProgress) -> Result<VerifyReport, DatasetError> {
    let index = Dataset::read_index(root)?;
    let mut problems = Vec::new();
    for file in index.files.keys() {
        if let Err(error) = dataset::read_recorded(root, &index, file) {
            problems.push(Problem::new(file, without_path(error)));
        }
    }
    for needed in [TRACKS_FILE, REJECTED_FILE, SUMMARY_FILE] {
        if !index.files.contains_key(needed) {
            problems.push(Problem::new(needed, "dataset.json does not list it"));
        }
    }
    let shards = index.shards.iter().map(|shard| shard.waveform.bytes + shard.mel.bytes);
    let shard_bytes: u64 = shards.sum();
    // Without tracks.csv, tensors cannot be checked, but splits can.
    let tracks = dataset::read_tracks(root, &index).ok();
    let summaries = dataset::read_summary(root, &index).ok();
    if let Some(tracks) = &tracks {
        let rows_by_shard = rows_by_shard(tracks, index.shards.len());
        problems.extend(tables::problems(
            root,
            &index,
            tracks,
            &rows_by_shard,
            summaries.as_deref(),
        ));
        let jobs: Vec<_> = (0..index.shards.len())
            .flat_map(|number| ShardKind::ALL.map(|kind| (kind, number)))
            .collect();
        progress.begin(shard_bytes);
        let found: Vec<Vec<Problem>> = jobs
            .par_iter()
            .map(|&(kind, number)| shards::problems(root, &index, &rows_by_shard[number], kind, number, progress))
            .collect();
        progress.end();
        problems.extend(found.into_iter().flatten());
    }
    // A feature set's splits are written with its own lock, and with that of the whole data set.
    let locks = [whole, root].map(lock_for_reading);
    let (split_problems, split_files) = splits::problems(root, &index, tracks.as_deref(), summaries.as_deref());
    drop(locks);
    problems.extend(split_problems);
    Ok(VerifyReport {
        problems,
        files: 1 + index.files.len() + 2 * index.shards.len() + split_files,
        bytes: index.files.values().map(|file| file.bytes).sum::<u64>() + shard_bytes,
    })
}
