//! The files of a sweep's directory, and its lock.

use super::record::TrialRecord;
use super::specification::Specification;
use crate::run::directory::{RunError, lock_directory};
use serde::de::DeserializeOwned;
use shared::runtime::atomic_file;
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

    /// Creates the directory if necessary and locks it for this process until the returned file is dropped.
    pub fn lock(&self) -> Result<File, RunError> {
        let lock = lock_directory(&self.root)?;
        let trials = self.trials();
        fs::create_dir_all(&trials).map_err(|source| RunError::Io {
            path: trials.clone(),
            source,
        })?;
        let removed = atomic_file::remove_temporaries(&trials);
        removed.map_err(|source| RunError::Io { path: trials, source })?;
        Ok(lock)
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
        (0..trials)
            .map(|trial| Ok(self.read(&self.record(trial), json)?.unwrap_or_default()))
            .collect()
    }

    pub fn save_record(&self, trial: usize, record: &TrialRecord) -> Result<(), RunError> {
        let mut json = serde_json::to_vec_pretty(record).expect("a record always serializes");
        json.push(b'\n');
        Ok(atomic_file::write_bytes(&self.record(trial), &json)?)
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

    fn record(&self, trial: usize) -> PathBuf {
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
            Err(source) => Err(RunError::Io {
                path: path.to_owned(),
                source,
            }),
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
        let lock = directory.lock().unwrap();
        assert!(matches!(directory.lock(), Err(RunError::Busy { .. })));
        drop(lock);
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
}
