//! A set of runs that differ only in their seed and in their fold of one cross-validation. The runs are in
//! `RUN/seed-<seed>/` or `RUN/seed-<seed>-fold-<number>/`, and `RUN/runs.toml` lists them.

use crate::run::directory::{RUN_SET_FILE, RunDirectory, RunError};
use crate::settings::RunConfig;
use serde::{Deserialize, Serialize};
use shared::runtime::file_error::FileError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// `runs.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSet {
    /// In the order of training.
    pub seeds: Vec<u64>,
    /// The folds that are trained with each seed. Without folds all runs have the split of `settings`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<FoldSplit>,
    /// The settings of the first run.
    pub settings: RunConfig,
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
    /// `seed 4`, `fold 2`, or `seed 4, fold 2`.
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
            Err(source) => return Err(RunError::File(FileError { path, source })),
        };
        let damaged = |detail: String| RunError::Damaged {
            path: path.clone(),
            detail,
        };
        let set: Self = toml::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        set.settings.validate().map_err(|error| damaged(error.to_string()))?;
        if set.seeds.is_empty() {
            return Err(damaged("it lists no runs".into()));
        }
        Ok(Some(set))
    }

    /// Writes `runs.toml`.
    pub fn save(&self, directory: &RunDirectory) -> Result<(), RunError> {
        let text = toml::to_string(self).expect("plain settings always serialize");
        directory.write(RUN_SET_FILE, text.as_bytes())
    }

    /// Whether the runs are the folds of a cross-validation.
    pub fn is_folds(&self) -> bool {
        !self.folds.is_empty()
    }

    /// Whether its runs are described by their seed. The folds of a single seed are not.
    pub fn has_seeds(&self) -> bool {
        self.seeds.len() > 1 || !self.is_folds()
    }

    /// The runs of the set in `root`: all folds of the first seed, then those of the next.
    pub fn members(&self, root: &Path) -> Vec<Member> {
        let folds: Vec<_> = match &self.folds[..] {
            [] => vec![None],
            folds => (1..).zip(folds).map(Some).collect(),
        };
        let mut members = Vec::new();
        for &seed in &self.seeds {
            for fold in &folds {
                let mut config = self.settings.clone();
                let (mut labels, mut name) = (Vec::new(), format!("seed-{seed}"));
                config.seed = seed;
                if self.has_seeds() {
                    labels.push(format!("seed {seed}"));
                }
                if let Some((number, fold)) = fold {
                    config.split.clone_from(&fold.split);
                    config.split_checksum.clone_from(&fold.checksum);
                    labels.push(format!("fold {number}"));
                    name += &format!("-fold-{number}");
                }
                members.push(Member {
                    label: labels.join(", "),
                    path: root.join(name),
                    config,
                });
            }
        }
        members
    }

    /// The file with the results: for each evaluated set, the metrics of each run, and their mean with intervals.
    pub fn metrics_file(&self) -> &'static str {
        if self.is_folds() { "folds.json" } else { "seeds.json" }
    }

    /// Describes the set: `seeds 0, 1, 2`, `5 folds`, or `seeds 0, 1, 2 of 5 folds`.
    pub fn describe(&self) -> String {
        let seeds: Vec<_> = self.seeds.iter().map(u64::to_string).collect();
        let seeds = format!("seeds {}", seeds.join(", "));
        match self.folds.len() {
            0 => seeds,
            folds if self.has_seeds() => format!("{seeds} of {folds} folds"),
            folds => format!("{folds} folds"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::testing;

    fn set(seeds: &[u64], folds: usize) -> RunSet {
        let fold = |number: usize| FoldSplit {
            split: format!("five-{number}"),
            checksum: format!("{number}"),
        };
        RunSet {
            seeds: seeds.to_vec(),
            folds: (1..=folds).map(fold).collect(),
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
        let set = set(&[4, 5, 6], 0);
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
        let set = set(&[4], 5);
        set.save(&RunDirectory::begin(root.path()).unwrap()).unwrap();
        assert_eq!(RunSet::open(root.path()).unwrap(), Some(set.clone()));
        let second = &set.members(Path::new("runs/a"))[1];
        assert_eq!(
            (second.label.as_str(), second.config.split.as_str()),
            ("fold 2", "five-2")
        );
        assert_eq!((second.config.split_checksum.as_str(), second.config.seed), ("2", 4));
        assert_eq!(second.path, Path::new("runs/a/seed-4-fold-2"));
        assert_eq!(set.describe(), "5 folds");
    }

    #[test]
    fn all_folds_are_trained_with_each_seed() {
        let set = set(&[4, 5], 3);
        let members = set.members(Path::new("runs/a"));
        let labels: Vec<_> = members.iter().map(|member| member.label.as_str()).collect();
        let first = ["seed 4, fold 1", "seed 4, fold 2", "seed 4, fold 3"];
        assert_eq!(labels[..3], first);
        let last = &members[5];
        assert_eq!(last.path, Path::new("runs/a/seed-5-fold-3"));
        assert_eq!((last.config.seed, last.config.split.as_str()), (5, "five-3"));
        assert_eq!(set.describe(), "seeds 4, 5 of 3 folds");
    }
}
