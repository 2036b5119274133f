//! The data set that a run was trained on, if it still exists.

use crate::run::split_copy;
use crate::settings::RunConfig;
use anyhow::bail;
use shared::dataset::manifest::{RejectedRow, TrackRow};
use shared::dataset::split::Split;
use shared::dataset::{Dataset, read_rejected};
use std::path::Path;

/// An open data set with the run's split.
pub struct DataView {
    pub dataset: Dataset,
    pub split: Split,
    pub rejected: Vec<RejectedRow>,
}

impl DataView {
    /// Opens the data set and split of the run in `run`.
    ///
    /// # Errors
    /// If the data set cannot be opened, or is not the one that the run was trained on.
    pub fn open(config: &RunConfig, run: &Path) -> anyhow::Result<Self> {
        let dataset = Dataset::open(&config.data)?;
        if !dataset.index().covers(&config.data_checksum) {
            bail!(
                "{} is not the data set that the run was trained on",
                config.data.display()
            );
        }
        let split = split_copy::read(run, dataset.index())?;
        let rejected = read_rejected(&config.data, dataset.index())?;
        Ok(Self {
            dataset,
            split,
            rejected,
        })
    }

    pub fn track(&self, track_id: u64) -> Option<&TrackRow> {
        self.dataset
            .position(track_id)
            .map(|position| &self.dataset.tracks()[position])
    }

    pub fn seconds(&self, samples: u64) -> f64 {
        samples as f64 / f64::from(self.dataset.features().sample_rate)
    }
}
