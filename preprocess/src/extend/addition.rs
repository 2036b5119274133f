//! Creates a feature set, or adds the tracks that it lacks after its data set grew.

use super::feature_set::FeatureSet;
use crate::build::feature_sets::FEATURES_DIRECTORY;
use crate::build::progress::BuildProgress;
use crate::split;
use anyhow::ensure;
use shared::dataset::split::check_name;
use shared::dataset::{Dataset, DatasetIndex, INDEX_FILE};
use shared::dsp::features::FeatureConfig;
use shared::runtime::atomic_file::{self, TEMPORARY_SUFFIX};
use shared::runtime::file_error::FileError;
use shared::runtime::lock;
use std::fs;
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = ".lock";
#[derive(Clone, Debug)]
pub struct ExtendConfig {
    pub dataset: PathBuf,
    /// The feature set's name; by default `mel-<n_mels>-<n_fft>-<hop_length>`.
    pub name: Option<String>,
    pub features: FeatureConfig,
    pub jobs: usize,
}

#[derive(Clone, Debug)]
pub struct ExtendReport {
    pub path: PathBuf,
    pub index: DatasetIndex,
    /// Tracks whose spectrograms were computed by this run.
    pub made: usize,
    pub splits: Vec<String>,
}

/// Creates the feature set, adds the tracks that it lacks after the data set grew, or finds that it is complete.
pub fn extend(config: &ExtendConfig, progress: &mut dyn BuildProgress) -> anyhow::Result<ExtendReport> {
    let (root, features) = (&config.dataset, &config.features);
    let dataset = Dataset::open(root)?;
    let own = dataset.features();
    ensure!(
        features.sample_rate == own.sample_rate,
        "{} has waveforms at {} Hz, and extend does not resample them to {} Hz; build a data set at that rate, or \
         choose other features",
        root.display(),
        own.sample_rate,
        features.sample_rate
    );
    ensure!(
        features != own,
        "{} already has these features; change at least one of --n-mels, --n-fft, --hop-length and so on",
        root.display()
    );
    let default_name = || format!("mel-{}-{}-{}", features.n_mels, features.n_fft, features.hop_length);
    let name = config.name.clone().unwrap_or_else(default_name);
    check_name(&name)?;
    let all = root.join(FEATURES_DIRECTORY);
    fs::create_dir_all(&all).map_err(FileError::at(&all))?;
    let _lock = lock::wait(&all.join(LOCK_FILE))?;
    atomic_file::remove_temporaries(&all).map_err(FileError::at(&all))?;
    let path = all.join(&name);
    let before = path
        .join(INDEX_FILE)
        .exists()
        .then(|| Dataset::open(&path))
        .transpose()?;
    if let Some(before) = &before {
        let made_of = before.index().waveforms_of.as_deref().unwrap_or_default();
        ensure!(
            before.features() == features && dataset.index().covers(made_of),
            "{} has other features; choose another --name",
            path.display()
        );
        if made_of == dataset.index().checksum {
            let splits = split::carry_over(root, &path)?;
            return Ok(ExtendReport {
                index: before.index().clone(),
                path,
                made: 0,
                splits,
            });
        }
    }
    let new = all.join(format!(".{name}{TEMPORARY_SUFFIX}"));
    let work = FeatureSet {
        dataset: &dataset,
        before: before.as_ref(),
        features,
        new: &new,
    };
    let made = work.make(config.jobs, progress)?;
    replace(&path, &new, before.is_some())?;
    let splits = split::carry_over(root, &path)?;
    Ok(ExtendReport {
        index: Dataset::read_index(&path)?,
        path,
        made,
        splits,
    })
}

/// Moves the new feature set to `path`. If one `exists` there, its splits are copied first and it is removed.
fn replace(path: &Path, new: &Path, exists: bool) -> anyhow::Result<()> {
    if exists {
        split::copy_all(path, new)?;
        let old = new.with_extension(format!("old{TEMPORARY_SUFFIX}"));
        fs::rename(path, &old).map_err(FileError::at(path))?;
        fs::rename(new, path).map_err(FileError::at(path))?;
        fs::remove_dir_all(&old).map_err(FileError::at(&old))?;
    } else {
        fs::rename(new, path).map_err(FileError::at(path))?;
    }
    let directory = path.parent().unwrap_or(path);
    Ok(atomic_file::sync_directory(directory).map_err(FileError::at(directory))?)
}
