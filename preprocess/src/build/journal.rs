//! The journal of a build, from which an interrupted build resumes.
//!
//! While a data set is being built, its directory `.build` contains `lock`, which one process holds; `plan.json`; and
//! an entry for each finished pair of shards. Shards get their final names before their entry is written, so an entry
//! always describes shards that exist.

use super::plan::BuildPlan;
use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use shared::dataset::manifest::{RejectedRow, TrackRow};
use shared::dataset::shard::ShardKind;
use shared::dataset::statistics::{self, TrackSummary};
use shared::dataset::{self, Dataset, DatasetIndex, ShardRecord};
use shared::runtime::file_error::FileError;
use shared::runtime::{atomic_file, lock};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Inside the data set.
pub const JOURNAL_DIRECTORY: &str = ".build";
const LOCK_FILE: &str = "lock";
const PLAN_FILE: &str = "plan.json";

/// The journal of a build, locked for this process.
#[derive(Debug)]
pub struct Journal {
    root: PathBuf,
    directory: PathBuf,
    _lock: File,
}

/// One finished pair of shards, or the rejected tracks after the last pair.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The pair; `None` if no track was kept.
    pub shard: Option<ShardRecord>,
    /// Total number of tracks processed up to and including this entry.
    pub done: usize,
    /// Kept tracks, all in the pair. Their summaries are ten times as large and stay on disk.
    pub tracks: Vec<TrackRow>,
    pub rejected: Vec<RejectedRow>,
}

impl Journal {
    /// Locks the directory for this process and `plan`, and removes temporary files that a crash left.
    pub fn open(root: &Path, plan: &BuildPlan) -> anyhow::Result<Self> {
        Self::lock(root, false)?.begin(plan)
    }

    /// Like [`Self::open`], for adding tracks to the finished data set in `root`. If the source changed after an
    /// interrupted growth, the data set is first as it was before.
    pub fn grow(root: &Path, plan: &BuildPlan) -> anyhow::Result<Self> {
        let journal = Self::lock(root, true)?;
        if Self::plan_in(root)?.is_some_and(|earlier| earlier != *plan) {
            // Read with the lock held: another process may have just finished.
            journal.forget(&Dataset::read_index(root)?)?;
        }
        journal.begin(plan)
    }

    fn lock(root: &Path, has_data_set: bool) -> anyhow::Result<Self> {
        let directory = root.join(JOURNAL_DIRECTORY);
        fs::create_dir_all(root).map_err(FileError::at(root))?;
        check_place(root, has_data_set)?;
        fs::create_dir_all(&directory).map_err(FileError::at(&directory))?;
        let Some(lock) = lock::attempt(&directory.join(LOCK_FILE))? else {
            bail!(
                "{} is being built by another process; wait for it to end, or choose another --out",
                root.display()
            );
        };
        Ok(Self {
            root: root.to_owned(),
            directory,
            _lock: lock,
        })
    }

    fn begin(self, plan: &BuildPlan) -> anyhow::Result<Self> {
        match Self::plan_in(&self.root)? {
            None => atomic_file::write_bytes(&self.directory.join(PLAN_FILE), &plan.to_json())?,
            Some(earlier) => check_settings(&self.root, plan, &earlier)?,
        }
        for directory in [&self.root, &self.root.join("shards"), &self.directory] {
            atomic_file::remove_temporaries(directory).map_err(FileError::at(directory))?;
        }
        Ok(self)
    }

    /// The number of tracks that an interrupted build of `plan` in `root` has processed. Writes nothing, and
    /// refuses the directories and settings that [`Self::open`] refuses. It takes no lock and does not read summaries.
    pub fn done_in(root: &Path, plan: &BuildPlan, has_data_set: bool) -> anyhow::Result<usize> {
        if root.exists() {
            check_place(root, has_data_set)?;
        }
        match Self::plan_in(root)? {
            None => return Ok(0),
            // [`Self::grow`] begins again.
            Some(earlier) if has_data_set && earlier != *plan => return Ok(0),
            Some(earlier) => check_settings(root, plan, &earlier)?,
        }
        let (directory, mut done) = (root.join(JOURNAL_DIRECTORY), 0);
        for number in 0.. {
            let Some(entry) = read::<Entry>(&directory.join(entry_file(number)))? else {
                break;
            };
            done = entry.done;
        }
        Ok(done)
    }

