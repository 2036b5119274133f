//! A split in memory, read from and written to its directory.

use super::error::SplitError;
use super::files::{NORMALIZATION_FILE, SPLIT_FILE, SPLITS_DIRECTORY, current, directory, names, own_file, read};
use super::index::{SplitIndex, read_split_index};
use super::set::{Set, SplitRow};
use crate::dataset::manifest::{self, TrackRow};
use crate::dataset::statistics::Normalization;
use crate::dataset::{DatasetIndex, FileRecord};
use crate::runtime::atomic_file;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A split, read into memory completely: it does not change if the directory is replaced or removed later.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// `split.json`.
    pub index: SplitIndex,
    /// Per set, the track ids in ascending order.
    pub tracks: BTreeMap<Set, Vec<u64>>,
    /// `normalization.json`.
    pub normalization: Normalization,
}

impl Split {
    /// Reads the split `name`, or the current one.
    pub fn read(dataset: &Path, index: &DatasetIndex, name: Option<&str>) -> Result<Self, SplitError> {
        if let Some(name) = name {
            return Self::read_named(dataset, index, name);
        }
        let current_name = || {
            current(dataset)?.ok_or_else(|| SplitError::NoSplit {
                dataset: dataset.to_owned(),
            })
        };
        let mut name = current_name()?;
        loop {
            let outcome = Self::read_named(dataset, index, &name);
            if outcome.is_ok() {
                return outcome;
            }
            // Since its name was read, this split may have been pruned and another become the current one.
            let now = current_name()?;
            if now == name {
                return outcome;
            }
            name = now;
        }
    }

    fn read_named(dataset: &Path, index: &DatasetIndex, name: &str) -> Result<Self, SplitError> {
        let directory = directory(dataset, name)?;
        if !directory.is_dir() {
            return Err(SplitError::Unknown {
                dataset: dataset.to_owned(),
                name: name.to_owned(),
                existing: names(dataset)?,
            });
        }
        Self::read_files(dataset, &Path::new(SPLITS_DIRECTORY).join(name), index)
    }

    /// Reads the split in `root`/`below`, such as a copy that [`Self::copy_files`] made. No link may lead out of
    /// `root`.
    ///
    /// # Errors
    /// When a file is missing or does not match its checksum, or the split does not belong to this data set.
    pub fn read_files(root: &Path, below: &Path, index: &DatasetIndex) -> Result<Self, SplitError> {
        let split = read_split_index(root, below)?;
        if !index.covers(&split.dataset) {
            return Err(SplitError::Stale { path: root.join(below) });
        }
        let recorded = |file: &str| -> Result<(PathBuf, Vec<u8>), SplitError> {
            let path = own_file(root, &below.join(file))?;
            let content = read(&path)?;
            if split.files.get(file) != Some(&FileRecord::from_content(&content)) {
                let detail = format!("its content does not match the checksum in {SPLIT_FILE}");
                return Err(SplitError::damaged(&path, detail));
            }
            Ok((path, content))
        };
        let mut tracks = BTreeMap::new();
        let mut seen = HashSet::new();
        for set in Set::ALL {
            let (path, content) = recorded(&set.file())?;
            let rows: Vec<SplitRow> =
                manifest::from_csv(&content).map_err(|error| SplitError::damaged(&path, error))?;
            let ids: Vec<u64> = rows.iter().map(|row| row.track_id).collect();
            if let Some(duplicate) = ids.iter().find(|id| !seen.insert(**id)) {
                return Err(SplitError::damaged(
                    &path,
                    format!("track {duplicate} is in the split twice"),
                ));
            }
            tracks.insert(set, ids);
        }
        let (path, content) = recorded(NORMALIZATION_FILE)?;
        let normalization: Normalization =
            serde_json::from_slice(&content).map_err(|error| SplitError::damaged(&path, error))?;
        let n_mels = index.features.n_mels;
        if (normalization.mel_mean.len(), normalization.mel_std.len()) != (n_mels, n_mels) {
            return Err(SplitError::damaged(&path, format!("it does not have {n_mels} bands")));
        }
        Ok(Self {
            index: split,
            tracks,
            normalization,
        })
    }

