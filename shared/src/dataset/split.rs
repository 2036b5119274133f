//! Splits of a data set: `splits/<name>/` with the three lists, `split.json` and `normalization.json`, and
//! `splits/current`, a text file that names the current one.
//!
//! Lists of track ids enter and a directory that appears whole leaves, or the other way round. How tracks are divided
//! is the program's business that makes the split.

pub mod folds;

pub use folds::{Fold, folds};

use crate::dataset::inside::inside;
use crate::dataset::manifest::{self, Columns};
use crate::dataset::statistics::Normalization;
use crate::dataset::{DatasetIndex, FileRecord};
use crate::runtime::atomic_file::{self, WriteError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The version of a split's files that this code writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// The directory of all splits, below the data set's.
pub const SPLITS_DIRECTORY: &str = "splits";
/// The file in it that names the current split.
pub const CURRENT_FILE: &str = "current";
/// A split's own index.
pub const SPLIT_FILE: &str = "split.json";
/// A split's normalization.
pub const NORMALIZATION_FILE: &str = "normalization.json";

/// The three sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Set {
    /// Weights are fitted on it.
    Train,
    /// The best epoch is chosen on it.
    Val,
    /// The result is measured on it.
    Test,
}

impl Set {
    /// All three, in the order in which ratios name them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// The word in file names and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }

    /// The list's file name.
    pub fn file(self) -> String {
        format!("{}.csv", self.name())
    }
}

/// A track in a set. Field names are the column names of `train.csv`, `val.csv`, `test.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRow {
    /// The track.
    pub track_id: u64,
    /// Its labels, for readers that open nothing else. Joined by `|`.
    #[serde(with = "crate::dataset::manifest::joined")]
    pub labels: Vec<String>,
}

impl Columns for SplitRow {
    const COLUMNS: &'static [&'static str] = &["track_id", "labels"];
}

/// `split.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitIndex {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// BLAKE3 of this document with this field empty. Filled in by [`Split::write`].
    pub checksum: String,
    /// The directory's name.
    pub name: String,
    /// The checksum of the data set that was split.
    pub dataset: String,
    /// How tracks were divided: `random`, `stratified`, `grouped`, `official`.
    pub strategy: String,
    /// What tied tracks together, for `grouped`: `artist`, `artist-album`, `recording`.
    pub group_by: Option<String>,
    /// Shares of train, val and test that were asked for; they sum to 1. None for `official` and for folds.
    pub ratios: Option<[f64; 3]>,
    /// What the division was drawn with. None for `official`.
    pub seed: Option<u64>,
    /// The fold that this split is, if it is one of k-fold cross-validation.
    pub fold: Option<Fold>,
    /// Tracks per set and class.
    pub counts: BTreeMap<Set, BTreeMap<String, usize>>,
    /// What stands in more than one set.
    pub leaks: LeakAudit,
    /// The other files of the directory.
    pub files: BTreeMap<String, FileRecord>,
}

/// What stands in more than one set, and so lets a model recognise instead of generalise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakAudit {
    /// Artists with tracks in two sets or more.
    pub artists: Vec<Leak>,
    /// Albums with tracks in two sets or more.
    pub albums: Vec<Leak>,
    /// Recordings with tracks in two sets or more.
    pub recordings: Vec<Leak>,
    /// Tracks whose artist is unknown, so `artists` says nothing about them.
    pub unknown_artists: usize,
    /// Tracks whose album is unknown, so `albums` says nothing about them.
    pub unknown_albums: usize,
}

/// One thing that stands in more than one set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// The artist, the album, or the recording: the lowest id of its tracks.
    pub name: String,
    /// Its tracks in each set.
    pub tracks: BTreeMap<Set, Vec<u64>>,
}

/// A split, read into memory as a whole: it stays what it was even when the split is replaced or removed meanwhile.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// `split.json`.
    pub index: SplitIndex,
    /// Per set, the track ids in ascending order.
    pub tracks: BTreeMap<Set, Vec<u64>>,
    /// `normalization.json`.
    pub normalization: Normalization,
}

