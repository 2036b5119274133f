//! The directory of a run: its files and the lock that admits one writer.

use crate::settings::RunConfig;
use serde::Serialize;
use shared::runtime::atomic_file::{self, TEMPORARY_SUFFIX, WriteError};
use shared::runtime::file_error::FileError;
use shared::runtime::lock;
use shared::runtime::output_file::data_set_around;
use shared::runtime::text::last_part;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct RunDirectory {
    root: PathBuf,
    /// Locks the directory for one writer; the operating system releases the lock even if the process is killed.
    _lock: Option<File>,
}

/// A run that cannot be started, continued or read.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// `fit` without `--resume` on an existing run.
    #[error("{} already holds a run; continue its training with `train fit --resume`, or give another directory", path.display())]
    Begun { path: PathBuf },
    /// `--resume` or `eval` on a directory without a run.
    #[error("{} holds no run: it has no {CONFIG_FILE}; start one with `train fit --run {}`", path.display(),
            path.display())]
    NoRun { path: PathBuf },
    /// A set of runs instead of a single run.
    #[error("{} holds a set of runs, not a single run; give one of the directories in it", path.display())]
    SetOfRuns { path: PathBuf },
    /// A combined run instead of one with a network.
    #[error("{} combines other runs and has no network of its own; give one of the runs in {}", path.display(),
            path.join(MEMBERS_DIRECTORY).display())]
    Combined { path: PathBuf },
    /// A new directory inside a data set.
    #[error("{} is in the data set {}; give another directory", path.display(), dataset.display())]
    InDataSet { path: PathBuf, dataset: PathBuf },
    #[error("another `train` is working on {}; wait for it to end, or give another directory", path.display())]
    Busy { path: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
    /// A file has invalid content.
    #[error("{} cannot be read: {detail}", path.display())]
    Damaged { path: PathBuf, detail: String },
    /// A temperature was fitted to other weights than the run has.
    #[error("{} was fitted to other weights than those in {BEST_FILE}; remove it, and fit it again with `train eval --run {} \
             --calibrate`", path.display(), run.display())]
    OtherWeights { path: PathBuf, run: PathBuf },
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The resolved settings. A directory with this file is a run.
pub const CONFIG_FILE: &str = "config.toml";
/// Weights of the epoch with the best validation metric.
pub const BEST_FILE: &str = "best.safetensors";
/// The temperature of these weights, if one was fitted.
pub const CALIBRATION_FILE: &str = "calibration.json";
/// A directory with this file is a set of runs.
pub const RUN_SET_FILE: &str = "runs.toml";
/// The directory with the members of a combined run, named 0, 1, ….
pub const MEMBERS_DIRECTORY: &str = "members";
const LOCK_FILE: &str = ".lock";

impl RunDirectory {
    /// Creates the directory of a new run or a set of runs, or takes one without a run, and locks it for writing.
    pub fn begin(root: &Path) -> Result<Self, RunError> {
        refuse_data_set(root)?;
        let directory = Self::lock(root)?;
        if directory.path(CONFIG_FILE).exists() {
            return Err(RunError::Begun { path: root.to_owned() });
        }
        Ok(directory)
    }

    /// Opens and locks the directory of an existing run for writing.
    pub fn resume(root: &Path) -> Result<(Self, RunConfig), RunError> {
        let config = Self::open(root)?.1;
        Ok((Self::lock(root)?, config))
    }

    /// Opens the directory of an existing run for reading.
    pub fn open(root: &Path) -> Result<(Self, RunConfig), RunError> {
        let directory = Self {
            root: root.to_owned(),
            _lock: None,
        };
        let path = directory.path(CONFIG_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let path = root.to_owned();
                return Err(if root.join(RUN_SET_FILE).exists() {
                    RunError::SetOfRuns { path }
                } else {
                    RunError::NoRun { path }
                });
            }
            Err(source) => return Err(RunError::File(FileError { path, source })),
        };
        let damaged = |detail: String| RunError::Damaged {
            path: path.clone(),
            detail,
        };
        let config: RunConfig = toml::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        config.validate().map_err(|error| damaged(error.to_string()))?;
        Ok((directory, config))
    }

    /// Opens the directory of an existing run with a network of its own for reading.
    pub fn open_network(root: &Path) -> Result<(Self, RunConfig), RunError> {
        let (directory, config) = Self::open(root)?;
        match config.combination {
            Some(_) => Err(RunError::Combined { path: root.to_owned() }),
            None => Ok((directory, config)),
        }
    }

    /// Whether the directory holds a run.
    pub fn is_at(root: &Path) -> bool {
        root.join(CONFIG_FILE).exists()
    }

    fn lock(root: &Path) -> Result<Self, RunError> {
        Ok(Self {
            root: root.to_owned(),
            _lock: Some(lock_directory(root)?),
        })
    }

    /// Whether another process is writing to this directory.
    pub fn is_busy(root: &Path) -> bool {
        let lock = File::open(root.join(LOCK_FILE));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    pub fn save_config(&self, config: &RunConfig) -> Result<(), RunError> {
        let text = toml::to_string(config).expect("plain settings always serialize");
        self.write(CONFIG_FILE, text.as_bytes())
    }

    /// Writes a file of the run, atomically.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), RunError> {
        Ok(atomic_file::write_bytes(&self.path(name), content)?)
    }

    /// Writes a value as JSON with a line break at the end.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), RunError> {
        let mut json = serde_json::to_vec_pretty(value).expect("plain data always serializes");
        json.push(b'\n');
        self.write(name, &json)
    }

    /// Replaces the best weights. A temperature that was fitted to the old ones is removed first, so it never belongs to
    /// others.
    pub fn write_weights(&self, content: &[u8]) -> Result<(), RunError> {
        self.remove(CALIBRATION_FILE)?;
        self.write(BEST_FILE, content)
    }

    /// Removes a file of the run, if it exists.
    pub fn remove(&self, name: &str) -> Result<(), RunError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RunError::File(FileError { path, source })),
            _ => Ok(()),
        }
    }

    /// Reads a file of the run; `None` if it does not exist.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, RunError> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RunError::File(FileError { path, source })),
        }
    }

    /// The checksum of a file.
    pub fn blake3(&self, name: &str) -> Result<String, RunError> {
        let path = self.path(name);
        let mut hasher = blake3::Hasher::new();
        let hashed = File::open(&path).and_then(|file| hasher.update_reader(file).map(|hasher| hasher.finalize()));
        match hashed {
            Ok(hash) => Ok(hash.to_hex().to_string()),
            Err(source) => Err(RunError::File(FileError { path, source })),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// The name of a directory. The path is resolved first, because `.` and `..` do not contain the name.
pub fn directory_name(root: &Path) -> String {
    last_part(&root.canonicalize().unwrap_or_else(|_| root.to_owned()))
}

/// Refuses to begin a run or a sweep inside a data set.
pub fn refuse_data_set(root: &Path) -> Result<(), RunError> {
    match data_set_around(root) {
        Some(dataset) => Err(RunError::InDataSet {
            path: root.to_owned(),
            dataset,
        }),
        None => Ok(()),
    }
}

/// Creates a directory if it does not exist, and locks it for this process until the returned file is dropped.
fn lock_directory(root: &Path) -> Result<File, RunError> {
    let lock = lock::attempt(&lock_file(root)?)?.ok_or_else(|| RunError::Busy { path: root.to_owned() })?;
    remove_left_over(root);
    Ok(lock)
}

/// Like [`lock_directory`], but waits until no other process holds the lock.
pub fn wait_for_directory(root: &Path) -> Result<File, RunError> {
    let lock = lock::wait(&lock_file(root)?)?;
    remove_left_over(root);
    Ok(lock)
}

fn lock_file(root: &Path) -> Result<PathBuf, RunError> {
    fs::create_dir_all(root).map_err(FileError::at(root))?;
    Ok(root.join(LOCK_FILE))
}

/// Removes temporary files and directories of a process that was killed: hidden ones with the temporary suffix. Nobody
/// else is writing here, because the directory is locked. Errors are ignored, because leftovers only cost space.
fn remove_left_over(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(TEMPORARY_SUFFIX) {
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let _ = if is_directory {
                fs::remove_dir_all(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::settings::Settings;

    #[test]
    fn run_is_started_once_and_written_by_one_process_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("runs/first");
        assert!(matches!(RunDirectory::open(&root), Err(RunError::NoRun { .. })));
        let settings = Settings {
            data: Some("fma".into()),
            model: Some(ModelKind::Cnn2d),
            ..Settings::default()
        };
        let config = settings.resolve().unwrap();
        let run = RunDirectory::begin(&root).unwrap();
        run.save_config(&config).unwrap();
        assert!(matches!(RunDirectory::resume(&root), Err(RunError::Busy { .. })));
        assert_eq!(RunDirectory::open(&root).unwrap().1, config);
        assert!(RunDirectory::is_busy(&root));
        drop(run);
        assert!(!RunDirectory::is_busy(&root) && !RunDirectory::is_busy(&root.join("none")));
        assert!(matches!(RunDirectory::begin(&root), Err(RunError::Begun { .. })));
        assert_eq!(RunDirectory::resume(&root).unwrap().1, config);
        fs::write(root.join(CONFIG_FILE), "data = 3").unwrap();
        assert!(matches!(RunDirectory::open(&root), Err(RunError::Damaged { .. })));
    }

    #[test]
    fn edited_settings_with_invalid_values_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let settings = Settings {
            data: Some("fma".into()),
            model: Some(ModelKind::Crnn),
            ..Settings::default()
        };
        let config = settings.resolve().unwrap();
        let run = RunDirectory::begin(root.path()).unwrap();
        run.save_config(&config).unwrap();
        let text = fs::read_to_string(root.path().join(CONFIG_FILE)).unwrap();
        for (name, value) in [
            ("batch_size", "0"),
            ("prefetch", "4611686018427387904"),
            ("loader_threads", "1000000"),
            ("clip_frames", "4611686018427387904"),
            ("lr", "nan"),
            ("epochs", "-1"),
            ("freeze", "['(']"),
            ("l2", "['((((=1']"),
        ] {
            let changed = text.lines().filter(|line| !line.starts_with(&format!("{name} =")));
            // Inserted before the first table.
            let changed = format!("{name} = {value}\n{}\n", changed.collect::<Vec<_>>().join("\n"));
            fs::write(root.path().join(CONFIG_FILE), changed).unwrap();
            let error = RunDirectory::open(root.path()).unwrap_err();
            assert!(matches!(error, RunError::Damaged { .. }), "{name}: {error}");
        }
        // Deep nesting, which would overflow the stack of a recursive parser.
        fs::write(root.path().join(CONFIG_FILE), format!("data = {}", "[".repeat(1 << 20))).unwrap();
        assert!(matches!(RunDirectory::open(root.path()), Err(RunError::Damaged { .. })));
    }

    #[test]
    fn only_temporary_files_of_a_killed_process_are_removed() {
        let root = tempfile::tempdir().unwrap();
        for name in [".best.safetensors.Ab1.tmp", "notes.tmp", ".hidden"] {
            fs::write(root.path().join(name), "x").unwrap();
        }
        let split = root.path().join(".split.Ab1.tmp");
        fs::create_dir(&split).unwrap();
        fs::write(split.join("train.csv"), "x").unwrap();
        let _run = RunDirectory::begin(root.path()).unwrap();
        let mut names: Vec<_> = fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, [".hidden", ".lock", "notes.tmp"]);
    }
}
