//! A row of the catalog: the facts about one run.

use super::find::find;
use super::set;
use super::state::State;
use crate::metrics::{MetricSummary, SetReport};
use crate::report::html::REPORT_FILE;
use crate::report::{METRICS_FILE, read_metrics};
use crate::run::directory::{CONFIG_FILE, RUN_SET_FILE, RunDirectory, RunError};
use crate::run::history::{self, EpochRecord, HISTORY_FILE, best};
use crate::run::set::RunSet;
use crate::settings::RunConfig;
use serde::Serialize;
use shared::dataset::split::Set;
use shared::runtime::file_error::FileError;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A run, a set of runs, or a directory that cannot be read.
#[derive(Debug)]
pub struct Row {
    pub path: PathBuf,
    /// When its files were last written.
    pub changed: Option<SystemTime>,
    /// Its facts, or why it cannot be read.
    pub facts: Result<Facts, String>,
}

/// The facts about a run.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    pub model: String,
    /// The data set's directory.
    pub data: String,
    pub split: String,
    /// Seeds and folds of a set: `seeds 0, 1 of 5 folds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<String>,
    #[serde(flatten)]
    pub state: State,
    /// The monitored metric on the validation set at the best epoch; the mean over the runs of a set.
    pub val: Option<Metric>,
    /// The main metric on the test set.
    pub test: Option<Metric>,
    #[serde(skip)]
    pub has_page: bool,
}

/// A metric with its 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    pub metric: String,
    pub value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl Metric {
    /// The metric that selects the best epoch.
    fn monitored(config: &RunConfig, value: f64) -> Self {
        Self {
            metric: config.monitor.describe().into(),
            value,
            interval: None,
        }
    }
}

/// The runs below `root`, the last changed first.
///
/// # Errors
/// If `root` cannot be read.
pub fn rows(root: &Path) -> Result<Vec<Row>, FileError> {
    let found = find(root).map_err(FileError::at(root))?;
    let mut rows: Vec<Row> = found.runs.into_iter().map(Row::read).collect();
    rows.extend(found.unreadable.into_iter().map(|(path, error)| Row {
        path,
        changed: None,
        facts: Err(error.to_string()),
    }));
    // Stable: rows of the same time are in the order of their paths.
    rows.sort_by_key(|row| std::cmp::Reverse(row.changed));
    Ok(rows)
}

impl Row {
    fn read(path: PathBuf) -> Self {
        let facts = match RunSet::open(&path) {
            Ok(Some(set)) => set::read(&path, &set),
            Ok(None) => RunFacts::read(&path).map(|run| run.facts(&path)),
            Err(error) => Err(error),
        };
        Self {
            changed: set::changed(&path),
            facts: facts.map_err(|error| error.to_string()),
            path,
        }
    }
}

/// The facts about a single run.
pub(super) struct RunFacts {
    pub config: RunConfig,
    pub state: State,
    pub val: Option<Metric>,
    pub test: Option<Metric>,
}

impl RunFacts {
    pub fn read(root: &Path) -> Result<Self, RunError> {
        let (run, config) = RunDirectory::open(root)?;
        let history = read_history(&run)?;
        let metrics = match run.path(METRICS_FILE).exists() {
            true => Some(read_metrics(&run)?),
            false => None,
        };
        let watched = |report: Option<&SetReport>| {
            let value = MetricSummary::from(&report?.tracks).watched(config.monitor)?;
            Some(Metric::monitored(&config, value))
        };
        let [val, evaluated] =
            [Set::Val, Set::Test].map(|set| watched(metrics.as_ref().and_then(|all| all.report(set))));
        let at_best = best(&history, config.monitor).and_then(|epoch| epoch.val.watched(config.monitor));
        let tested = metrics.iter().flat_map(|metrics| &metrics.intervals);
        let test = tested
            .filter(|metric| metric.set == Set::Test.name())
            .map(|metric| Metric {
                metric: metric.metric.clone(),
                value: metric.mean,
                interval: metric.interval,
            });
        Ok(Self {
            state: State::read(root, &config, &history, metrics.as_ref()),
            // A run without a history was evaluated with `train eval`.
            val: match at_best {
                Some(value) => Some(Metric::monitored(&config, value)),
                None => val,
            },
            // Intervals can fail.
            test: { test }.next().or(evaluated),
            config,
        })
    }

    fn facts(self, root: &Path) -> Facts {
        Facts {
            model: self.config.model_name(),
            data: self.config.data.to_string_lossy().into_owned(),
            split: self.config.split,
            members: None,
            state: self.state,
            val: self.val,
            test: self.test,
            has_page: root.join(REPORT_FILE).is_file(),
        }
    }
}

fn read_history(run: &RunDirectory) -> Result<Vec<EpochRecord>, RunError> {
    let Some(table) = run.read(HISTORY_FILE)? else {
        return Ok(Vec::new());
    };
    history::from_csv(&table).map_err(|error| RunError::Damaged {
        path: run.path(HISTORY_FILE),
        detail: error.to_string(),
    })
}

/// When the last of a run's files was written that change while it is trained and evaluated.
pub(super) fn last_written(root: &Path) -> Option<SystemTime> {
    let files = [CONFIG_FILE, RUN_SET_FILE, HISTORY_FILE, METRICS_FILE];
    let times = files.map(|file| fs::metadata(root.join(file)).and_then(|file| file.modified()).ok());
    times.into_iter().flatten().max()
}
