//! What an interrupted build has done already. Rows of finished shards enter and are there again after a crash.
//!
//! Lies in `.build/` of the data set while it is being built: `lock`, which one process holds; `plan.json`; and for each
//! finished pair of shards its rows. What is in an entry is true of the shards on disk, because shards get their names
//! first. Of a data set that grows, the tables that are about to be replaced are kept there too.

use crate::build::plan::BuildPlan;
use serde::{Deserialize, Serialize};
use shared::dataset::manifest::{RejectedRow, TrackRow};
use shared::dataset::shard::ShardKind;
use shared::dataset::statistics::{self, TrackSummary};
use shared::dataset::{DatasetIndex, FileRecord, PREVIOUS_DIRECTORY, ShardRecord};
use shared::runtime::atomic_file::{self, WriteError};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Below the data set's directory.
pub const JOURNAL_DIRECTORY: &str = ".build";
const LOCK_FILE: &str = "lock";
const PLAN_FILE: &str = "plan.json";

/// A build that cannot begin or go on in this directory.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process builds here.
    #[error("{} is being built by another process; wait for it to end, or choose another --out", path.display())]
    Locked {
        /// The data set.
        path: PathBuf,
    },
    /// An interrupted build with other settings or sources lies here.
    #[error(
        "{} holds an interrupted build with other settings: {}; leave out the options that differ, or delete the \
         directory and start anew", path.display(), differences.join("; ")
    )]
    OtherPlan {
        /// The data set.
        path: PathBuf,
        /// What differs.
        differences: Vec<String>,
    },
    /// An interrupted build of a version that took fewer statistics of a track lies here.
    #[error(
        "{} holds an interrupted build of an earlier version of this program, which took no MFCC and chroma statistics; \
         delete the directory and start anew", path.display()
    )]
    Outdated {
        /// The data set.
        path: PathBuf,
    },
    /// The directory is in use for something else.
    #[error("{} is not empty and holds no data set; choose another --out, or empty it first", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// An entry that cannot be used.
    #[error("{} is damaged: {detail}; delete the directory {JOURNAL_DIRECTORY} and build again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The operating system refused.
    #[error("could not use {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system answered.
        r#source: io::Error,
    },
    /// An entry could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The journal of a build, locked for this process.
#[derive(Debug)]
pub struct Journal {
    root: PathBuf,
    directory: PathBuf,
    _lock: File,
}

/// One finished pair of shards, or the rejected tracks after the last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The pair; none where nothing was kept.
    pub shard: Option<ShardRecord>,
    /// Tracks that are dealt with once this entry is, counted in the order in which they are worked on.
    pub done: usize,
    /// Kept tracks, all in the pair. Their sums and statistics are ten times as large, and stay on disk.
    pub tracks: Vec<TrackRow>,
    /// Dropped tracks.
    pub rejected: Vec<RejectedRow>,
}

impl Journal {
    /// Takes the directory for this process and for `plan`, and clears away what a crash left half written.
    pub fn open(root: &Path, plan: &BuildPlan) -> Result<Self, JournalError> {
        Self::lock(root, false).and_then(|journal| journal.begin(plan))
    }

    /// The same for the data set that lies there, and that grows.
    pub fn grow(root: &Path, plan: &BuildPlan, index: &DatasetIndex) -> Result<Self, JournalError> {
        Self::lock(root, true).and_then(|journal| {
            // What was done towards another size is worth less than a refusal that nobody but the user could lift.
            if journal.begun_otherwise(plan)? {
                journal.forget(index)?;
            }
            journal.begin(plan)
        })
    }

