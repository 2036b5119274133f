//! A set of seeds: runs that differ in nothing but their seed, in `RUN/seed-<seed>/`, and `RUN/seeds.toml`, which says
//! which there are to be.

use crate::config::RunConfig;
use crate::run_directory::{RunDirectory, RunError};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file that makes a directory a set of seeds.
pub const SEEDS_FILE: &str = "seeds.toml";

/// `seeds.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedSet {
    /// The runs' seeds, in the order in which they are trained.
    pub seeds: Vec<u64>,
    /// The settings of the first; the others' differ in the seed.
    pub settings: RunConfig,
}

impl SeedSet {
    /// Whether the directory holds one.
    pub fn is_at(root: &Path) -> bool {
        root.join(SEEDS_FILE).exists()
    }

    /// The set of a directory, if it holds one.
    ///
    /// # Errors
    /// When its file cannot be read, or is none.
    pub fn open(root: &Path) -> Result<Option<Self>, RunError> {
        let path = root.join(SEEDS_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(RunError::Io { path, source }),
        };
        let damaged = |detail: String| RunError::Damaged {
            path: path.clone(),
            detail,
        };
        let set: Self = toml::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        set.settings.validate().map_err(|error| damaged(error.to_string()))?;
        if set.seeds.is_empty() {
            return Err(damaged("it names no seed".into()));
        }
        Ok(Some(set))
    }

    /// Writes it into the directory that it is to be of.
    pub fn save(&self, directory: &RunDirectory) -> Result<(), RunError> {
        let text = toml::to_string(self).expect("plain settings always serialize");
        directory.write(SEEDS_FILE, text.as_bytes())
    }

    /// The settings of the run with this seed.
    pub fn config(&self, seed: u64) -> RunConfig {
        RunConfig {
            seed,
            ..self.settings.clone()
        }
    }

    /// The seeds in words: `0, 1, 2`.
    pub fn describe(&self) -> String {
        let seeds: Vec<_> = self.seeds.iter().map(u64::to_string).collect();
        seeds.join(", ")
    }
}

/// Where the run with this seed lies in a set of seeds.
pub fn seed_run(root: &Path, seed: u64) -> PathBuf {
    root.join(format!("seed-{seed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::testing;

    #[test]
    fn a_set_comes_back_and_a_broken_one_is_refused() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(SeedSet::open(root.path()).unwrap(), None);
        let set = SeedSet {
            seeds: vec![4, 5, 6],
            settings: RunConfig {
                classes: vec!["Folk".into(), "Rock".into()],
                split: "main".into(),
                seed: 4,
                ..testing::config(Path::new("fma"), ModelKind::Vgg16)
            },
        };
        let directory = RunDirectory::begin(root.path()).unwrap();
        set.save(&directory).unwrap();
        assert!(SeedSet::is_at(root.path()));
        assert_eq!(SeedSet::open(root.path()).unwrap(), Some(set.clone()));
        assert_eq!((set.config(6).seed, set.describe().as_str()), (6, "4, 5, 6"));
        assert_eq!(seed_run(Path::new("runs/a"), 6), Path::new("runs/a/seed-6"));
        let text = fs::read_to_string(root.path().join(SEEDS_FILE)).unwrap();
        for broken in [
            text.replace("[4, 5, 6]", "[]"),
            text.replace("[4, 5, 6]", "[-1]"),
            text.replace("batch_size", "size_of_batch"),
            text.replace("batch_size = ", "batch_size = 0 #"),
        ] {
            assert_ne!(broken, text);
            fs::write(root.path().join(SEEDS_FILE), broken).unwrap();
            assert!(matches!(SeedSet::open(root.path()), Err(RunError::Damaged { .. })));
        }
    }
}
