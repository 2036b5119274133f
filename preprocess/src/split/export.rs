//! Writes a split to one file that other builds of the same collection can use.

use super::shared_file::SharedSplit;
use shared::dataset::split::{Set, Split};
use shared::dataset::{self, Dataset};
use shared::runtime::atomic_file;
use shared::runtime::output_file::check_place;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq)]
pub struct ExportConfig {
    pub dataset: PathBuf,
    /// The split's name; by default the current split.
    pub name: Option<String>,
    pub file: PathBuf,
}

#[derive(Clone, Debug)]
pub struct ExportReport {
    pub name: String,
    /// Tracks per set.
    pub sizes: BTreeMap<Set, usize>,
}

/// Writes the split, and replaces the file if it exists.
pub fn export(config: &ExportConfig) -> anyhow::Result<ExportReport> {
    let root = &config.dataset;
    check_place("--export", &config.file, &[])?;
    let index = Dataset::read_index(root)?;
    let split = Split::read(root, &index, config.name.as_deref())?;
    let rows = dataset::read_tracks(root, &index)?;
    let paths: HashMap<u64, String> = rows.into_iter().map(|row| (row.track_id, row.path)).collect();
    let path = |id: &u64| paths.get(id).cloned().unwrap_or_default();
    let tracks = split
        .tracks
        .iter()
        .flat_map(|(&set, ids)| ids.iter().map(move |id| (id, set)));
    let tracks = tracks.map(|(id, set)| (*id, (path(id), set))).collect();
    let shared = SharedSplit::new(&split.index, tracks);
    atomic_file::write_bytes(&config.file, shared.to_text().as_bytes())?;
    Ok(ExportReport {
        name: split.index.name,
        sizes: split.tracks.into_iter().map(|(set, ids)| (set, ids.len())).collect(),
    })
}
