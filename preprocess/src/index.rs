//! The rows of a finished build enter; the tables, the sums and `dataset.json`, which makes it all a data set, leave.

use crate::journal::Entry;
use crate::plan::BuildPlan;
use shared::atomic_file::{self, WriteError};
use shared::dataset::{
    DatasetIndex, FORMAT_VERSION, FileRecord, INDEX_FILE, REJECTED_FILE, SUMMARY_FILE, SourceRecord, TRACKS_FILE, Task,
};
use shared::manifest::{self, RejectedRow, TrackRow};
use shared::stats::{self, TrackSummary};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The plan of the build that made a data set, kept in it.
pub const PLAN_FILE: &str = "build.json";

/// Everything a data set says of its tracks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Kept tracks, in the order of their ids.
    pub tracks: Vec<TrackRow>,
    /// Their sums.
    pub summaries: Vec<TrackSummary>,
    /// Dropped tracks in the order of their ids, then files that no table mentions.
    pub rejected: Vec<RejectedRow>,
    /// Pairs of shards.
    pub shards: Vec<shared::dataset::ShardRecord>,
}

impl Rows {
    /// Puts the entries of a journal together.
    pub fn from_entries(entries: Vec<Entry>) -> Self {
        let mut rows = Self::default();
        for entry in entries {
            rows.tracks.extend(entry.tracks);
            rows.summaries.extend(entry.summaries);
            rows.rejected.extend(entry.rejected);
            rows.shards.extend(entry.shard);
        }
        rows
    }
}

/// Writes everything but the shards, `dataset.json` last.
pub fn write(
    root: &Path,
    plan: &BuildPlan,
    task: Task,
    audio: &str,
    preset_differences: Vec<String>,
    rows: &Rows,
) -> Result<DatasetIndex, WriteError> {
    let contents = [
        (PLAN_FILE, plan.to_json()),
        (TRACKS_FILE, manifest::to_csv(&rows.tracks)),
        (REJECTED_FILE, manifest::to_csv(&rows.rejected)),
        (
            SUMMARY_FILE,
            stats::summary_to_bytes(&rows.summaries, plan.features.n_mels),
        ),
    ];
    let mut files = BTreeMap::new();
    for (name, content) in contents {
        atomic_file::write_bytes(&root.join(name), &content)?;
        files.insert(name.to_owned(), FileRecord::of(&content));
    }
    let classes: BTreeSet<&String> = rows.tracks.iter().flat_map(|row| &row.labels).collect();
    let index = DatasetIndex {
        format_version: FORMAT_VERSION,
        checksum: String::new(),
        source: SourceRecord {
            name: plan.source.clone(),
            subset: plan.subset.clone(),
            preset: plan.preset.clone(),
            preset_differences,
            audio: audio.to_owned(),
        },
        features: plan.features.clone(),
        fingerprint: plan.features.fingerprint(),
        task,
        classes: classes.into_iter().cloned().collect(),
        kept: rows.tracks.len(),
        rejected: rows.rejected.len(),
        samples: rows.tracks.iter().map(|row| row.samples).sum(),
        shards: rows.shards.clone(),
        files,
    };
    atomic_file::write_bytes(&root.join(INDEX_FILE), &index.to_json())?;
    Ok(index)
}