    fn lock(root: &Path, holds_a_data_set: bool) -> Result<Self, JournalError> {
        let directory = root.join(JOURNAL_DIRECTORY);
        fs::create_dir_all(root).map_err(|source| io_error(root, source))?;
        if !holds_a_data_set && !directory.is_dir() && !is_empty(root).map_err(|source| io_error(root, source))? {
            return Err(JournalError::NotEmpty { path: root.to_owned() });
        }
        fs::create_dir_all(&directory).map_err(|source| io_error(&directory, source))?;
        let lock_path = directory.join(LOCK_FILE);
        let lock = File::create(&lock_path).map_err(|source| io_error(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked { path: root.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(io_error(&lock_path, source)),
        }
        Ok(Self {
            root: root.to_owned(),
            directory,
            _lock: lock,
        })
    }

    fn begin(self, plan: &BuildPlan) -> Result<Self, JournalError> {
        match self.plan()? {
            None => atomic_file::write_bytes(&self.directory.join(PLAN_FILE), &plan.to_json())?,
            Some(earlier) => {
                let differences = plan.differences(&earlier);
                if !differences.is_empty() {
                    return Err(JournalError::OtherPlan {
                        path: self.root,
                        differences,
                    });
                }
            }
        }
        for cleared in [&self.root, &self.root.join("shards"), &self.directory] {
            atomic_file::remove_temporaries(cleared).map_err(|source| io_error(cleared, source))?;
        }
        Ok(self)
    }

    /// The plan of the build that was begun here.
    fn plan(&self) -> Result<Option<BuildPlan>, JournalError> {
        Self::plan_in(&self.root)
    }

    /// The plan of the interrupted build in `root`, if there is one.
    pub fn plan_in(root: &Path) -> Result<Option<BuildPlan>, JournalError> {
        let path = root.join(JOURNAL_DIRECTORY).join(PLAN_FILE);
        match fs::read(&path) {
            Ok(json) => parse(&path, &json).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(JournalError::Io { path, source }),
        }
    }

    fn begun_otherwise(&self, plan: &BuildPlan) -> Result<bool, JournalError> {
        Ok(self.plan()?.is_some_and(|earlier| earlier != *plan))
    }

    /// Removes all entries, and the shards that the data set does not have.
    fn forget(&self, index: &DatasetIndex) -> Result<(), JournalError> {
        let remove = |path: PathBuf| match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(&path, error)),
            _ => Ok(()),
        };
        // The plan goes last: as long as it is there, this is done again.
        let mut number = 0;
        while self.paths(number).0.exists() {
            number += 1;
        }
        for number in (0..number).rev() {
            for kind in ShardKind::ALL {
                remove(self.root.join(kind.path(index.shards.len() + number)))?;
            }
            let (entry, summary) = self.paths(number);
            remove(entry)?;
            remove(summary)?;
        }
        remove(self.directory.join(PLAN_FILE))
    }

    /// Keeps the tables of the data set where its readers look for them while they are replaced.
    pub fn keep_tables(&self, index: &DatasetIndex) -> Result<(), JournalError> {
        let kept = self.root.join(PREVIOUS_DIRECTORY);
        fs::create_dir_all(&kept).map_err(|source| io_error(&kept, source))?;
        for (name, record) in &index.files {
            let copy = kept.join(name);
            let is_it = |content: &Vec<u8>| FileRecord::of(content) == *record;
            if fs::read(&copy).is_ok_and(|content| is_it(&content)) {
                continue;
            }
            let path = self.root.join(name);
            let content = fs::read(&path).map_err(|source| io_error(&path, source))?;
            if !is_it(&content) {
                return Err(JournalError::Damaged {
                    path,
                    detail: "its content does not fit the checksum in the index".into(),
                });
            }
            if let Some(parent) = copy.parent() {
                fs::create_dir_all(parent).map_err(|source| io_error(parent, source))?;
            }
            atomic_file::write_bytes(&copy, &content)?;
        }
        Ok(())
    }

    /// Entries so far, in order. `n_mels` is the plan's.
    pub fn entries(&self, n_mels: usize) -> Result<Vec<Entry>, JournalError> {
        let mut entries = Vec::new();
        loop {
            let (path, _) = self.paths(entries.len());
            let json = match fs::read(&path) {
                Ok(json) => json,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(entries),
                Err(source) => return Err(JournalError::Io { path, source }),
            };
            let entry: Entry = parse(&path, &json)?;
            self.summaries(entries.len(), &entry, n_mels)?;
            entries.push(entry);
        }
    }

    /// The sums and statistics of the tracks of entry `number`.
    pub fn summaries(&self, number: usize, entry: &Entry, n_mels: usize) -> Result<Vec<TrackSummary>, JournalError> {
        let (_, path) = self.paths(number);
        let sums = fs::read(&path).map_err(|source| io_error(&path, source))?;
        let damaged = |detail: String| JournalError::Damaged {
            path: path.clone(),
            detail,
        };
        let summaries = statistics::summary_from_bytes(&sums, n_mels).map_err(|error| damaged(error.to_string()))?;
        if summaries.iter().any(|row| row.mfcc.is_empty() || row.chroma.is_empty()) {
            return Err(JournalError::Outdated {
                path: self.root.clone(),
            });
        }
        let described = summaries.iter().map(|row| row.track_id);
        if !described.eq(entry.tracks.iter().map(|row| row.track_id)) {
            return Err(damaged("it does not describe the tracks of its entry".into()));
        }
        Ok(summaries)
    }

    /// Adds an entry after `earlier` others. Its shards must bear their final names already.
    pub fn append(
        &self,
        earlier: usize,
        entry: &Entry,
        summaries: &[TrackSummary],
        n_mels: usize,
    ) -> Result<(), JournalError> {
        let (path, summary_path) = self.paths(earlier);
        // The sums first: the entry counts as soon as its own file is there.
        atomic_file::write_bytes(&summary_path, &statistics::summary_to_bytes(summaries, n_mels))?;
        let json = serde_json::to_vec(entry).expect("plain data always serializes");
        Ok(atomic_file::write_bytes(&path, &json)?)
    }

