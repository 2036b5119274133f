//! `preprocess split`: the table of a data set and its per-track sums enter; a directory with the three lists, the audit
//! and the normalization leaves, and `splits/current` names it.
//!
//! No shard is opened, so this takes milliseconds and can be run from cron while others train.

pub(crate) mod audit;
mod carry;
mod grouped;
mod iterative;
mod strategy;
#[cfg(test)]
mod testing;

pub use carry::{carry_over, copy_all};
pub use strategy::{GroupBy, Ratios, Strategy};

use crate::feature_sets::{FEATURES_DIRECTORY, feature_sets};
use shared::atomic_file;
use shared::dataset::{self, Dataset, DatasetError, DatasetIndex};
use shared::manifest::TrackRow;
use shared::split::{self, Set, Split, SplitError, SplitIndex, SplitRow};
use shared::stats::{Normalization, NothingToNormalize};
use std::collections::{BTreeMap, HashMap};
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
    /// There is no live split that could be kept.
    #[error("{} has no live split, so there is nothing to keep and nothing is removed", path.display())]
    NothingLive {
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

/// Makes a split and makes it the live one.
pub fn make(config: &SplitConfig) -> Result<SplitReport, MakeSplitError> {
    // Who is first may be a cron job, who is second a person; neither takes long.
    let _lock = lock(&config.dataset)?;
    let report = dataset::consistently(&config.dataset, |index| make_of(config, index))?;
    for set in feature_sets_of(&config.dataset)? {
        carry_over(&config.dataset, &set)?;
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

fn make_of(config: &SplitConfig, index: &DatasetIndex) -> Result<SplitReport, MakeSplitError> {
    let root = &config.dataset;
    if let Some(part) = &index.source.part {
        return Err(MakeSplitError::APart {
            path: root.clone(),
            part: part.clone(),
        });
    }
    let tracks = dataset::read_tracks(root, index)?;
    let name = config.name.clone().unwrap_or_else(|| {
        let name = config.strategy.default_name();
        // The split of that name is one of the tracks that there were before.
        match index.earlier.len() {
            0 => name,
            times => format!("{name}-grown-{times}"),
        }
    });
    let directory = split::directory(root, &name)?;
    let assigned = config
        .strategy
        .assign(&tracks)
        .map_err(|reason| MakeSplitError::Impossible {
            path: root.clone(),
            reason,
        })?;
    let split = describe(root, index, &tracks, &assigned, &name, config)?;
    let warnings = warnings(index, &split);
    let existed = directory.exists();
    if existed {
        let earlier = Split::read(root, index, Some(&name))?;
        let comparable = |split: &Split| Split {
            index: SplitIndex {
                checksum: String::new(),
                files: BTreeMap::new(),
                ..split.index.clone()
            },
            ..split.clone()
        };
        if comparable(&earlier) != comparable(&split) {
            return Err(MakeSplitError::Exists {
                path: root.clone(),
                name,
            });
        }
    } else {
        let labels: HashMap<u64, &TrackRow> = tracks.iter().map(|row| (row.track_id, row)).collect();
        let row = |&track_id: &u64| SplitRow {
            track_id,
            labels: labels[&track_id].labels.clone(),
        };
        let rows = split
            .tracks
            .iter()
            .map(|(&set, ids)| (set, ids.iter().map(row).collect()))
            .collect();
        Split::write(root, split.index.clone(), &rows, &split.normalization)?;
    }
    split::set_current(root, &name)?;
    Ok(SplitReport {
        split,
        existed,
        warnings,
    })
}

fn describe(
    root: &Path,
    index: &DatasetIndex,
    tracks: &[TrackRow],
    assigned: &[Set],
    name: &str,
    config: &SplitConfig,
) -> Result<Split, MakeSplitError> {
    let mut lists: BTreeMap<Set, Vec<u64>> = Set::ALL.into_iter().map(|set| (set, Vec::new())).collect();
    for (row, set) in tracks.iter().zip(assigned) {
        lists.entry(*set).or_default().push(row.track_id);
    }
    let summaries = dataset::read_summary(root, index)?;
    let training = summaries.iter().zip(assigned).filter(|(_, set)| **set == Set::Train);
    let normalization = Normalization::from_summaries(training.map(|(summary, _)| summary), index.features.n_mels)?;
    let strategy = &config.strategy;
    Ok(Split {
        index: SplitIndex {
            format_version: split::FORMAT_VERSION,
            checksum: String::new(),
            name: name.to_owned(),
            dataset: index.checksum.clone(),
            strategy: strategy.name().into(),
            group_by: strategy.group_by().map(|by| by.name().to_owned()),
            ratios: strategy.ratios().map(Ratios::shares),
            seed: strategy.seed(),
            counts: count(&index.classes, tracks, assigned),
            leaks: audit::leaks(tracks, assigned),
            files: BTreeMap::new(),
        },
        tracks: lists,
        normalization,
    })
}

/// Tracks per set and class, those included that a set has none of.
pub(crate) fn count(
    classes: &[String],
    tracks: &[TrackRow],
    assigned: &[Set],
) -> BTreeMap<Set, BTreeMap<String, usize>> {
    let none: BTreeMap<String, usize> = classes.iter().map(|class| (class.clone(), 0)).collect();
    let mut counts: BTreeMap<_, _> = Set::ALL.into_iter().map(|set| (set, none.clone())).collect();
    for (row, set) in tracks.iter().zip(assigned) {
        for label in &row.labels {
            *counts.entry(*set).or_default().entry(label.clone()).or_default() += 1;
        }
    }
    counts
}

fn warnings(index: &DatasetIndex, split: &Split) -> Vec<String> {
    let mut warnings = Vec::new();
    for (set, counts) in &split.index.counts {
        if counts.values().sum::<usize>() == 0 {
            continue;
        }
        for class in index.classes.iter().filter(|class| counts.get(*class) == Some(&0)) {
            warnings.push(format!("the set `{}` has no track of the class {class}", set.name()));
        }
    }
    let leaks = &split.index.leaks;
    for (what, leaked) in [
        ("artist", &leaks.artists),
        ("album", &leaks.albums),
        ("recording", &leaks.duplicates),
    ] {
        if let [first, ..] = leaked.as_slice() {
            let count = leaked.len();
            let (plural, verb) = if count == 1 { ("", "stands") } else { ("s", "stand") };
            warnings.push(format!(
                "{count} {what}{plural} {verb} in more than one set, {} for one; split.json names all",
                first.name
            ));
        }
    }
    let constant = &split.normalization.constant_bands;
    if let [first, .., last] | [first @ last] = constant.as_slice() {
        warnings.push(format!(
            "{} of {} mel bands, between {first} and {last}, hardly vary in the training set; normalization.json names them",
            constant.len(),
            index.features.n_mels
        ));
    }
    warnings
}

/// Removes every split but the live one, and returns their names.
pub fn prune(root: &Path) -> Result<Vec<String>, MakeSplitError> {
    let _lock = lock(root)?;
    // What is to be kept must be there and whole.
    let index = Dataset::read_index(root)?;
    let Some(current) = split::current(root)? else {
        return Err(MakeSplitError::NothingLive { path: root.to_owned() });
    };
    Split::read(root, &index, Some(&current))?;
    let mut removed = Vec::new();
    for name in split::names(root)?.into_iter().filter(|name| *name != current) {
        let path = split::directory(root, &name)?;
        // Renamed first, so that nobody opens half a split.
        let doomed = path.with_file_name(format!(".{name}{}", atomic_file::TEMPORARY_SUFFIX));
        fs::rename(&path, &doomed)
            .and_then(|()| fs::remove_dir_all(&doomed))
            .map_err(|source| MakeSplitError::Remove { path, source })?;
        removed.push(name);
    }
    for set in feature_sets_of(root)? {
        if split::current(&set)?.is_some() {
            prune(&set)?;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;
