//! The tables and the index of a build, which make its shards a data set.

use super::plan::{BuildPlan, PLAN_FILE};
use super::preset::Preset;
use super::source_table::{SOURCES_FILE, SourceRow};
use crate::source::Listing;
use shared::dataset::manifest::{self, RejectedRow, TrackRow};
use shared::dataset::statistics::{self, TrackSummary};
use shared::dataset::{
    Dataset, DatasetIndex, FORMAT_VERSION, FileRecord, INDEX_FILE, REJECTED_FILE, SUMMARY_FILE, ShardRecord,
    SourceRecord, TRACKS_FILE, Task,
};
use shared::runtime::atomic_file;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Everything about a data set's tracks but the tracks themselves.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// What the source lists of what is assembled here.
    pub listing: &'a Listing,
    /// The same as a table, with the sizes of files.
    pub sources: &'a [SourceRow],
    /// The directory that paths are relative to.
    pub audio: &'a str,
    /// Whether a track has one label.
    pub task: Task,
    pub preset: Option<&'a Preset>,
    /// The checksum of the data set whose waveforms these are, where they are not made here.
    pub waveforms_of: Option<&'a str>,
}

/// Everything a data set says of its tracks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Kept tracks, in the order of their ids.
    pub tracks: Vec<TrackRow>,
    /// Their sums and statistics, in the same order.
    pub summaries: Vec<TrackSummary>,
    /// Dropped tracks in the order of their ids, then files that no table mentions.
    pub rejected: Vec<RejectedRow>,
    pub shards: Vec<ShardRecord>,
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
) -> anyhow::Result<DatasetIndex> {
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
        files.insert(name.to_owned(), FileRecord::from_content(&content));
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
