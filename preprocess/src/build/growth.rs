//! Adding tracks to a finished data set: reads what is kept of it, or reports why it cannot grow.
//!
//! Kept tracks stay in their shards, so the source must still describe each of them as before, including its file size.
//! Dropped tracks are tried again, because their files may have been added or replaced.

use super::source_table::{SOURCES_FILE, SourceRow};
use anyhow::ensure;
use shared::dataset::manifest::TrackRow;
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, DatasetError, DatasetIndex, FileRecord, PREVIOUS_DIRECTORY};
use shared::runtime::atomic_file;
use shared::runtime::file_error::FileError;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

/// The data set before tracks are added; empty for a new one.
#[derive(Debug, Default)]
pub struct Base {
    pub index: Option<DatasetIndex>,
    pub tracks: Vec<TrackRow>,
}

impl Base {
    /// Reads the data set in `root` and compares its tracks with the current listing of the source.
    pub fn read(root: &Path, index: DatasetIndex, now: &[SourceRow]) -> anyhow::Result<Self> {
        let then: Vec<SourceRow> = dataset::read_table(root, &index, SOURCES_FILE)?;
        let tracks = dataset::read_tracks(root, &index)?;
        let then: HashMap<u64, &SourceRow> = then.iter().map(|row| (row.track_id, row)).collect();
        let now: HashMap<u64, &SourceRow> = now.iter().map(|row| (row.track_id, row)).collect();
        let changes: Vec<String> = tracks
            .iter()
            .filter_map(|row| {
                let id = row.track_id;
                let change = change(then.get(&id).copied(), now.get(&id).copied())?;
                Some(format!("track {id} ({}) {change}", row.path))
            })
            .collect();
        ensure!(
            changes.is_empty(),
            "{} cannot grow because {} of its tracks changed in the source: {}; choose another --out",
            root.display(),
            changes.len(),
            changes[..changes.len().min(3)].join(", ")
        );
        Ok(Self {
            index: Some(index),
            tracks,
        })
    }
    pub fn ids(&self) -> HashSet<u64> {
        self.tracks.iter().map(|row| row.track_id).collect()
    }
    pub fn pairs(&self) -> usize {
        self.index.as_ref().map_or(0, |index| index.shards.len())
    }
    pub fn summaries(&self, root: &Path) -> Result<Vec<TrackSummary>, DatasetError> {
        match &self.index {
            Some(index) => dataset::read_summary(root, index),
            None => Ok(Vec::new()),
        }
    }
}

/// Copies the tables of a data set to [`PREVIOUS_DIRECTORY`], where readers find them while they are replaced.
pub fn keep_tables(root: &Path, index: &DatasetIndex) -> anyhow::Result<()> {
    let kept = root.join(PREVIOUS_DIRECTORY);
    fs::create_dir_all(&kept).map_err(FileError::at(&kept))?;
    for (name, record) in &index.files {
        let (path, copy) = (root.join(name), kept.join(name));
        if fs::read(&copy).is_ok_and(|content| FileRecord::from_content(&content) == *record) {
            continue;
        }
        let content = fs::read(&path).map_err(FileError::at(&path))?;
        if FileRecord::from_content(&content) != *record {
            let detail = "its content does not match the checksum in the index";
            return Err(DatasetError::damaged(path, detail).into());
        }
        if let Some(parent) = copy.parent() {
            fs::create_dir_all(parent).map_err(FileError::at(parent))?;
        }
        atomic_file::write_bytes(&copy, &content)?;
    }
    Ok(())
}

fn change(then: Option<&SourceRow>, now: Option<&SourceRow>) -> Option<&'static str> {
    let (Some(then), Some(now)) = (then, now) else {
        return Some("is no longer in the source");
    };
    if then == now {
        return None;
    }
    Some(if then.path != now.path {
        "has a different path"
    } else if then.bytes != now.bytes {
        "has a different file size"
    } else if (&then.labels, then.wanted) != (&now.labels, now.wanted) {
        "has different labels"
    } else {
        "has a different artist, album or official set"
    })
}

#[cfg(test)]
mod tests;
