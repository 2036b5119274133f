//! `preprocess verify`: a data set enters; everything that is wrong with it, file by file, leaves.
//!
//! Every byte is held against a checksum: shards' headers and the other files against `dataset.json`, tensors against
//! `tracks.csv`, splits against their own `split.json`. Then one is held against the other. Nothing is changed here;
//! that is for [`repair`].

pub mod repair;
mod shards;
mod splits;

use crate::build::feature_sets::{FEATURES_DIRECTORY, feature_sets};
use rayon::prelude::*;
use shared::dataset::integrity::rows_by_shard;
use shared::dataset::manifest::TrackRow;
use shared::dataset::shard::ShardKind;
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, Dataset, DatasetError, DatasetIndex, REJECTED_FILE, SUMMARY_FILE, TRACKS_FILE};
use std::collections::HashSet;
use std::path::Path;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the data set.
    pub file: String,
    /// What is wrong with it, as a sentence.
    pub detail: String,
    /// The shard that a repair would rebuild.
    pub shard: Option<(ShardKind, usize)>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// In the order of files.
    pub problems: Vec<Problem>,
    /// Files that were read.
    pub files: usize,
    /// Their size.
    pub bytes: u64,
}

/// Who watches a verification.
pub trait VerifyProgress: Sync {
    /// There are this many bytes of shards to read.
    fn begin(&self, bytes: u64);
    /// So many more are read.
    fn read(&self, bytes: u64);
    /// All are.
    fn end(&self);
}

impl Problem {
    fn new(file: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            detail: detail.into(),
            shard: None,
        }
    }
}

/// Checks the whole data set on the threads of the pool it is called in. Fails only where there is no index to check
/// anything against.
///
/// Feature sets, which are data sets too, are checked with it.
pub fn verify(root: &Path, progress: &dyn VerifyProgress) -> Result<VerifyReport, DatasetError> {
    let mut report = verify_one(root, progress)?;
    let sets = feature_sets(root).map_err(|source| DatasetError::Io {
        path: root.join(FEATURES_DIRECTORY),
        source,
    })?;
    for set in sets {
        let inside = set.strip_prefix(root).unwrap_or(&set).to_string_lossy().into_owned();
        match verify_one(&set, progress) {
            Ok(found) => {
                report.files += found.files;
                report.bytes += found.bytes;
                // A repair of the data set does not reach it.
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

fn verify_one(root: &Path, progress: &dyn VerifyProgress) -> Result<VerifyReport, DatasetError> {
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
    // Without its table, nothing is known of a tensor; splits can still be read.
    let tracks = dataset::read_tracks(root, &index).ok();
    let summaries = dataset::read_summary(root, &index).ok();
    if let Some(tracks) = &tracks {
        let rows_by_shard = rows_by_shard(tracks, index.shards.len());
        problems.extend(table_problems(
            root,
            &index,
            tracks,
            &rows_by_shard,
            summaries.as_deref(),
        ));
        let jobs: Vec<_> = (0..index.shards.len())
            .flat_map(|number| ShardKind::ALL.map(|kind| (kind, number)))
            .collect();
        progress.begin(
            index
                .shards
                .iter()
                .map(|shard| shard.waveform.bytes + shard.mel.bytes)
                .sum(),
        );
        let found: Vec<Vec<Problem>> = jobs
            .par_iter()
            .map(|&(kind, number)| shards::problems(root, &index, &rows_by_shard[number], kind, number, progress))
            .collect();
        progress.end();
        problems.extend(found.into_iter().flatten());
    }
    let (split_problems, split_files) = splits::problems(root, &index, tracks.as_deref(), summaries.as_deref());
    problems.extend(split_problems);
    Ok(VerifyReport {
        problems,
        files: 1 + index.files.len() + 2 * index.shards.len() + split_files,
        bytes: index.files.values().map(|file| file.bytes).sum::<u64>()
            + index
                .shards
                .iter()
                .map(|shard| shard.waveform.bytes + shard.mel.bytes)
                .sum::<u64>(),
    })
}

/// What the tables and the index say of each other.
fn table_problems(
    root: &Path,
    index: &DatasetIndex,
    tracks: &[TrackRow],
    rows_by_shard: &[Vec<&TrackRow>],
    summaries: Option<&[TrackSummary]>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut expect = |file: &str, what: &str, expected: u64, actual: u64| {
        if expected != actual {
            problems.push(Problem::new(
                file,
                format!("it has {actual} {what}, and dataset.json says {expected}"),
            ));
        }
    };
    expect(TRACKS_FILE, "tracks", index.kept as u64, tracks.len() as u64);
    let samples = tracks.iter().map(|row| row.samples).sum();
    expect(TRACKS_FILE, "samples in all", index.samples, samples);
    if let Ok(rejected) = dataset::read_rejected(root, index) {
        expect(REJECTED_FILE, "tracks", index.rejected as u64, rejected.len() as u64);
    }
    for (number, (shard, rows)) in index.shards.iter().zip(rows_by_shard).enumerate() {
        expect(
            TRACKS_FILE,
            &format!("tracks in shard {number}"),
            shard.tracks as u64,
            rows.len() as u64,
        );
    }
    for pair in tracks.windows(2).filter(|pair| pair[0].track_id >= pair[1].track_id) {
        let detail = format!(
            "track {} does not stand before track {}",
            pair[0].track_id, pair[1].track_id
        );
        problems.push(Problem::new(TRACKS_FILE, detail));
    }
    let classes: HashSet<&String> = index.classes.iter().collect();
    for row in tracks {
        if row.shard >= index.shards.len() {
            let detail = format!(
                "track {} is said to be in shard {}, which does not exist",
                row.track_id, row.shard
            );
            problems.push(Problem::new(TRACKS_FILE, detail));
        }
        if let Some(label) = row.labels.iter().find(|label| !classes.contains(label)) {
            let detail = format!(
                "track {} has the label `{label}`, which dataset.json does not list",
                row.track_id
            );
            problems.push(Problem::new(TRACKS_FILE, detail));
        }
    }
    if let Some(summaries) = summaries {
        let described = summaries.iter().map(|summary| (summary.track_id, summary.samples));
        if !described.eq(tracks.iter().map(|row| (row.track_id, row.samples))) {
            problems.push(Problem::new(
                SUMMARY_FILE,
                "it does not describe the tracks of tracks.csv",
            ));
        }
    }
    problems
}

/// The sentence of an error that is shown beside the file's name anyway.
fn without_path(error: DatasetError) -> String {
    match error {
        DatasetError::Damaged { detail, .. } => detail,
        DatasetError::Io { source, .. } => format!("it cannot be read: {source}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
