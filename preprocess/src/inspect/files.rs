//! Writes an analysis into a directory: its numbers as JSON, its charts as SVG files.

use super::InspectError;
use super::analysis::Analysis;
use super::drawings::Drawings;
use super::track_list::TrackList;
use shared::runtime::atomic_file::{self, WriteError};
use std::fs;
use std::path::Path;

pub const ANALYSIS_FILE: &str = "analysis.json";

/// Writes `analysis.json` and every chart into `directory`, which is created if it does not exist. Files of the same
/// names are replaced, others are kept. Returns the file names, `analysis.json` first.
pub fn write(analysis: &Analysis, tracks: &TrackList, directory: &Path) -> Result<Vec<String>, InspectError> {
    fs::create_dir_all(directory).map_err(|source| WriteError {
        path: directory.to_owned(),
        source,
    })?;
    let mut json = serde_json::to_vec(analysis).expect("plain numbers and words always serialize");
    json.push(b'\n');
    atomic_file::write_bytes(&directory.join(ANALYSIS_FILE), &json)?;
    let mut names = vec![ANALYSIS_FILE.to_owned()];
    for (name, chart) in Drawings::new(analysis, &tracks.labels()).files() {
        atomic_file::write_bytes(&directory.join(name), chart.file().as_bytes())?;
        names.push(name.clone());
    }
    Ok(names)
}
