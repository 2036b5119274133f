//! A run, or a set of runs, with its metrics on one set, their intervals, and the warnings about them.

use super::estimate::{MetricEstimate, estimates};
use super::groups::Groups;
use super::known_results::from_scratch;
use super::predicted_set::PredictedSet;
use super::run_results::RunResults;
use super::split_facts::{self, SplitFacts};
use super::warnings::{Facts, Warning, warnings};
use crate::report::reported_metric::ReportedMetric;
use crate::run::predictions::Predictions;
use crate::run::set::RunSet;
use crate::settings::RunConfig;
use anyhow::{Context, ensure};
use shared::dataset::split::Set;
use std::path::{Path, PathBuf};

/// A run, or a set of runs, evaluated on one set.
#[derive(Debug)]
pub struct Entry {
    pub path: PathBuf,
    /// `None` for a single run.
    pub run_set: Option<RunSet>,
    /// The settings of the first run.
    pub config: RunConfig,
    pub set: Set,
    pub(super) predicted: PredictedSet,
    /// The groups that the bootstrap draws.
    pub(super) groups: Groups,
    /// `None` if the split cannot be read; then there is a warning with the reason.
    pub(super) split: Option<SplitFacts>,
    /// The two metrics of the task, the main one first.
    pub metrics: [MetricEstimate; 2],
    pub warnings: Vec<Warning>,
}

impl Entry {
    /// Reads the run, or set of runs, in `path`; `None` if it was not evaluated on `set`. `moved` is the new path of
    /// its data set, if the data set was moved.
    ///
    /// # Errors
    /// If files are missing, unreadable or contradictory.
    pub fn read(path: &Path, set: Set, moved: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let run_set = RunSet::open(path)?;
        let folds = run_set.as_ref().filter(|runs| runs.is_folds());
        if folds.is_some() && set == Set::Train {
            // Every track is in the training sets of several folds.
            return Ok(None);
        }
        let directories = directories(path, run_set.as_ref());
        let runs = directories.iter().map(|run| RunResults::read(run, set));
        let Some(runs) = runs.collect::<anyhow::Result<Option<Vec<_>>>>()? else {
            return Ok(None);
        };
        let mut config = runs[0].config.clone();
        if let Some(folds) = folds {
            config.split.clone_from(&folds.settings.split);
        }
        if let Some(moved) = moved {
            config.data = moved.to_owned();
        }
        // All seeds evaluate the same tracks; each fold evaluates its own.
        let of_a_seed = folds.map_or(1, |set| set.folds.len());
        let tables = runs
            .chunks(of_a_seed)
            .map(out_of_fold)
            .collect::<anyhow::Result<Vec<_>>>();
        let split_runs = &runs[..of_a_seed];
        let predicted = tables.and_then(|tables| Ok(PredictedSet::new(runs[0].task, &tables)?));
        let predicted = predicted.with_context(|| format!("the runs of {} cannot be combined", path.display()))?;
        let (groups, split) = match split_facts::read(&config, split_runs, set) {
            Ok((groups, facts)) => (groups, Ok(facts)),
            Err(reason) => (Groups::each(predicted.tracks()), Err(reason)),
        };
        let metrics = estimates(&predicted, &groups);
        let facts = Facts {
            set,
            tracks: predicted.tracks(),
            split: split.as_ref().map_err(String::as_str),
            networks: predicted.networks(),
            artists: Some(groups.artists()).filter(|_| !groups.are_single()),
            drawn: groups.len(),
            metric: &metrics[0],
            guessing: predicted.guessing(),
            from_scratch: split_facts::index(&config)
                .ok()
                .and_then(|index| from_scratch(&index.source)),
            init_from: config.init_from.as_deref(),
            imported_from: config.imported_from.as_deref(),
            tested_epochs: runs.iter().map(|run| run.tested_epochs).max().unwrap_or(0),
            unfinished: runs.iter().filter(|run| run.unfinished).count(),
        };
        Ok(Some(Self {
            path: path.to_owned(),
            warnings: warnings(&facts),
            run_set,
            config,
            set,
            predicted,
            groups,
            split: split.ok(),
            metrics,
        }))
    }

    /// The directories of its runs: `path` itself for a single run, or those of the set.
    pub fn directories(&self) -> Vec<PathBuf> {
        directories(&self.path, self.run_set.as_ref())
    }

    /// How many tracks were evaluated.
    pub fn tracks(&self) -> usize {
        self.predicted.tracks()
    }

    /// How the intervals were computed, such as `bootstrap over 160 artists`.
    pub fn method(&self) -> String {
        match self.predicted.networks() {
            1 => format!("bootstrap over {}", self.groups.describe()),
            seeds => format!("bootstrap over {} and {seeds} seeds", self.groups.describe()),
        }
    }

    /// The defined metrics as pages show them, each with all warnings.
    pub fn reported(&self) -> Vec<ReportedMetric> {
        let defined = self.metrics.iter().filter(|metric| !metric.mean.is_nan());
        let reported = defined.map(|metric| ReportedMetric {
            metric: metric.name.into(),
            set: self.set.name().into(),
            mean: metric.mean,
            interval: metric.interval,
            method: metric.interval.map_or(String::new(), |_| self.method()),
            runs: self.predicted.networks(),
            warnings: self.warnings.iter().map(|warning| warning.sentence.clone()).collect(),
        });
        reported.collect()
    }
}

fn directories(path: &Path, set: Option<&RunSet>) -> Vec<PathBuf> {
    match set {
        None => vec![path.to_owned()],
        Some(set) => set.members(path).into_iter().map(|member| member.path).collect(),
    }
}

/// The predictions of all runs with one seed: each fold predicts its own tracks.
fn out_of_fold(folds: &[RunResults]) -> anyhow::Result<Predictions> {
    let mut all = Predictions::new(folds[0].predictions.classes.clone());
    for fold in folds {
        ensure!(fold.predictions.classes == all.classes, "their classes differ");
        all.tracks.extend(fold.predictions.tracks.iter().cloned());
    }
    Ok(all)
}

/// The members of a set of runs that were not evaluated on `set`, such as `seed 4` or `fold 2`. Empty if `path` is a
/// single run.
///
/// # Errors
/// If files of a member are unreadable or contradictory.
pub fn runs_without(path: &Path, set: Set) -> anyhow::Result<Vec<String>> {
    let mut without = Vec::new();
    for member in RunSet::open(path)?.map_or(Vec::new(), |runs| runs.members(path)) {
        if RunResults::read(&member.path, set)?.is_none() {
            without.push(member.label);
        }
    }
    Ok(without)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::run::directory::RunDirectory;
    use crate::testing;

    #[test]
    fn runs_without_metrics_are_listed() {
        let root = tempfile::tempdir().unwrap();
        let set = RunSet {
            seeds: vec![4, 5],
            folds: Vec::new(),
            settings: RunConfig {
                classes: vec!["Folk".into(), "Rock".into()],
                split: "main".into(),
                seed: 4,
                ..testing::config(Path::new("fma"), ModelKind::MfccDense)
            },
        };
        let directory = RunDirectory::begin(root.path()).unwrap();
        set.save(&directory).unwrap();
        assert_eq!(runs_without(root.path(), Set::Val).unwrap(), ["seed 4", "seed 5"]);
        assert!(runs_without(&root.path().join("none"), Set::Val).unwrap().is_empty());
    }
}