    /// The plan of the interrupted build in `root`, if there is one.
    pub fn plan_in(root: &Path) -> anyhow::Result<Option<BuildPlan>> {
        read(&root.join(JOURNAL_DIRECTORY).join(PLAN_FILE))
    }

    /// Removes all entries, and all shards that are not of the finished data set, and restores its tables.
    fn forget(&self, index: &DatasetIndex) -> anyhow::Result<()> {
        for name in index.files.keys() {
            let (path, content) = (self.root.join(name), dataset::read_recorded(&self.root, index, name)?);
            if fs::read(&path).map_err(FileError::at(&path))? != content {
                atomic_file::write_bytes(&path, &content)?;
            }
        }
        let remove = |path: PathBuf| match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::at(path)(error)),
            _ => Ok(()),
        };
        // From the last to the first, and then the plan, so an interrupted removal is repeated.
        let shards = |number: usize| ShardKind::ALL.map(|kind| self.root.join(kind.path(number)));
        let made = index.shards.len();
        let end = (made..).find(|&number| shards(number).iter().all(|path| !path.exists()));
        for path in (made..end.unwrap_or(made)).rev().flat_map(shards) {
            remove(path)?;
        }
        let entries = (0..).take_while(|&number| self.paths(number).0.exists()).count();
        for number in (0..entries).rev() {
            let (entry, summary) = self.paths(number);
            remove(entry)?;
            remove(summary)?;
        }
        Ok(remove(self.directory.join(PLAN_FILE))?)
    }

    /// Entries so far, in order. `n_mels` is the plan's.
    pub fn entries(&self, n_mels: usize) -> anyhow::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        while let Some(entry) = read::<Entry>(&self.paths(entries.len()).0)? {
            self.summaries(entries.len(), &entry, n_mels)?;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The track summaries of entry `number`.
    pub fn summaries(&self, number: usize, entry: &Entry, n_mels: usize) -> anyhow::Result<Vec<TrackSummary>> {
        let (_, path) = self.paths(number);
        let sums = fs::read(&path).map_err(FileError::at(&path))?;
        let summaries = statistics::summary_from_bytes(&sums, n_mels).with_context(|| damaged(&path))?;
        let described = summaries.iter().map(|row| row.track_id);
        ensure!(
            described.eq(entry.tracks.iter().map(|row| row.track_id)),
            "{}: its tracks differ from those of its entry",
            damaged(&path)
        );
        Ok(summaries)
    }

    /// Adds an entry after `earlier` others. Its shards must have their final names already.
    pub fn append(
        &self,
        earlier: usize,
        entry: &Entry,
        summaries: &[TrackSummary],
        n_mels: usize,
    ) -> anyhow::Result<()> {
        let (path, summary_path) = self.paths(earlier);
        // Summaries first: the entry is valid as soon as its own file exists.
        atomic_file::write_bytes(&summary_path, &statistics::summary_to_bytes(summaries, n_mels))?;
        let json = serde_json::to_vec(entry).expect("plain data always serializes");
        Ok(atomic_file::write_bytes(&path, &json)?)
    }

    fn paths(&self, number: usize) -> (PathBuf, PathBuf) {
        let path = |name: &str| self.directory.join(name);
        (
            path(&entry_file(number)),
            path(&format!("summary-{number:05}.safetensors")),
        )
    }

    /// Removes the journal of a data set that is complete.
    pub fn remove(self) -> Result<(), FileError> {
        fs::remove_dir_all(&self.directory).map_err(FileError::at(&self.directory))
    }
}

fn entry_file(number: usize) -> String {
    format!("shard-{number:05}.json")
}

/// Refuses to build into a directory with other files.
fn check_place(root: &Path, has_data_set: bool) -> anyhow::Result<()> {
    let is_empty = || fs::read_dir(root).map(|mut entries| entries.next().is_none());
    ensure!(
        has_data_set || root.join(JOURNAL_DIRECTORY).is_dir() || is_empty().map_err(FileError::at(root))?,
        "{} is not empty and contains no data set; choose another --out, or empty it first",
        root.display()
    );
    Ok(())
}

