//! Creates the folds of k-fold cross-validation.

use super::divided::{Description, Published, divide};
use super::gained::GainedTracks;
use super::strategy::Method;
use super::warnings;
use shared::dataset::split::{Fold, Set, Split, check_name};
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq)]
pub struct FoldsConfig {
    pub dataset: PathBuf,
    /// The name of the set of folds; by default `<method>-<seed>-<folds>folds`.
    pub name: Option<String>,
    /// How tracks are divided into parts of equal size.
    pub method: Method,
    /// The number of folds, at least 3.
    pub folds: usize,
    pub seed: u64,
}

#[derive(Clone, Debug)]
pub struct FoldsReport {
    /// The name of the set of folds.
    pub name: String,
    /// The folds, in the order of their numbers.
    pub splits: Vec<Split>,
    /// Whether all folds existed before.
    pub existed: bool,
    /// Tracks that the previous current split lacks.
    pub gained: Option<GainedTracks>,
    pub warnings: Vec<String>,
}

/// Creates the folds of k-fold cross-validation and makes the first one the current split. In fold i, part i is the
/// test set, the next part is the validation set, and all others are the training set.
pub fn make_folds(config: &FoldsConfig) -> anyhow::Result<FoldsReport> {
    divide(&config.dataset, |dataset| {
        let FoldsConfig {
            method, folds, seed, ..
        } = *config;
        let shares = vec![1.0 / folds as f64; folds];
        let parts = method
            .divide(&dataset.tracks, &shares, seed)
            .map_err(|reason| dataset.division_error(&reason))?;
        let default_name = format!("{}-{seed}-{folds}folds", method.name());
        let first = Fold {
            name: dataset.name(config.name.as_ref(), default_name),
            number: 1,
            of: folds,
        };
        check_name(&first.name)?;
        let splits: anyhow::Result<Vec<Split>> = first
            .all()
            .map(|fold| {
                let test = fold.number - 1;
                let sets: Vec<Set> = parts
                    .iter()
                    .map(|&part| match part {
                        part if part == test => Set::Test,
                        part if part == (test + 1) % folds => Set::Val,
                        _ => Set::Train,
                    })
                    .collect();
                let description = Description {
                    name: fold.split_name(),
                    strategy: method.name().into(),
                    group_by: method.group_by().map(|by| by.name().into()),
                    ratios: None,
                    seed: Some(seed),
                    fold: Some(fold),
                };
                dataset.split(description, &sets)
            })
            .collect();
        let splits = splits?;
        let Published { existed, gained } = dataset.publish(&splits)?;
        Ok(FoldsReport {
            warnings: warnings::for_folds(dataset, method, folds, seed, &splits),
            name: first.name,
            splits,
            existed,
            gained,
        })
    })
}
