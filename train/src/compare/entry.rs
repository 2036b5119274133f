//! A line of the scoreboard: a run, or a set of seeds, with what it says of one set and what is known of its split.

use super::bootstrap::{self, Interval, RESAMPLES};
use super::judged::Judged;
use super::marks::{Facts, Mark, Overlap, marks};
use super::outcomes::Pair;
use super::units::Units;
use crate::metrics::{SetMetrics, SetReport};
use crate::report::{METRICS_FILE, RunMetrics, read_metrics};
use crate::run::directory::RunDirectory;
use crate::run::history::HISTORY_FILE;
use crate::run::looks;
use crate::run::predictions::{Predictions, predictions_file};
use crate::run::set::RunSet;
use crate::run::split_copy;
use crate::settings::RunConfig;
use anyhow::{Context, bail, ensure};
use shared::dataset::split::Set;
use shared::dataset::{Dataset, DatasetIndex, SourceRecord, Task, read_tracks};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What figures in `metrics.json` may differ by from those of the predictions, which are kept as `f32`.
const TOLERANCE: f64 = 1e-9;

/// A run or a set of runs, and what it says of one set.
#[derive(Debug)]
pub struct Entry {
    /// The directory.
    pub path: PathBuf,
    /// The set of runs, where it is one.
    pub runs: Option<RunSet>,
    /// The settings, those of the first run.
    pub config: RunConfig,
    /// The set judged.
    pub set: Set,
    /// What the networks answered.
    pub judged: Judged,
    /// What is drawn as one.
    pub units: Units,
    /// What is known of the split; `None` where it cannot be read, of which a mark says why.
    pub split: Option<SplitFacts>,
    /// Means over the networks of both figures, with their intervals.
    pub figures: [Figure; 2],
    /// What there is to remark.
    pub marks: Vec<Mark>,
}

/// How a split was made.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SplitFacts {
    /// `random`, `stratified`, `grouped`, `official`.
    pub strategy: String,
    /// What tied tracks together, where it was made so.
    pub group_by: Option<String>,
    /// What the judged set shares with the others.
    pub overlap: Overlap,
}

/// A figure of one or several networks.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Figure {
    /// Its name for people.
    pub name: &'static str,
    /// The mean over the networks; NaN where it is undefined.
    pub mean: f64,
    /// The standard deviation over the networks, with `n - 1` in the denominator.
    pub standard_deviation: Option<f64>,
    /// The 95 % interval.
    pub interval: Option<Interval>,
}

/// One run's files.
struct Network {
    path: PathBuf,
    config: RunConfig,
    metrics: RunMetrics,
    task: Task,
    predictions: Predictions,
    judged: Judged,
    figures: Pair,
    epochs_looked_at: usize,
    unfinished: bool,
}

impl Entry {
    /// What the run, or set of runs, in `path` says of `set`; `None` where it has not been evaluated on it. `moved` is where
    /// its data set lies now, if it was moved.
    ///
    /// # Errors
    /// When its files cannot be read, contradict each other, or are missing.
    pub fn read(path: &Path, set: Set, moved: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let run_set = RunSet::open(path)?;
        let is_folds = run_set.as_ref().is_some_and(RunSet::is_folds);
        if is_folds && set == Set::Train {
            // Every track is in the training sets of several folds.
            return Ok(None);
        }
        let mut networks = Vec::new();
        for run in &runs(path, run_set.as_ref()) {
            match read_network(run, set)? {
                Some(network) => networks.push(network),
                None => return Ok(None),
            }
        }
        let mut config = networks[0].config.clone();
        if let Some(set) = run_set.as_ref().filter(|_| is_folds) {
            config.split.clone_from(&set.settings.split);
        }
        if let Some(moved) = moved {
            config.data = moved.to_owned();
        }
        // Seeds share their tracks, and folds have tracks of their own.
        let of_split = if is_folds { &networks[..] } else { &networks[..1] };
        let (units, split) = match split_facts(&config, of_split, set) {
            Ok((units, facts)) => (Some(units), Ok(facts)),
            Err(reason) => (None, Err(reason)),
        };

        let epochs_looked_at = networks
            .iter()
            .map(|network| network.epochs_looked_at)
            .max()
            .unwrap_or(0);
        let unfinished = networks.iter().filter(|network| network.unfinished).count();
        let names = match networks[0].report(set) {
            Some(SetMetrics::Tags(_)) => ["mean AUC-ROC", "mean AUC-PR"],
            _ => ["top-1", "macro F1"],
        };
        let judged = if is_folds {
            out_of_fold(&networks)
        } else {
            let judged = networks.iter().map(|network| network.judged.clone()).collect();
            Judged::together(judged).map_err(anyhow::Error::from)
        };
        let judged = judged.with_context(|| format!("the runs of {} cannot be put together", path.display()))?;
        let figures: Vec<Pair> = if is_folds {
            vec![judged.outcomes.plain_figures(0)]
        } else {
            networks.iter().map(|network| network.figures).collect()
        };
        let units = units.unwrap_or_else(|| Units::each(judged.track_ids.len()));
        let intervals = bootstrap::intervals(&judged.outcomes, &units, RESAMPLES);
        let figures = [0, 1].map(|at| {
            let values: Vec<f64> = figures.iter().map(|pair| pair[at]).collect();
            Figure::of(names[at], &values, intervals[at])
        });
        let facts_of_marks = Facts {
            set,
            tracks: judged.track_ids.len(),
            split: match &split {
                Ok(facts) => Ok((facts.strategy.clone(), facts.overlap)),
                Err(reason) => Err(reason.clone()),
            },
            seeds: judged.outcomes.networks(),
            groups: Some(units.len()).filter(|_| !units.are_single()),
            figures: [0, 1].map(|at| (figures[at].name, figures[at].mean, figures[at].interval)),
            guessing: judged.guessing(),
            is_fma_small: index(&config).is_ok_and(|index| is_fma_small(&index.source)),
            init_from: config.init_from.as_ref().map(|path| path.display().to_string()),
            epochs_looked_at,
            unfinished,
        };
        Ok(Some(Self {
            path: path.to_owned(),
            runs: run_set,
            config,
            set,
            judged,
            units,
            split: split.ok(),
            figures,
            marks: marks(&facts_of_marks),
        }))
    }

