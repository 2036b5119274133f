//! What an interrupted build has done already. Rows of finished shards enter and are there again after a crash.
//!
//! Lies in `.build/` of the data set while it is being built: `lock`, which one process holds; `plan.json`; and for each
//! finished pair of shards its rows. What is in an entry is true of the shards on disk, because shards get their names
//! first.

use crate::plan::BuildPlan;
use serde::{Deserialize, Serialize};
use shared::atomic_file::{self, TEMPORARY_SUFFIX, WriteError};
use shared::dataset::ShardRecord;
use shared::manifest::{RejectedRow, TrackRow};
use shared::stats::{self, TrackSummary};
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
        "{} holds an interrupted build that was made otherwise: {}; run it as it was begun, or delete the directory and \
         start anew", path.display(), differences.join("; ")
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
        source: io::Error,
    },
    /// An entry could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The journal of a build, locked for this process.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    _lock: File,
}

/// One finished pair of shards, or the rejected tracks after the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The pair; none where nothing was kept.
    pub shard: Option<ShardRecord>,
    /// Tracks of the source that are dealt with once this entry is, counted from the first.
    pub done: usize,
    /// Kept tracks, all in the pair.
    pub tracks: Vec<TrackRow>,
    /// Their sums and statistics.
    pub summaries: Vec<TrackSummary>,
    /// Dropped tracks.
    pub rejected: Vec<RejectedRow>,
}

/// An [`Entry`] as JSON; sums lie beside it, where their bits are kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryFile {
    shard: Option<ShardRecord>,
    done: usize,
    tracks: Vec<TrackRow>,
    rejected: Vec<RejectedRow>,
}

impl Journal {
    /// Takes the directory for this process and for `plan`, and clears away what a crash left half written.
    pub fn open(root: &Path, plan: &BuildPlan) -> Result<Self, JournalError> {
        let directory = root.join(JOURNAL_DIRECTORY);
        let io_error = |path: &Path, source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(root).map_err(|source| io_error(root, source))?;
        if !directory.is_dir() && !is_empty(root).map_err(|source| io_error(root, source))? {
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
        let journal = Self { directory, _lock: lock };
        journal.check_plan(root, plan)?;
        for cleared in [root, &root.join("shards"), &journal.directory] {
            remove_temporaries(cleared).map_err(|source| io_error(cleared, source))?;
        }
        Ok(journal)
    }

    fn check_plan(&self, root: &Path, plan: &BuildPlan) -> Result<(), JournalError> {
        let path = self.directory.join(PLAN_FILE);
        match fs::read(&path) {
            Ok(json) => {
                let earlier: BuildPlan = parse(&path, &json)?;
                let differences = plan.differences(&earlier);
                if differences.is_empty() {
                    return Ok(());
                }
                Err(JournalError::OtherPlan {
                    path: root.to_owned(),
                    differences,
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(atomic_file::write_bytes(&path, &plan.to_json())?)
            }
            Err(source) => Err(JournalError::Io { path, source }),
        }
    }

    /// Entries so far, in order. `n_mels` is the plan's.
    pub fn entries(&self, n_mels: usize) -> Result<Vec<Entry>, JournalError> {
        let mut entries = Vec::new();
        loop {
            let (path, summary_path) = self.paths(entries.len());
            let json = match fs::read(&path) {
                Ok(json) => json,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(entries),
                Err(source) => return Err(JournalError::Io { path, source }),
            };
            let file: EntryFile = parse(&path, &json)?;
            let sums = fs::read(&summary_path).map_err(|source| JournalError::Io {
                path: summary_path.clone(),
                source,
            })?;
            let summaries = stats::summary_from_bytes(&sums, n_mels).map_err(|error| JournalError::Damaged {
                path: summary_path,
                detail: error.to_string(),
            })?;
            if summaries.iter().any(|row| row.mfcc.is_empty() || row.chroma.is_empty()) {
                let root = self.directory.parent().unwrap_or(&self.directory);
                return Err(JournalError::Outdated { path: root.to_owned() });
            }
            entries.push(Entry {
                shard: file.shard,
                done: file.done,
                tracks: file.tracks,
                summaries,
                rejected: file.rejected,
            });
        }
    }

    /// Adds an entry after `earlier` others. Its shards must bear their final names already.
    pub fn append(&self, earlier: usize, entry: &Entry, n_mels: usize) -> Result<(), JournalError> {
        let (path, summary_path) = self.paths(earlier);
        // The sums first: the entry counts as soon as its own file is there.
        atomic_file::write_bytes(&summary_path, &stats::summary_to_bytes(&entry.summaries, n_mels))?;
        let file = EntryFile {
            shard: entry.shard.clone(),
            done: entry.done,
            tracks: entry.tracks.clone(),
            rejected: entry.rejected.clone(),
        };
        let json = serde_json::to_vec(&file).expect("plain data always serializes");
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

fn parse<T: for<'de> Deserialize<'de>>(path: &Path, json: &[u8]) -> Result<T, JournalError> {
    serde_json::from_slice(json).map_err(|error| JournalError::Damaged {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

fn is_empty(directory: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(directory)?.next().is_none())
}

fn remove_temporaries(directory: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() && entry.file_name().to_string_lossy().ends_with(TEMPORARY_SUFFIX) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::ValidateConfig;
    use shared::dataset::ShardFileRecord;
    use shared::features::FeatureConfig;

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
                tracks: 0,
                waveform: file.clone(),
                mel: file,
            }),
            done,
            tracks: Vec::new(),
            // A value that decimal notation would not bring back bit by bit.
            summaries: vec![TrackSummary {
                mfcc: vec![0.1; stats::MFCC_STATISTICS],
                chroma: vec![0.3; stats::CHROMA_STATISTICS],
                ..sums()
            }],
            rejected: vec![RejectedRow {
                track_id: Some(1),
                path: "1.mp3".into(),
                reason: "silent".into(),
                detail: "it is silent".into(),
            }],
        }
    }

    #[test]
    fn entries_are_there_again() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(root.path(), &plan()).unwrap();
        assert_eq!(journal.entries(2).unwrap(), []);
        journal.append(0, &entry(1), 2).unwrap();
        journal.append(1, &entry(2), 2).unwrap();
        drop(journal);
        let litter = root.path().join("shards/waveform-00002.safetensors.tmp");
        fs::create_dir(root.path().join("shards")).unwrap();
        fs::write(&litter, b"half").unwrap();
        let journal = Journal::open(root.path(), &plan()).unwrap();
        assert_eq!(journal.entries(2).unwrap(), [entry(1), entry(2)]);
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
        let outdated = Entry {
            summaries: vec![sums()],
            ..entry(1)
        };
        journal.append(0, &outdated, 2).unwrap();
        match journal.entries(2) {
            Err(JournalError::Outdated { path }) => assert_eq!(path, root.path()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_damaged_entry_is_named() {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(root.path(), &plan()).unwrap();
        journal.append(0, &entry(1), 2).unwrap();
        let path = root.path().join(".build/shard-00000.json");
        fs::write(&path, b"{").unwrap();
        let error = journal.entries(2).unwrap_err().to_string();
        assert!(error.contains("shard-00000.json"), "{error}");
    }
}
