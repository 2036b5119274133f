//! The rows of a finished build enter; the tables, the sums and `dataset.json`, which makes it all a data set, leave.

use crate::build::assembly::Origin;
use crate::build::plan::{BuildPlan, PLAN_FILE};
use crate::build::source_table::SOURCES_FILE;
use shared::dataset::manifest::{self, RejectedRow, TrackRow};
use shared::dataset::statistics::{self, TrackSummary};
use shared::dataset::{
    Dataset, DatasetError, DatasetIndex, FORMAT_VERSION, FileRecord, INDEX_FILE, REJECTED_FILE, SUMMARY_FILE,
    ShardRecord, SourceRecord, TRACKS_FILE,
};
use shared::runtime::atomic_file::{self, WriteError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Everything a data set says of its tracks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Kept tracks, in the order of their ids.
    pub tracks: Vec<TrackRow>,
    /// Their sums and statistics, in the same order.
    pub summaries: Vec<TrackSummary>,
    /// Dropped tracks in the order of their ids, then files that no table mentions.
    pub rejected: Vec<RejectedRow>,
    /// Pairs of shards.
    pub shards: Vec<ShardRecord>,
}

/// A data set whose tables or index cannot be written, or not be read afterwards.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The index cannot be read again.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

/// Writes everything but the shards, `dataset.json` last. `earlier` are the checksums of the data sets that this one grew
/// out of.
pub fn write(
    root: &Path,
    plan: &BuildPlan,
    origin: &Origin<'_>,
    preset_differences: Vec<String>,
    earlier: Vec<String>,
    rows: &Rows,
) -> Result<DatasetIndex, IndexError> {
    let contents = [
        (PLAN_FILE, plan.to_json()),
        (SOURCES_FILE, manifest::to_csv(origin.sources)),
        (TRACKS_FILE, manifest::to_csv(&rows.tracks)),
        (REJECTED_FILE, manifest::to_csv(&rows.rejected)),
        (
            SUMMARY_FILE,
            statistics::summary_to_bytes(&rows.summaries, plan.features.n_mels),
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
            audio: origin.audio.to_owned(),
            part: plan.part.map(String::from),
        },
        features: plan.features.clone(),
        fingerprint: plan.features.fingerprint(),
        task: origin.task,
        classes: classes.into_iter().cloned().collect(),
        kept: rows.tracks.len(),
        rejected: rows.rejected.len(),
        samples: rows.tracks.iter().map(|row| row.samples).sum(),
        shards: rows.shards.clone(),
        files,
        waveforms_of: origin.waveforms_of.map(str::to_owned),
        earlier,
    };
    atomic_file::write_bytes(&root.join(INDEX_FILE), &index.to_json())?;
    Ok(Dataset::read_index(root)?)
}
