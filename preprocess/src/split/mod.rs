//! `preprocess split`: reads the table of a data set and its per-track sums; writes a directory with the three lists,
//! the audit and the normalization, or K of them for cross-validation, and names the first in `splits/current`.
//!
//! No shard is opened, so this takes milliseconds and can be run from cron while others train.

pub(crate) mod audit;
mod balance;
mod carry;
mod divided;
mod grouped;
mod groups;
mod iterative;
mod missing;
mod prune;
mod ratios;
mod strategy;
mod stratified;
#[cfg(test)]
pub(crate) mod testing;
mod warnings;

pub(crate) use divided::count;
pub(crate) use missing::missing;

pub use carry::{carry_over, copy_all};
pub use prune::prune;
pub use ratios::Ratios;
pub use strategy::{GroupBy, Method, Strategy};

use crate::build::feature_sets::{FEATURES_DIRECTORY, feature_sets};
use divided::{Description, DividedDataset};
use shared::dataset::split::{self, Fold, Set, Split, SplitError};
use shared::dataset::statistics::NothingToNormalize;
use shared::dataset::{self, Dataset, DatasetError};
use shared::runtime::atomic_file;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Held while splits are made or removed; the operating system releases it when the program ends, however it ends.
const LOCK_FILE: &str = ".lock";

/// What to divide, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitConfig {
    /// The data set.
    pub dataset: PathBuf,
    /// The split's name; by default made of strategy and seed.
    pub name: Option<String>,
    /// How tracks are divided.
    pub strategy: Strategy,
}

/// How many folds to make, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldsConfig {
    /// The data set.
    pub dataset: PathBuf,
    /// The name of the set of folds; by default made of the method, the seed and the number of folds.
    pub name: Option<String>,
    /// How tracks are divided into parts of equal size.
    pub method: Method,
    /// The number of folds, 3 at least.
    pub folds: usize,
    /// What the division is drawn with.
    pub seed: u64,
}

/// Folds that were made, or were there.
#[derive(Clone, Debug)]
pub struct FoldsReport {
    /// The name of the set of folds.
    pub name: String,
    /// The folds, in the order of their numbers.
    pub splits: Vec<Split>,
    /// Whether all of them had been made before.
    pub existed: bool,
    /// What the user should know: classes that a set lacks, and the like.
    pub warnings: Vec<String>,
}

/// A split that was made, or was there.
#[derive(Clone, Debug)]
pub struct SplitReport {
    /// The split as it lies on disk.
    pub split: Split,
    /// Whether it had been made before.
    pub existed: bool,
    /// What the user should know: classes that a set lacks, and the like.
    pub warnings: Vec<String>,
}

