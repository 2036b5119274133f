//! Compares the normalization of a data set's current split with a published one.

use anyhow::{Context, ensure};
use serde::Serialize;
use shared::dataset::DatasetIndex;
use shared::dataset::split::Split;
use shared::dataset::statistics::PublishedNormalization;
use std::fmt;
use std::path::Path;

/// The largest relative differences over the mel bands that vary.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NormalizationDifference {
    pub split: String,
    /// The file with the published values.
    pub file: String,
    pub mean: f64,
    pub std: f64,
}

impl NormalizationDifference {
    /// Compares the current split of the data set in `root` with `file`.
    ///
    /// # Errors
    /// If there is no current split, or the file is not a normalization of as many mel bands.
    pub fn read(root: &Path, index: &DatasetIndex, file: &Path) -> anyhow::Result<Self> {
        let split = Split::read(root, index, None)?;
        let published = PublishedNormalization::read(file)?;
        let differences = published.largest_differences(&split.normalization);
        let [mean, std] = differences.with_context(|| {
            format!(
                "{} has means of {} mel bands, and {} has {}; compare normalizations of the same features",
                file.display(),
                published.mel_mean.len(),
                root.display(),
                index.features.n_mels
            )
        })?;
        ensure!(
            mean.is_finite() && std.is_finite(),
            "{} has a mean or a standard deviation of 0, so relative differences are not defined",
            file.display()
        );
        Ok(Self {
            split: split.index.name,
            file: file.to_string_lossy().into_owned(),
            mean,
            std,
        })
    }
}

impl fmt::Display for NormalizationDifference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "compared  mel normalization of split `{}` with {}: largest relative difference {:.2} % of the means, {:.2} % \
             of the standard deviations",
            self.split,
            self.file,
            100.0 * self.mean,
            100.0 * self.std
        )
    }
}