/// A split that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// There is none yet.
    #[error("{} has no split yet; make one with `preprocess split {}`", dataset.display(), dataset.display())]
    NoSplit {
        /// The data set.
        dataset: PathBuf,
    },
    /// There is none of that name.
    #[error("{} has no split `{name}`; it has {}", dataset.display(), list(existing))]
    Unknown {
        /// The data set.
        dataset: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The names there are.
        existing: Vec<String>,
    },
    /// There are no folds of that name, or not all of them.
    #[error(
        "{} {problem}; make all folds with `preprocess split {} --folds K --name {name}`",
        dataset.display(), dataset.display()
    )]
    Folds {
        /// The data set.
        dataset: PathBuf,
        /// The name of the set of folds.
        name: String,
        /// What it lacks, after the data set's name.
        problem: String,
    },
    /// A name that would leave the directory, or hide in it.
    #[error("`{0}` cannot be a name here; use letters, digits, `-`, `_` and `.`, not beginning with `.`")]
    BadName(String),
    /// A file is missing, or not what `split.json` says.
    #[error("{} is damaged: {detail}; make the split again under another name", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The split was made of another build of the data set.
    #[error("{} was made for another build of this data set; make a new split", path.display())]
    Stale {
        /// The split's directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("could not read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system answered.
        r#source: io::Error,
    },
    /// The split could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

impl SplitIndex {
    fn expected_checksum(&self) -> String {
        let without = Self {
            checksum: String::new(),
            ..self.clone()
        };
        let json = serde_json::to_vec(&without).expect("plain data always serializes");
        blake3::hash(&json).to_hex().to_string()
    }
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
            // Another may have become the current one, and this one been pruned, since its name was read.
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

    /// Reads a copy that [`Self::copy_files`] made: the files of `root`/`below`. No link may lead out of `root`.
    ///
    /// # Errors
    /// When a file is missing or is not what its checksum says, or the split is not one of this data set.
    pub fn read_files(root: &Path, below: &Path, index: &DatasetIndex) -> Result<Self, SplitError> {
        let split = read_split_index(root, below)?;
        if !index.covers(&split.dataset) {
            return Err(SplitError::Stale { path: root.join(below) });
        }
        let recorded = |file: &str| -> Result<(PathBuf, Vec<u8>), SplitError> {
            let path = own_file(root, &below.join(file))?;
            let content = read(&path)?;
            if split.files.get(file) != Some(&FileRecord::of(&content)) {
                return Err(damaged(
                    &path,
                    format!("its content does not fit the checksum in {SPLIT_FILE}"),
                ));
            }
            Ok((path, content))
        };
        let mut tracks = BTreeMap::new();
        let mut seen = HashSet::new();
        for set in Set::ALL {
            let (path, content) = recorded(&set.file())?;
            let rows: Vec<SplitRow> =
                manifest::from_csv(&content).map_err(|error| damaged(&path, error.to_string()))?;
            let ids: Vec<u64> = rows.iter().map(|row| row.track_id).collect();
            if let Some(twice) = ids.iter().find(|id| !seen.insert(**id)) {
                return Err(damaged(&path, format!("track {twice} stands in the split twice")));
            }
            tracks.insert(set, ids);
        }
        let (path, content) = recorded(NORMALIZATION_FILE)?;
        let normalization: Normalization =
            serde_json::from_slice(&content).map_err(|error| damaged(&path, error.to_string()))?;
        let n_mels = index.features.n_mels;
        if (normalization.mel_mean.len(), normalization.mel_std.len()) != (n_mels, n_mels) {
            return Err(damaged(&path, format!("it does not have {n_mels} bands")));
        }
        Ok(Self {
            index: split,
            tracks,
            normalization,
        })
    }

