//! Reads the tables of a data set and checks them against the checksums in the index.

use super::error::DatasetError;
use super::index::{DatasetIndex, FileRecord};
use super::inside::inside;
use super::layout::{PREVIOUS_DIRECTORY, REJECTED_FILE, SUMMARY_FILE, TRACKS_FILE};
use super::manifest::{self, RejectedRow, TrackRow};
use super::statistics::{self, TrackSummary};
use crate::runtime::file_error::FileError;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// The path of a file of the data set. Refuses links out of the data set.
pub fn own_file(root: &Path, file: &Path) -> Result<PathBuf, DatasetError> {
    inside(root, file).map_err(|detail| DatasetError::damaged(root.join(file), detail))
}

/// Reads a file that the index lists, and checks it.
pub fn read_recorded(root: &Path, index: &DatasetIndex, file: &str) -> Result<Vec<u8>, DatasetError> {
    let path = own_file(root, Path::new(file))?;
    let damaged = |detail: &str| DatasetError::damaged(&path, detail);
    let record = index
        .files
        .get(file)
        .ok_or_else(|| damaged("the index does not list it"))?;
    let error = match fs::read(&path) {
        Ok(content) if FileRecord::from_content(&content) == *record => return Ok(content),
        Ok(_) => damaged("its content does not match the checksum in the index"),
        Err(error) => FileError::at(&path)(error).into(),
    };
    match fs::read(root.join(PREVIOUS_DIRECTORY).join(file)) {
        Ok(previous) if FileRecord::from_content(&previous) == *record => Ok(previous),
        _ => Err(error),
    }
}

/// Reads and checks the table of kept tracks; opens no shard.
pub fn read_tracks(root: &Path, index: &DatasetIndex) -> Result<Vec<TrackRow>, DatasetError> {
    read_table(root, index, TRACKS_FILE)
}

/// Reads and checks the table of dropped tracks.
pub fn read_rejected(root: &Path, index: &DatasetIndex) -> Result<Vec<RejectedRow>, DatasetError> {
    read_table(root, index, REJECTED_FILE)
}

/// Reads and checks a table that the index lists.
pub fn read_table<Row>(root: &Path, index: &DatasetIndex, file: &str) -> Result<Vec<Row>, DatasetError>
where
    Row: for<'de> Deserialize<'de> + manifest::Columns,
{
    let table = read_recorded(root, index, file)?;
    manifest::from_csv(&table).map_err(|error| DatasetError::damaged(root.join(file), error))
}

/// Reads and checks the sums and statistics per track, in the order of [`read_tracks`].
pub fn read_summary(root: &Path, index: &DatasetIndex) -> Result<Vec<TrackSummary>, DatasetError> {
    let content = read_recorded(root, index, SUMMARY_FILE)?;
    statistics::summary_from_bytes(&content, index.features.n_mels)
        .map_err(|error| DatasetError::damaged(root.join(SUMMARY_FILE), error))
}