/// A split that cannot be made. What was there before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum MakeSplitError {
    /// The data set cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A split cannot be read or written.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A data set that waits to be merged.
    #[error("{} is part {part} of a data set; put all parts together with `preprocess merge`, and split that", path.display())]
    APart {
        /// The part.
        path: PathBuf,
        /// Which.
        part: String,
    },
    /// The strategy cannot divide these tracks.
    #[error("{}: {reason}", path.display())]
    Impossible {
        /// The data set.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The name is taken.
    #[error(
        "{} has a split `{name}` already, and it is another one; give this one another --name", path.display()
    )]
    Exists {
        /// The data set.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// No training data.
    #[error(transparent)]
    Normalization(#[from] NothingToNormalize),
    /// There is no current split that could be kept.
    #[error("{} has no current split, so there is nothing to keep and nothing is removed", path.display())]
    NoCurrent {
        /// The data set.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("could not use {}: {source}; check that the data set is writable and has space left", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system answered.
        r#source: io::Error,
    },
    /// The operating system refused to remove.
    #[error("could not remove {}: {source}", path.display())]
    Remove {
        /// The split.
        path: PathBuf,
        /// What the operating system answered.
        r#source: io::Error,
    },
}

/// Makes a split and makes it the current one.
pub fn make(config: &SplitConfig) -> Result<SplitReport, MakeSplitError> {
    divide(&config.dataset, |dataset| {
        let strategy = &config.strategy;
        let sets = strategy
            .assign(&dataset.tracks)
            .map_err(|reason| dataset.impossible(reason))?;
        let (method, ratios, seed) = match *strategy {
            Strategy::Drawn { method, ratios, seed } => (Some(method), Some(ratios), Some(seed)),
            Strategy::Official => (None, None, None),
        };
        let description = Description {
            name: dataset.name(config.name.as_ref(), strategy.default_name()),
            strategy: strategy.name(),
            group_by: method.and_then(Method::group_by),
            ratios,
            seed,
            fold: None,
        };
        let split = dataset.split(description, &sets)?;
        let existed = dataset.publish(std::slice::from_ref(&split))?;
        Ok(SplitReport {
            warnings: warnings::of_split(dataset, strategy, &split),
            split,
            existed,
        })
    })
}

/// Makes the folds of k-fold cross-validation, and makes the first one the current split. In fold i, part i is the test
/// set, the next part is the validation set, and all others are the training set.
pub fn make_folds(config: &FoldsConfig) -> Result<FoldsReport, MakeSplitError> {
    divide(&config.dataset, |dataset| {
        let FoldsConfig {
            method, folds, seed, ..
        } = *config;
        let shares = vec![1.0 / folds as f64; folds];
        let parts = method
            .divide(&dataset.tracks, &shares, seed)
            .map_err(|reason| dataset.impossible(reason))?;
        let default_name = format!("{}-{seed}-{folds}folds", method.name());
        let first = Fold {
            name: dataset.name(config.name.as_ref(), default_name),
            number: 1,
            of: folds,
        };
        split::check_name(&first.name)?;
        let splits: Result<Vec<Split>, _> = first
            .all()
            .map(|fold| {
                let test = fold.number - 1;
                let sets: Vec<Set> = parts
                    .iter()
                    .map(|&part| match part {
                        part if part == test => Set::Test,
                        part if part == (test + 1) % folds => Set::Val,
                        _ => Set::Train,
                    })
                    .collect();
                let description = Description {
                    name: fold.split_name(),
                    strategy: method.name(),
                    group_by: method.group_by(),
                    ratios: None,
                    seed: Some(seed),
                    fold: Some(fold),
                };
                dataset.split(description, &sets)
            })
            .collect();
        let splits = splits?;
        let existed = dataset.publish(&splits)?;
        Ok(FoldsReport {
            warnings: warnings::of_folds(dataset, config, &splits),
            name: first.name,
            splits,
            existed,
        })
    })
}

/// Does this to a data set while no other process makes or removes splits of it, and carries what was made over to the
/// feature sets.
fn divide<R>(
    root: &Path,
    make: impl Fn(&DividedDataset<'_>) -> Result<R, MakeSplitError>,
) -> Result<R, MakeSplitError> {
    // Who is first may be a cron job, who is second a person; neither takes long.
    let _lock = lock(root)?;
    let report = dataset::consistently(root, |index| make(&DividedDataset::read(root, index)?))?;
    for set in feature_sets_of(root)? {
        carry_over(root, &set)?;
    }
    Ok(report)
}

fn feature_sets_of(root: &Path) -> Result<Vec<PathBuf>, MakeSplitError> {
    feature_sets(root).map_err(|source| MakeSplitError::Io {
        path: root.join(FEATURES_DIRECTORY),
        source,
    })
}

/// Waits for other processes that make or remove splits, and clears away what they left half written.
fn lock(root: &Path) -> Result<File, MakeSplitError> {
    Dataset::read_index(root)?;
    let splits = root.join(split::SPLITS_DIRECTORY);
    let io_error = |path: &Path, source| MakeSplitError::Io {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(&splits).map_err(|source| io_error(&splits, source))?;
    let path = splits.join(LOCK_FILE);
    let lock = File::create(&path).map_err(|source| io_error(&path, source))?;
    lock.lock().map_err(|source| io_error(&path, source))?;
    atomic_file::remove_temporaries(&splits).map_err(|source| io_error(&splits, source))?;
    Ok(lock)
}

#[cfg(test)]
mod tests;
