//! A set of runs that differ only in their seed or in their fold of one cross-validation. The runs are in
//! `RUN/seed-<seed>/` or `RUN/fold-<number>/`, and `RUN/runs.toml` lists them.

use crate::run::directory::{RUN_SET_FILE, RunDirectory, RunError};
use crate::settings::RunConfig;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// `runs.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSet {
    /// The seeds or the folds.
    pub members: Members,
    /// The settings of the first run.
    pub settings: RunConfig,
}

/// The seeds or folds of a set of runs, in the order of training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Members {
    /// One split, and one seed per run.
    Seeds(Vec<u64>),
    /// One seed, and one fold per run.
    Folds(Vec<FoldSplit>),
}

/// The split of a fold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoldSplit {
    pub split: String,
    /// The checksum of its `split.json`.
    pub checksum: String,
}

/// A run of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// `seed 4`, `fold 2`.
    pub label: String,
    pub path: PathBuf,
    pub config: RunConfig,
}

impl RunSet {
    /// Whether the directory holds a set of runs.
    pub fn is_at(root: &Path) -> bool {
        root.join(RUN_SET_FILE).exists()
    }

    /// Reads the set of runs in a directory; `None` if there is none.
    ///
    /// # Errors
    /// If `runs.toml` cannot be read or is invalid.
    pub fn open(root: &Path) -> Result<Option<Self>, RunError> {
        let path = root.join(RUN_SET_FILE);
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
        if set.len() == 0 {
            return Err(damaged("it lists no runs".into()));
        }
        Ok(Some(set))
    }

    /// Writes `runs.toml`.
    pub fn save(&self, directory: &RunDirectory) -> Result<(), RunError> {
        let text = toml::to_string(self).expect("plain settings always serialize");
        directory.write(RUN_SET_FILE, text.as_bytes())
    }

    fn len(&self) -> usize {
        match &self.members {
            Members::Seeds(seeds) => seeds.len(),
            Members::Folds(folds) => folds.len(),
        }
    }

    /// Whether the runs are the folds of a cross-validation.
    pub fn is_folds(&self) -> bool {
        self.folds().is_some()
    }

    /// The seeds; `None` if the runs are folds.
    pub fn seeds(&self) -> Option<&[u64]> {
        match &self.members {
            Members::Seeds(seeds) => Some(seeds),
            Members::Folds(_) => None,
        }
    }

    /// The number of folds; `None` if the runs differ in their seed.
    pub fn folds(&self) -> Option<usize> {
        match &self.members {
            Members::Seeds(_) => None,
            Members::Folds(folds) => Some(folds.len()),
        }
    }

    /// The runs of the set in `root`.
    pub fn members(&self, root: &Path) -> Vec<Member> {
        let member = |kind: &str, number: u64, config: RunConfig| Member {
            label: format!("{kind} {number}"),
            path: root.join(format!("{kind}-{number}")),
            config,
        };
        let settings = || self.settings.clone();
        match &self.members {
            Members::Seeds(seeds) => seeds
                .iter()
                .map(|&seed| member("seed", seed, RunConfig { seed, ..settings() }))
                .collect(),
            Members::Folds(folds) => (1..)
                .zip(folds)
                .map(|(number, fold)| {
                    let config = RunConfig {
                        split: fold.split.clone(),
                        split_checksum: fold.checksum.clone(),
                        ..settings()
                    };
                    member("fold", number, config)
                })
                .collect(),
        }
    }

    /// Describes the set: `seeds 0, 1, 2` or `5 folds`.
    pub fn describe(&self) -> String {
        match &self.members {
            Members::Seeds(seeds) => {
                let seeds: Vec<_> = seeds.iter().map(u64::to_string).collect();
                format!("seeds {}", seeds.join(", "))
            }
            Members::Folds(folds) => format!("{} folds", folds.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::testing;

    fn set(members: Members) -> RunSet {
        RunSet {
            members,
            settings: RunConfig {
                classes: vec!["Folk".into(), "Rock".into()],
                split: "main".into(),
                seed: 4,
                ..testing::config(Path::new("fma"), ModelKind::Vgg16)
            },
        }
    }

    #[test]
    fn set_is_read_back_and_an_invalid_one_is_refused() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(RunSet::open(root.path()).unwrap(), None);
        let set = set(Members::Seeds(vec![4, 5, 6]));
        let directory = RunDirectory::begin(root.path()).unwrap();
        set.save(&directory).unwrap();
        assert!(RunSet::is_at(root.path()));
        assert_eq!(RunSet::open(root.path()).unwrap(), Some(set.clone()));
        let last = set.members(Path::new("runs/a")).pop().unwrap();
        assert_eq!((last.config.seed, last.label.as_str()), (6, "seed 6"));
        assert_eq!(last.path, Path::new("runs/a/seed-6"));
        assert_eq!(set.describe(), "seeds 4, 5, 6");
        let text = fs::read_to_string(root.path().join(RUN_SET_FILE)).unwrap();
        for broken in [
            text.replace("[4, 5, 6]", "[]"),
            text.replace("[4, 5, 6]", "[-1]"),
            text.replace("batch_size", "size_of_batch"),
            text.replace("batch_size = ", "batch_size = 0 #"),
        ] {
            assert_ne!(broken, text);
            fs::write(root.path().join(RUN_SET_FILE), broken).unwrap();
            assert!(matches!(RunSet::open(root.path()), Err(RunError::Damaged { .. })));
        }
    }

    #[test]
    fn each_fold_has_the_sets_settings_and_its_own_split() {
        let root = tempfile::tempdir().unwrap();
        let fold = |number: usize| FoldSplit {
            split: format!("five-{number}"),
            checksum: format!("{number}"),
        };
        let set = set(Members::Folds((1..=5).map(fold).collect()));
        set.save(&RunDirectory::begin(root.path()).unwrap()).unwrap();
        assert_eq!(RunSet::open(root.path()).unwrap(), Some(set.clone()));
        let second = &set.members(Path::new("runs/a"))[1];
        assert_eq!(
            (second.label.as_str(), second.config.split.as_str()),
            ("fold 2", "five-2")
        );
        assert_eq!((second.config.split_checksum.as_str(), second.config.seed), ("2", 4));
        assert_eq!(second.path, Path::new("runs/a/fold-2"));
        assert_eq!(set.describe(), "5 folds");
    }
}
