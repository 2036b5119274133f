//! Writes an analysis into a directory: its numbers as JSON, its charts as SVG files.

use super::InspectError;
use super::analysis::Analysis;
use super::drawings::Drawings;
use shared::dataset;
use shared::runtime::atomic_file::{self, WriteError};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

pub const ANALYSIS_FILE: &str = "analysis.json";

/// Writes `analysis.json` and every chart into `directory`, which is created if it does not exist. Files of the same
/// names are replaced, others are kept. Returns the file names, `analysis.json` first.
pub fn write(analysis: &Analysis, labels: &TrackLabels, directory: &Path) -> Result<Vec<String>, InspectError> {
    fs::create_dir_all(directory).map_err(|source| WriteError {
        path: directory.to_owned(),
        source,
    })?;
    let mut json = serde_json::to_vec(analysis).expect("plain numbers and words always serialize");
    json.push(b'\n');
    atomic_file::write_bytes(&directory.join(ANALYSIS_FILE), &json)?;
    let mut names = vec![ANALYSIS_FILE.to_owned()];
    for (name, chart) in Drawings::new(analysis, &labels.0).files() {
        atomic_file::write_bytes(&directory.join(name), chart.file().as_bytes())?;
        names.push(name.clone());
    }
    Ok(names)
}

/// Labels by track id, for the colours of a projection.
#[derive(Clone, Debug, Default)]
pub struct TrackLabels(pub(super) HashMap<u64, Vec<String>>);

impl TrackLabels {
    /// Reads the labels from `tracks.csv`.
    pub fn read(root: &Path) -> Result<Self, InspectError> {
        dataset::consistently(root, |index| {
            let rows = dataset::read_tracks(root, index)?;
            Ok(Self(rows.into_iter().map(|row| (row.track_id, row.labels)).collect()))
        })
    }
}
