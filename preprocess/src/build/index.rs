//! Writes the tables and the index, which turn the shards of a build into a data set.

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

/// Where the tracks of a data set come from.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// The tracks that the source lists; only those of the part if a part is built.
    pub listing: &'a Listing,
    /// The rows of `sources.csv` for this listing, with file sizes.
    pub sources: &'a [SourceRow],
    /// The directory that paths are relative to.
    pub audio: &'a str,
    pub task: Task,
    pub preset: Option<&'a Preset>,
    /// For a feature set, the checksum of the data set that its waveforms belong to.
    pub waveforms_of: Option<&'a str>,
}

/// The rows of the tables, and the records of the shards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Kept tracks, in the order of their ids.
    pub tracks: Vec<TrackRow>,
    /// Summaries of the kept tracks, in the same order.
    pub summaries: Vec<TrackSummary>,
    /// Dropped tracks in the order of their ids, then files that the source does not list.
    pub rejected: Vec<RejectedRow>,
    pub shards: Vec<ShardRecord>,
}

/// Writes all files except the shards, `dataset.json` last. `earlier` has the checksums of the data sets that this one
/// grew from.
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