    /// Copies the files of this split from the directory `from`, which it was read from, into the new directory `copy`,
    /// atomically.
    ///
    /// # Errors
    /// When the split in `from` has been replaced or removed since it was read, or `copy` cannot be written.
    pub fn copy_files(&self, from: &Path, copy: &Path) -> Result<(), SplitError> {
        let names = self.index.files.keys().map(String::as_str).chain([SPLIT_FILE]);
        let mut contents = Vec::new();
        for name in names {
            let path = from.join(name);
            let content = read(&path)?;
            let is_this_split = match self.index.files.get(name) {
                Some(record) => *record == FileRecord::from_content(&content),
                None => serde_json::from_slice::<SplitIndex>(&content).is_ok_and(|index| index == self.index),
            };
            if !is_this_split {
                return Err(SplitError::damaged(&path, "it was replaced while it was read"));
            }
            contents.push((name, content));
        }
        Ok(atomic_file::write_directory(copy, |inside| {
            contents
                .iter()
                .try_for_each(|(name, content)| atomic_file::write_bytes(&inside.join(name), content))
        })?)
    }

    /// The rows of the lists. Labels are from `tracks`, which must have all tracks of the split by their ids.
    pub fn rows(&self, tracks: &HashMap<u64, &TrackRow>) -> BTreeMap<Set, Vec<SplitRow>> {
        let row = |&track_id: &u64| SplitRow {
            track_id,
            labels: tracks[&track_id].labels.clone(),
        };
        let lists = self.tracks.iter();
        lists.map(|(&set, ids)| (set, ids.iter().map(row).collect())).collect()
    }

    /// Writes a complete split directory. [`set_current`](super::set_current) makes it the current split.
    ///
    /// Fills in `index.files` and `index.checksum`. A directory of that name must not exist.
    pub fn write(
        dataset: &Path,
        index: SplitIndex,
        rows: &BTreeMap<Set, Vec<SplitRow>>,
        normalization: &Normalization,
    ) -> Result<(), SplitError> {
        Self::write_all(dataset, [(index, rows, normalization)])
    }

    /// Writes several splits as [`Self::write`] does, all or none of them.
    pub fn write_all<'a>(
        dataset: &Path,
        splits: impl IntoIterator<Item = (SplitIndex, &'a BTreeMap<Set, Vec<SplitRow>>, &'a Normalization)>,
    ) -> Result<(), SplitError> {
        let mut directories = Vec::new();
        for (index, rows, normalization) in splits {
            directories.push((directory(dataset, &index.name)?, contents(index, rows, normalization)));
        }
        let paths: Vec<PathBuf> = directories.iter().map(|(path, _)| path.clone()).collect();
        atomic_file::write_directories(&paths, |at, inside| {
            directories[at]
                .1
                .iter()
                .try_for_each(|(name, content)| atomic_file::write_bytes(&inside.join(name), content))
        })
        .map_err(SplitError::Write)
    }
}

/// The files of a split.
fn contents(
    mut index: SplitIndex,
    rows: &BTreeMap<Set, Vec<SplitRow>>,
    normalization: &Normalization,
) -> Vec<(String, Vec<u8>)> {
    let list = |set: Set| manifest::to_csv(rows.get(&set).map_or(&[][..], Vec::as_slice));
    let mut contents: Vec<(String, Vec<u8>)> = Set::ALL.into_iter().map(|set| (set.file(), list(set))).collect();
    contents.push((NORMALIZATION_FILE.into(), json(normalization)));
    index.files = contents
        .iter()
        .map(|(name, content)| (name.clone(), FileRecord::from_content(content)))
        .collect();
    index.checksum = index.expected_checksum();
    contents.push((SPLIT_FILE.into(), json(&index)));
    contents
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(value).expect("plain data always serializes");
    json.push(b'\n');
    json
}