    /// The directories of its runs: its own, or those of the set.
    pub fn directories(&self) -> Vec<PathBuf> {
        runs(&self.path, self.runs.as_ref())
    }

    /// What was drawn for the intervals, in words.
    pub fn method(&self) -> String {
        let tracks = if self.units.are_single() {
            format!("{} tracks", self.units.len())
        } else {
            format!("{} artists", self.units.len())
        };
        match self.judged.outcomes.networks() {
            1 => format!("bootstrap over {tracks}"),
            seeds => format!("bootstrap over {tracks} and {seeds} seeds"),
        }
    }
}

impl Figure {
    fn of(name: &'static str, values: &[f64], interval: Option<Interval>) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            name,
            mean,
            standard_deviation: (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
            interval,
        }
    }
}

impl Network {
    fn report(&self, set: Set) -> Option<&SetMetrics> {
        report(&self.metrics, set).map(|report| &report.tracks)
    }
}

fn runs(path: &Path, set: Option<&RunSet>) -> Vec<PathBuf> {
    match set {
        None => vec![path.to_owned()],
        Some(set) => set.members(path).into_iter().map(|member| member.path).collect(),
    }
}

/// The answers of a cross-validation: those of each fold to its own tracks.
fn out_of_fold(folds: &[Network]) -> anyhow::Result<Judged> {
    let first = &folds[0];
    let mut all = Predictions::new(first.predictions.classes.clone());
    for fold in folds {
        ensure!(
            fold.predictions.classes == all.classes,
            "their classes are not the same"
        );
        all.tracks.extend(fold.predictions.tracks.iter().cloned());
    }
    Ok(Judged::new(first.task, &all)?)
}

/// Those of a set of runs that have no figures of `set`, as `seed 4` or `fold 2`; none where `path` holds a single run.
///
/// # Errors
/// When files of one of them cannot be read, or contradict each other.
pub fn runs_without(path: &Path, set: Set) -> anyhow::Result<Vec<String>> {
    let mut without = Vec::new();
    for member in RunSet::open(path)?.map_or(Vec::new(), |of| of.members(path)) {
        if read_network(&member.path, set)?.is_none() {
            without.push(member.label);
        }
    }
    Ok(without)
}

fn report(metrics: &RunMetrics, set: Set) -> Option<&SetReport> {
    match set {
        Set::Train => metrics.train.as_ref(),
        Set::Val => metrics.validation.as_ref(),
        Set::Test => metrics.test.as_ref(),
    }
}