/// Refuses to resume an interrupted build with other settings.
fn check_settings(root: &Path, plan: &BuildPlan, earlier: &BuildPlan) -> anyhow::Result<()> {
    let differences = plan.differences(earlier);
    ensure!(
        differences.is_empty(),
        "{} holds an interrupted build with other settings: {}; leave out the options that differ, or delete \
         the directory and start again",
        root.display(),
        differences.join("; ")
    );
    Ok(())
}

fn damaged(path: &Path) -> String {
    format!(
        "{} is damaged; delete the directory {JOURNAL_DIRECTORY} and build again",
        path.display()
    )
}

/// Reads the JSON file at `path`; `None` if it does not exist.
fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<Option<T>> {
    match fs::read(path) {
        Ok(json) => serde_json::from_slice(&json).with_context(|| damaged(path)).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::at(path)(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::dataset::ShardFileRecord;
    use shared::dsp::features::FeatureConfig;

    fn entry(done: usize) -> Entry {
        let file = ShardFileRecord {
            bytes: 5,
            header_blake3: "cd".into(),
        };
        Entry {
            shard: Some(ShardRecord {
                tracks: 1,
                waveform: file.clone(),
                mel: file,
            }),
            done,
            tracks: vec![TrackRow {
                track_id: 3,
                labels: vec!["Folk".into()],
                ..TrackRow::default()
            }],
            rejected: vec![RejectedRow {
                track_id: Some(1),
                path: "1.mp3".into(),
                reason: "silent".into(),
                detail: "it is silent".into(),
            }],
        }
    }

    /// Has values, such as 0.1, that are not exact in binary.
    fn summaries() -> Vec<TrackSummary> {
        let features = FeatureConfig {
            n_mels: 2,
            ..FeatureConfig::default()
        };
        let summary = TrackSummary::new(3, &[1, 2, 3], &[half::f16::from_f32(0.1); 4], &features);
        vec![TrackSummary {
            mfcc: vec![0.1; statistics::MFCC_STATISTICS],
            chroma: vec![0.3; statistics::CHROMA_STATISTICS],
            ..summary
        }]
    }

    #[test]
    fn entries_are_restored_after_a_restart() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(root.path(), &BuildPlan::example()).unwrap();
        assert_eq!(journal.entries(2).unwrap(), []);
        journal.append(0, &entry(1), &summaries(), 2).unwrap();
        journal.append(1, &entry(2), &summaries(), 2).unwrap();
        drop(journal);
        let litter = root.path().join("shards/waveform-00002.safetensors.tmp");
        fs::create_dir(root.path().join("shards")).unwrap();
        fs::write(&litter, b"half").unwrap();
        let journal = Journal::open(root.path(), &BuildPlan::example()).unwrap();
        assert_eq!(journal.entries(2).unwrap(), [entry(1), entry(2)]);
        assert_eq!(journal.summaries(1, &entry(2), 2).unwrap(), summaries());
        assert!(!litter.exists());
        journal.remove().unwrap();
        assert!(!root.path().join(JOURNAL_DIRECTORY).exists());
    }

    #[test]
    fn a_second_process_and_another_plan_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(root.path(), &BuildPlan::example()).unwrap();
        let error = Journal::open(root.path(), &BuildPlan::example())
            .unwrap_err()
            .to_string();
        assert!(error.contains("is being built by another process"), "{error}");
        drop(journal);
        let other = BuildPlan {
            subset: "large".into(),
            ..BuildPlan::example()
        };
        let error = Journal::open(root.path(), &other).unwrap_err().to_string();
        assert!(error.contains("subset was \"small\" and is now \"large\""), "{error}");
    }

    #[test]
    fn directory_with_other_files_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.tex"), b"x").unwrap();
        let error = Journal::open(root.path(), &BuildPlan::example())
            .unwrap_err()
            .to_string();
        assert!(error.contains("is not empty and contains no data set"), "{error}");
        assert!(!root.path().join(JOURNAL_DIRECTORY).exists());
    }

    #[test]
    fn damaged_entry_is_named_in_the_error() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(root.path(), &BuildPlan::example()).unwrap();
        journal.append(0, &entry(1), &summaries(), 2).unwrap();
        let path = root.path().join(".build/shard-00000.json");
        fs::write(&path, b"{").unwrap();
        let error = journal.entries(2).unwrap_err().to_string();
        assert!(error.contains("shard-00000.json"), "{error}");
    }
}