    fn paths(&self, number: usize) -> (PathBuf, PathBuf) {
        let path = |name: &str| self.directory.join(name);
        (
            path(&format!("shard-{number:05}.json")),
            path(&format!("summary-{number:05}.safetensors")),
        )
    }

    /// Removes the journal of a data set that is complete.
    pub fn remove(self) -> Result<(), JournalError> {
        fs::remove_dir_all(&self.directory).map_err(|source| JournalError::Io {
            path: self.directory.clone(),
            source,
        })
    }
}

fn io_error(path: &Path, source: io::Error) -> JournalError {
    JournalError::Io {
        path: path.to_owned(),
        source,
    }
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path, json: &[u8]) -> Result<T, JournalError> {
    serde_json::from_slice(json).map_err(|error| JournalError::Damaged {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

fn is_empty(directory: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(directory)?.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::audio::validate::ValidateConfig;
    use shared::dataset::ShardFileRecord;
    use shared::dsp::features::FeatureConfig;

    fn plan() -> BuildPlan {
        BuildPlan {
            source: "fma".into(),
            subset: "small".into(),
            preset: None,
            features: FeatureConfig::default(),
            validate: ValidateConfig::default(),
            drop: Vec::new(),
            tracks: 2,
            sources_blake3: "ab".into(),
            part: None,
        }
    }

    fn sums() -> TrackSummary {
        let features = FeatureConfig {
            n_mels: 2,
            ..FeatureConfig::default()
        };
        TrackSummary::new(3, &[1, 2, 3], &[half::f16::from_f32(0.1); 4], &features)
    }

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
                artist: String::new(),
                album: String::new(),
                official_split: String::new(),
                path: "3.mp3".into(),
                samples: 3,
                source_rate: 44_100,
                source_channels: 1,
                bad_frames: 0,
                clipped_samples: 0,
                flags: Vec::new(),
                recording: 3,
                shard: 0,
                waveform_blake3: "01".into(),
                mel_blake3: "23".into(),
            }],
            rejected: vec![RejectedRow {
                track_id: Some(1),
                path: "1.mp3".into(),
                reason: "silent".into(),
                detail: "it is silent".into(),
            }],
        }
    }

    /// With values that decimal notation would not bring back bit by bit.
    fn summaries() -> Vec<TrackSummary> {
        vec![TrackSummary {
            mfcc: vec![0.1; statistics::MFCC_STATISTICS],
            chroma: vec![0.3; statistics::CHROMA_STATISTICS],
            ..sums()
        }]
    }

    #[test]
    fn entries_are_there_again() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(root.path(), &plan()).unwrap();
        assert_eq!(journal.entries(2).unwrap(), []);
        journal.append(0, &entry(1), &summaries(), 2).unwrap();
        journal.append(1, &entry(2), &summaries(), 2).unwrap();
        drop(journal);
        let litter = root.path().join("shards/waveform-00002.safetensors.tmp");
        fs::create_dir(root.path().join("shards")).unwrap();
        fs::write(&litter, b"half").unwrap();
        let journal = Journal::open(root.path(), &plan()).unwrap();
        assert_eq!(journal.entries(2).unwrap(), [entry(1), entry(2)]);
        assert_eq!(journal.summaries(1, &entry(2), 2).unwrap(), summaries());
        assert!(!litter.exists());
        journal.remove().unwrap();
        assert!(!root.path().join(JOURNAL_DIRECTORY).exists());
    }

    #[test]
    fn a_second_process_and_another_plan_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(root.path(), &plan()).unwrap();
        assert!(matches!(
            Journal::open(root.path(), &plan()),
            Err(JournalError::Locked { .. })
        ));
        drop(journal);
        let other = BuildPlan {
            subset: "large".into(),
            ..plan()
        };
        let error = Journal::open(root.path(), &other).unwrap_err().to_string();
        assert!(error.contains("subset was \"small\" and is now \"large\""), "{error}");
    }

    #[test]
    fn a_directory_of_something_else_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.tex"), b"x").unwrap();
        assert!(matches!(
            Journal::open(root.path(), &plan()),
            Err(JournalError::NotEmpty { .. })
        ));
        assert!(!root.path().join(JOURNAL_DIRECTORY).exists());
    }

    #[test]
    fn a_build_without_statistics_is_not_gone_on_with() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(root.path(), &plan()).unwrap();
        journal.append(0, &entry(1), &[sums()], 2).unwrap();
        match journal.entries(2) {
            Err(JournalError::Outdated { path }) => assert_eq!(path, root.path()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_damaged_entry_is_named() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(root.path(), &plan()).unwrap();
        journal.append(0, &entry(1), &summaries(), 2).unwrap();
        let path = root.path().join(".build/shard-00000.json");
        fs::write(&path, b"{").unwrap();
        let error = journal.entries(2).unwrap_err().to_string();
        assert!(error.contains("shard-00000.json"), "{error}");
    }
}
