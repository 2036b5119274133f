//! The files of a sweep's directory, and its locks.
//!
//! Several processes may work on one sweep. Each holds three kinds of locks, which the operating system releases when it
//! ends, even after a crash: [`SweepDirectory::lock`] while it writes files of the sweep, [`SweepDirectory::claim`] while
//! it trains a trial, and [`SweepDirectory::join`] as long as it works on the sweep.

use super::record::TrialRecord;
use super::specification::Specification;
use crate::run::directory::{RunError, wait_for_directory};
use serde::de::DeserializeOwned;
use shared::runtime::file_error::FileError;
use shared::runtime::{atomic_file, lock};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The specification. A directory with this file holds a sweep.
pub const SPECIFICATION_FILE: &str = "sweep.toml";
/// A row per trial.
pub const TABLE_FILE: &str = "sweep.csv";
/// The heat map of the table.
pub const PICTURE_FILE: &str = "heat_map.svg";
const TRIALS_DIRECTORY: &str = "trials";
/// Every process that works on the sweep holds a shared lock on it.
const WORKERS_FILE: &str = ".workers";

/// The directory of a sweep.
#[derive(Clone, Debug)]
pub struct SweepDirectory {
    root: PathBuf,
}

impl SweepDirectory {
    /// `root` need not exist.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Creates the directory if necessary and waits until no other process holds its lock. It is held until the
    /// returned file is dropped, and needed to write any file of the sweep except those of a trial's run.
    pub fn lock(&self) -> Result<File, RunError> {
        let lock = wait_for_directory(&self.root)?;
        let trials = self.trials();
        fs::create_dir_all(&trials).map_err(FileError::at(&trials))?;
        atomic_file::remove_temporaries(&trials).map_err(FileError::at(&trials))?;
        Ok(lock)
    }

    /// Makes this process one of those that work on the sweep, until the returned file is dropped. Call it while the
    /// directory is locked. With `alone`, because the number of trials changes, other processes are an error: they would
    /// write tables of the old trials.
    pub fn join(&self, alone: bool) -> Result<File, RunError> {
        let path = self.root.join(WORKERS_FILE);
        if alone && lock::attempt(&path)?.is_none() {
            let path = self.root.clone();
            return Err(RunError::Busy { path });
        }
        // On a network file system a shared lock needs a file that is open for reading.
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(FileError::at(&path))?;
        file.lock_shared().map_err(FileError::at(&path))?;
        Ok(file)
    }

    /// Claims a trial for this process until the returned file is dropped. `None` if another process trains it.
    pub fn claim(&self, trial: usize) -> Result<Option<File>, RunError> {
        Ok(lock::attempt(&self.trials().join(format!(".{trial:04}.lock")))?)
    }

    /// The saved specification; `None` for a new sweep.
    pub fn specification(&self) -> Result<Option<Specification>, RunError> {
        self.read(&self.root.join(SPECIFICATION_FILE), |bytes| {
            toml::from_slice(bytes).map_err(|error| error.to_string())
        })
    }

    pub fn save_specification(&self, specification: &Specification) -> Result<(), RunError> {
        let text = toml::to_string(specification).expect("a specification always serializes");
        self.write(SPECIFICATION_FILE, text.as_bytes())
    }

    /// The records of trials 0 to `trials`, exclusive; empty for trials without results.
    pub fn records(&self, trials: usize) -> Result<Vec<TrialRecord>, RunError> {
        (0..trials).map(|trial| self.record(trial)).collect()
    }

    /// The record of a trial; empty without results.
    pub fn record(&self, trial: usize) -> Result<TrialRecord, RunError> {
        Ok(self.read(&self.record_file(trial), json)?.unwrap_or_default())
    }

    pub fn save_record(&self, trial: usize, record: &TrialRecord) -> Result<(), RunError> {
        let mut json = serde_json::to_vec_pretty(record).expect("a record always serializes");
        json.push(b'\n');
        Ok(atomic_file::write_bytes(&self.record_file(trial), &json)?)
    }

    /// Saves a trial's settings for `fit --config`.
    pub fn save_settings(&self, trial: usize, settings: &toml::Table) -> Result<(), RunError> {
        Ok(atomic_file::write_bytes(
            &self.settings(trial),
            settings.to_string().as_bytes(),
        )?)
    }

    /// Writes a file of the sweep, atomically.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), RunError> {
        Ok(atomic_file::write_bytes(&self.root.join(name), content)?)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn run(&self, trial: usize) -> PathBuf {
        self.trials().join(format!("{trial:04}"))
    }

    pub fn log(&self, trial: usize) -> PathBuf {
        self.trials().join(format!("{trial:04}.log"))
    }

    pub fn settings(&self, trial: usize) -> PathBuf {
        self.trials().join(format!("{trial:04}.toml"))
    }

    fn record_file(&self, trial: usize) -> PathBuf {
        self.trials().join(format!("{trial:04}.json"))
    }

    fn trials(&self) -> PathBuf {
        self.root.join(TRIALS_DIRECTORY)
    }

    fn read<T>(&self, path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, String>) -> Result<Option<T>, RunError> {
        let damaged = |detail| RunError::Damaged {
            path: path.to_owned(),
            detail,
        };
        match fs::read(path) {
            Ok(bytes) => parse(&bytes).map(Some).map_err(damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RunError::File(FileError {
                path: path.to_owned(),
                source,
            })),
        }
    }
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_files_are_read_back_and_damaged_ones_refused() {
        let root = tempfile::tempdir().unwrap();
        let directory = SweepDirectory::new(&root.path().join("sweep"));
        assert!(directory.specification().unwrap().is_none());
        let _lock = directory.lock().unwrap();
        let specification = Specification {
            halving: Some(3),
            ..Specification::default()
        };
        directory.save_specification(&specification).unwrap();
        assert_eq!(directory.specification().unwrap(), Some(specification));
        let record = TrialRecord {
            rungs: Vec::new(),
            failure: Some("out of memory".into()),
        };
        directory.save_record(1, &record).unwrap();
        assert_eq!(directory.records(2).unwrap(), [TrialRecord::default(), record]);
        fs::write(root.path().join("sweep/trials/0001.json"), "{").unwrap();
        let error = directory.records(2).unwrap_err().to_string();
        assert!(error.contains("0001.json"), "{error}");
        fs::write(root.path().join("sweep/sweep.toml"), "grid = 3").unwrap();
        assert!(matches!(directory.specification(), Err(RunError::Damaged { .. })));
    }

    #[test]
    fn several_processes_share_a_sweep_and_claim_different_trials() {
        let root = tempfile::tempdir().unwrap();
        let directory = SweepDirectory::new(root.path());
        drop(directory.lock().unwrap());
        let alone = directory.join(true).unwrap();
        let other = directory.join(false).unwrap();
        assert!(matches!(directory.join(true), Err(RunError::Busy { .. })));
        drop((alone, other));
        directory.join(true).unwrap();

        let claim = directory.claim(3).unwrap().unwrap();
        assert!(directory.claim(3).unwrap().is_none());
        assert!(directory.claim(4).unwrap().is_some());
        drop(claim);
        assert!(directory.claim(3).unwrap().is_some());
    }
}