fn read_network(path: &Path, set: Set) -> anyhow::Result<Option<Network>> {
    if RunSet::is_at(path.parent().unwrap_or(path)) && !RunDirectory::is_at(path) {
        // A run of a set whose turn has not come.
        return Ok(None);
    }
    let (run, config) = RunDirectory::open(path)?;
    if !run.path(METRICS_FILE).exists() {
        return Ok(None);
    }
    let metrics = read_metrics(&run)?;
    let Some(report) = report(&metrics, set) else {
        return Ok(None);
    };
    let file = predictions_file(set);
    let again = format!(
        "judge again with `train eval --run {} --set {}`",
        path.display(),
        set.name()
    );
    let table = run.path(file);
    let bytes = run
        .read(file)?
        .with_context(|| format!("{} is missing; {again}", table.display()))?;
    let predictions =
        Predictions::from_csv(&bytes).with_context(|| format!("{} cannot be read; {again}", table.display()))?;
    let (task, stated) = match &report.tracks {
        SetMetrics::Classes(metrics) => (Task::SingleLabel, [Some(metrics.top1), Some(metrics.macro_f1)]),
        SetMetrics::Tags(metrics) => (Task::MultiLabel, [metrics.auc_roc, metrics.auc_pr]),
    };
    let judged =
        Judged::new(task, &predictions).with_context(|| format!("{} cannot be used; {again}", table.display()))?;
    let figures = judged.outcomes.plain_figures(0);
    let agree = |(found, stated): (f64, Option<f64>)| match stated {
        Some(stated) => (found - stated).abs() <= TOLERANCE,
        None => found.is_nan(),
    };
    ensure!(
        figures.into_iter().zip(stated).all(agree),
        "{} does not give the figures of metrics.json beside it; {again}",
        table.display()
    );
    if predictions.classes != config.classes {
        bail!("{} has other classes than the run; {again}", table.display());
    }
    let epochs: BTreeSet<usize> = looks::read(&run)?
        .into_iter()
        .filter(|look| look.set == Set::Test)
        .map(|look| look.best_epoch)
        .collect();
    let history = run.read(HISTORY_FILE)?.unwrap_or_default();
    let trained = csv::Reader::from_reader(&history[..]).records().count();
    let best_epoch = metrics.best_epoch.unwrap_or(trained);
    let patient = config.patience == 0 || trained.saturating_sub(best_epoch) < config.patience;
    Ok(Some(Network {
        path: path.to_owned(),
        unfinished: trained < config.epochs && patient,
        epochs_looked_at: epochs.len(),
        config,
        metrics,
        task,
        predictions,
        judged,
        figures,
    }))
}

/// The index of the run's data set, or why that cannot be had.
fn index(config: &RunConfig) -> Result<DatasetIndex, String> {
    let index = Dataset::read_index(&config.data).map_err(|error| error.to_string())?;
    let is_the_runs = index.covers(&config.data_checksum);
    is_the_runs
        .then_some(index)
        .ok_or_else(|| format!("{} is not the data set that was trained on", config.data.display()))
}

/// Whether a data set is the real fma_small, and not one that is laid out like it, or a part.
fn is_fma_small(source: &SourceRecord) -> bool {
    source.preset.as_deref() == Some("fma_small") && source.preset_differences.is_empty()
}

/// The groups of the evaluated tracks and what their split is like, or their splits; or why that cannot be said.
fn split_facts(config: &RunConfig, networks: &[Network], set: Set) -> Result<(Units, SplitFacts), String> {
    let index = index(config)?;
    let mut splits = Vec::new();
    for network in networks {
        let split = split_copy::read(&network.path, &index).map_err(|error| error.to_string())?;
        let ids: BTreeSet<u64> = split.tracks.get(&set).into_iter().flatten().copied().collect();
        if network.judged.track_ids.iter().any(|id| !ids.contains(id)) {
            return Err(format!(
                "split `{}` has other tracks than were evaluated",
                split.index.name
            ));
        }
        splits.push(split.index);
    }
    let evaluated = networks.iter().flat_map(|network| &network.judged.track_ids);
    let tracks = read_tracks(&config.data, &index).map_err(|error| error.to_string())?;
    let rows: HashMap<u64, _> = tracks.iter().map(|row| (row.track_id, row)).collect();
    let row = |id: &u64| {
        rows.get(id)
            .ok_or_else(|| format!("track {id} is none of the data set"))
    };
    let rows = evaluated.map(row).collect::<Result<Vec<_>, _>>()?;
    let known = |name: &str| !name.is_empty();
    let without_artist = rows.iter().filter(|row| !known(&row.artist)).count();
    // Where an artist is not known, an album ties as much.
    let name = |row: &shared::dataset::manifest::TrackRow| match (known(&row.artist), known(&row.album)) {
        (true, _) => Some(format!("artist {}", row.artist)),
        (false, true) => Some(format!("album {}", row.album)),
        (false, false) => None,
    };
    let names: Vec<Option<String>> = rows.iter().map(|row| name(row)).collect();
    let facts = SplitFacts {
        strategy: splits[0].strategy.clone(),
        group_by: splits[0].group_by.clone(),
        overlap: Overlap::of(splits.iter().map(|split| &split.leaks), set, without_artist),
    };
    Ok((Units::named(names.iter().map(Option::as_deref)), facts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::run::set::Members;
    use crate::testing;

    #[test]
    fn a_data_set_laid_out_like_fma_small_is_not_taken_for_it() {
        let real = SourceRecord {
            name: "fma".into(),
            subset: "small".into(),
            preset: Some("fma_small".into()),
            preset_differences: Vec::new(),
            audio: "fma_small".into(),
            part: None,
        };
        assert!(is_fma_small(&real));
        let without_preset = SourceRecord {
            preset: None,
            ..real.clone()
        };
        let fewer_tracks = SourceRecord {
            preset_differences: vec!["64 tracks were found, and fma_small has 8000".into()],
            ..real
        };
        assert!(!is_fma_small(&without_preset) && !is_fma_small(&fewer_tracks));
    }

    #[test]
    fn the_runs_that_lack_metrics_are_named() {
        let root = tempfile::tempdir().unwrap();
        let set = RunSet {
            members: Members::Seeds(vec![4, 5]),
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