    /// Copies the files of this split from the directory `from`, which it was read from, into the new directory `copy`,
    /// which appears whole.
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
                Some(record) => *record == FileRecord::of(&content),
                None => serde_json::from_slice::<SplitIndex>(&content).is_ok_and(|index| index == self.index),
            };
            if !is_this_split {
                let detail = "it was replaced while it was read".to_owned();
                return Err(SplitError::Damaged { path, detail });
            }
            contents.push((name, content));
        }
        Ok(atomic_file::write_directory(copy, |inside| {
            contents
                .iter()
                .try_for_each(|(name, content)| atomic_file::write_bytes(&inside.join(name), content))
        })?)
    }

    /// Writes a complete split directory. It is not the current one until [`set_current`] says so.
    ///
    /// `index.files` and `index.checksum` are filled in here. A directory of that name must not exist.
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
        .map(|(name, content)| (name.clone(), FileRecord::of(content)))
        .collect();
    index.checksum = index.expected_checksum();
    contents.push((SPLIT_FILE.into(), json(&index)));
    contents
}

/// `split.json` of the split in `root`/`below`, whose other files are not looked at.
fn read_split_index(root: &Path, below: &Path) -> Result<SplitIndex, SplitError> {
    let path = own_file(root, &below.join(SPLIT_FILE))?;
    let split: SplitIndex = serde_json::from_slice(&read(&path)?).map_err(|error| damaged(&path, error.to_string()))?;
    if split.format_version != FORMAT_VERSION {
        let detail = format!(
            "it has version {} and this program reads {FORMAT_VERSION}",
            split.format_version
        );
        return Err(damaged(&path, detail));
    }
    if split.checksum != split.expected_checksum() {
        return Err(damaged(&path, "its content does not fit its own checksum".into()));
    }
    Ok(split)
}

fn damaged(path: &Path, detail: String) -> SplitError {
    SplitError::Damaged {
        path: path.to_owned(),
        detail,
    }
}

/// The name in `splits/current`, if there is one.
pub fn current(dataset: &Path) -> Result<Option<String>, SplitError> {
    let path = own_file(dataset, &Path::new(SPLITS_DIRECTORY).join(CURRENT_FILE))?;
    match fs::read_to_string(&path) {
        Ok(name) => Ok(Some(name.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SplitError::Io { path, source }),
    }
}

/// Makes `name`, whose directory is complete, the current split.
pub fn set_current(dataset: &Path, name: &str) -> Result<(), SplitError> {
    let path = dataset.join(SPLITS_DIRECTORY).join(CURRENT_FILE);
    Ok(atomic_file::write_bytes(&path, format!("{name}\n").as_bytes())?)
}

/// The directory of the split `name`.
pub fn directory(dataset: &Path, name: &str) -> Result<PathBuf, SplitError> {
    check_name(name)?;
    Ok(dataset.join(SPLITS_DIRECTORY).join(name))
}

/// Whether a name can be that of a split, or of a feature set: it leaves no directory and hides in none.
pub fn check_name(name: &str) -> Result<(), SplitError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || name == CURRENT_FILE || !name.chars().all(allowed) {
        return Err(SplitError::BadName(name.to_owned()));
    }
    Ok(())
}

/// The names of the complete splits, in alphabetical order.
pub fn names(dataset: &Path) -> Result<Vec<String>, SplitError> {
    let path = dataset.join(SPLITS_DIRECTORY);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(SplitError::Io { path, source }),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| SplitError::Io {
            path: path.clone(),
            source,
        })?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if directory(dataset, &name).is_ok() && entry.path().join(SPLIT_FILE).is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The place of a file of the data set.
fn own_file(dataset: &Path, file: &Path) -> Result<PathBuf, SplitError> {
    inside(dataset, file).map_err(|detail| SplitError::Damaged {
        path: dataset.join(file),
        detail,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, SplitError> {
    match fs::read(path) {
        Ok(content) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SplitError::Damaged {
            path: path.to_owned(),
            detail: "it is missing".into(),
        }),
        Err(source) => Err(SplitError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(value).expect("plain data always serializes");
    json.push(b'\n');
    json
}

#[cfg(test)]
mod round_trips;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{self, SourceRecord};
    use crate::dsp::features::FeatureConfig;
    use proptest::prelude::*;
    use tempfile::TempDir;

    pub(super) fn dataset_index() -> DatasetIndex {
        let features = FeatureConfig {
            n_mels: 2,
            ..FeatureConfig::default()
        };
        DatasetIndex {
            format_version: dataset::FORMAT_VERSION,
            checksum: "abc".into(),
            source: SourceRecord {
                name: "fma".into(),
                subset: "small".into(),
                preset: None,
                preset_differences: Vec::new(),
                audio: "audio".into(),
                part: None,
            },
            fingerprint: features.fingerprint(),
            features,
            task: dataset::Task::default(),
            classes: vec!["Folk".into(), "Rock".into()],
            kept: 3,
            rejected: 0,
            samples: 3,
            shards: Vec::new(),
            files: BTreeMap::new(),
            waveforms_of: None,
            earlier: Vec::new(),
        }
    }

    pub(super) fn write(root: &TempDir, name: &str, ids: [Vec<u64>; 3]) -> Result<(), SplitError> {
        write_split(root, name, None, ids)
    }

    pub(super) fn write_fold(root: &TempDir, name: &str, fold: Option<Fold>) {
        write_split(root, name, fold, [vec![1], vec![2], vec![3]]).unwrap();
    }

    fn write_split(root: &TempDir, name: &str, fold: Option<Fold>, ids: [Vec<u64>; 3]) -> Result<(), SplitError> {
        let rows = Set::ALL
            .into_iter()
            .zip(ids)
            .map(|(set, ids)| {
                let row = |track_id| SplitRow {
                    track_id,
                    labels: vec!["Rock".into()],
                };
                (set, ids.into_iter().map(row).collect())
            })
            .collect();
        let index = SplitIndex {
            format_version: FORMAT_VERSION,
            checksum: String::new(),
            name: name.into(),
            dataset: "abc".into(),
            strategy: "random".into(),
            group_by: None,
            ratios: Some([0.8, 0.1, 0.1]),
            seed: Some(1),
            fold,
            counts: BTreeMap::new(),
            leaks: LeakAudit::default(),
            files: BTreeMap::new(),
        };
        let normalization = Normalization {
            tracks: 1,
            waveform_mean: 0.0,
            waveform_std: 0.1,
            mel_mean: vec![-40.0, -80.0],
            mel_std: vec![10.0, 1.0],
            constant_bands: vec![1],
        };
        Split::write(root.path(), index, &rows, &normalization)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_written_is_read(ids in prop::collection::btree_set(any::<u64>(), 0..40), cut in any::<(u8, u8)>()) {
            let root = tempfile::tempdir().unwrap();
            let mut sets = [Vec::new(), Vec::new(), Vec::new()];
            for id in ids {
                sets[usize::from(id as u8 > cut.0) + usize::from((id >> 8) as u8 > cut.1)].push(id);
            }
            write(&root, "first", sets.clone()).unwrap();
            let split = Split::read(root.path(), &dataset_index(), Some("first")).unwrap();
            prop_assert_eq!(split.tracks.into_values().collect::<Vec<_>>(), sets);
        }
    }

    #[test]
    fn the_current_split_is_the_one_named_last() {
        let root = tempfile::tempdir().unwrap();
        let index = dataset_index();
        assert!(matches!(
            Split::read(root.path(), &index, None),
            Err(SplitError::NoSplit { .. })
        ));
        write(&root, "first", [vec![1], vec![2], vec![3]]).unwrap();
        set_current(root.path(), "first").unwrap();
        write(&root, "second", [vec![3], vec![2], vec![1]]).unwrap();
        assert_eq!(Split::read(root.path(), &index, None).unwrap().index.name, "first");
        set_current(root.path(), "second").unwrap();
        assert_eq!(Split::read(root.path(), &index, None).unwrap().tracks[&Set::Train], [3]);
        assert_eq!(names(root.path()).unwrap(), ["first", "second"]);
    }

    #[test]
    fn a_copy_is_the_split_it_was_made_of_whatever_becomes_of_that() {
        let root = tempfile::tempdir().unwrap();
        let run = tempfile::tempdir().unwrap();
        let index = dataset_index();
        write(&root, "exp", [vec![1], vec![2], vec![3]]).unwrap();
        let split = Split::read(root.path(), &index, Some("exp")).unwrap();
        let exp = root.path().join("splits/exp");
        split.copy_files(&exp, &run.path().join("split")).unwrap();
        fs::remove_dir_all(&exp).unwrap();
        let copy = || Split::read_files(run.path(), Path::new("split"), &index);
        assert_eq!(copy().unwrap(), split);
        write(&root, "exp", [vec![3], vec![2], vec![1]]).unwrap();
        assert_eq!(copy().unwrap(), split);
        // What was read first is not there any more to be copied.
        let error = split.copy_files(&exp, &run.path().join("other")).unwrap_err();
        assert!(error.to_string().contains("replaced while it was read"), "{error}");
        fs::write(run.path().join("split/test.csv"), "track_id,labels\n4,Rock\n").unwrap();
        assert!(copy().unwrap_err().to_string().contains("split/test.csv"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_is_no_split() {
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(&elsewhere, "there", [vec![1], vec![2], vec![3]]).unwrap();
        write(&root, "here", [vec![1], vec![2], vec![3]]).unwrap();
        let splits = root.path().join(SPLITS_DIRECTORY);
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, splits.join(name)).unwrap();
        link(&elsewhere.path().join("splits/there"), "linked");
        link(Path::new("here"), "alias");
        let read = |name: &str| Split::read(root.path(), &dataset_index(), Some(name));
        assert!(read("alias").is_ok());
        let error = read("linked").unwrap_err().to_string();
        assert!(error.contains("leads out of the data set"), "{error}");
        fs::write(elsewhere.path().join("secret"), b"secret").unwrap();
        link(&elsewhere.path().join("secret"), CURRENT_FILE);
        let error = Split::read(root.path(), &dataset_index(), None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("splits/current") && !error.contains("no split `"),
            "{error}"
        );
    }

    #[test]
    fn wrong_splits_are_sentences() {
        let root = tempfile::tempdir().unwrap();
        let index = dataset_index();
        for name in ["", "../x", ".hidden", "a/b", "current"] {
            assert!(
                matches!(directory(root.path(), name), Err(SplitError::BadName(_))),
                "{name}"
            );
        }
        write(&root, "twice", [vec![1], vec![1], vec![]]).unwrap();
        let error = Split::read(root.path(), &index, Some("twice")).unwrap_err().to_string();
        assert!(error.contains("val.csv") && error.contains("twice"), "{error}");
        write(&root, "seeded", [vec![1], vec![2], vec![3]]).unwrap();
        let path = root.path().join("splits/seeded/split.json");
        let changed = fs::read_to_string(&path).unwrap().replace("\"seed\": 1", "\"seed\": 3");
        fs::write(&path, changed).unwrap();
        let error = Split::read(root.path(), &index, Some("seeded"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("split.json") && error.contains("checksum"), "{error}");
        fs::remove_dir_all(root.path().join("splits/seeded")).unwrap();
        write(&root, "good", [vec![1], vec![2], vec![3]]).unwrap();
        assert!(write(&root, "good", [vec![1], vec![2], vec![]]).is_err());
        let error = Split::read(root.path(), &index, Some("best")).unwrap_err().to_string();
        assert!(error.contains("good, twice"), "{error}");
        let stale = DatasetIndex {
            checksum: "other".into(),
            ..index.clone()
        };
        assert!(matches!(
            Split::read(root.path(), &stale, Some("good")),
            Err(SplitError::Stale { .. })
        ));
        fs::write(root.path().join("splits/good/test.csv"), "track_id,labels\n4,Rock\n").unwrap();
        let error = Split::read(root.path(), &index, Some("good")).unwrap_err().to_string();
        assert!(error.contains("test.csv") && error.contains("checksum"), "{error}");
        fs::remove_file(root.path().join("splits/good/normalization.json")).unwrap();
        let error = Split::read(root.path(), &index, Some("good")).unwrap_err().to_string();
        assert!(
            error.contains("test.csv") || error.contains("normalization.json"),
            "{error}"
        );
    }
}
