//! Everything that a page shows of one run, read once.

use super::data_view::DataView;
use crate::metrics::{SetMetrics, SetReport};
use crate::report::{RunMetrics, read_metrics};
use crate::run::calibration::Calibration;
use crate::run::directory::{RunDirectory, RunError, directory_name};
use crate::run::embedding_map::EmbeddingMap;
use crate::run::environment::Environment;
use crate::run::history::{self, EpochRecord, HISTORY_FILE};
use crate::run::predictions::{Predictions, predictions_file};
use crate::settings::RunConfig;
use maud::Markup;
use shared::dataset::split::Set;
use shared::page::notice;
use std::collections::BTreeMap;

/// A run that was evaluated at least once.
pub struct RunView<'a> {
    pub config: &'a RunConfig,
    pub name: String,
    pub metrics: RunMetrics,
    /// Empty if the file is missing.
    pub history: Vec<EpochRecord>,
    /// `None` if the file is missing.
    pub environment: Option<Environment>,
    /// For sets that were evaluated with the best weights and whose table exists.
    pub predictions: BTreeMap<Set, Predictions>,
    /// For sets whose embeddings were collected.
    pub maps: BTreeMap<Set, EmbeddingMap>,
    /// `None` if no temperature was fitted.
    pub calibration: Option<Calibration>,
    /// The data set, or why it cannot be read.
    pub data: Result<DataView, String>,
}

impl<'a> RunView<'a> {
    /// Reads the run's files and opens its data set.
    ///
    /// # Errors
    /// If no epoch was trained, or a file is damaged.
    pub fn read(run: &RunDirectory, config: &'a RunConfig) -> Result<Self, RunError> {
        let damaged = |file: &str, detail: String| RunError::Damaged {
            path: run.path(file),
            detail,
        };
        let metrics = read_metrics(run)?;
        let history = match run.read(HISTORY_FILE)? {
            None => Vec::new(),
            Some(table) => history::from_csv(&table).map_err(|error| damaged(HISTORY_FILE, error.to_string()))?,
        };
        let (mut predictions, mut maps) = (BTreeMap::new(), BTreeMap::new());
        for set in Set::ALL {
            let file = predictions_file(set);
            if let (Some(_), Some(table)) = (metrics.report(set), run.read(file)?) {
                let table = Predictions::from_csv(&table).map_err(|error| damaged(file, error.to_string()))?;
                predictions.insert(set, table);
                maps.extend(EmbeddingMap::read(run, set)?.map(|map| (set, map)));
            }
        }
        Ok(Self {
            config,
            name: directory_name(run.root()),
            metrics,
            history,
            environment: Environment::read(run)?,
            predictions,
            maps,
            calibration: Calibration::read(run)?,
            data: DataView::open(config, run.root()).map_err(|error| format!("{error:#}")),
        })
    }

    /// A set's metrics, if it was evaluated with the best weights.
    pub fn report(&self, set: Set) -> Option<&SetReport> {
        self.metrics.report(set)
    }

    /// The test set if it was evaluated, else the validation set.
    pub fn last_evaluated(&self) -> Set {
        if self.metrics.test.is_some() {
            Set::Test
        } else {
            Set::Val
        }
    }

    /// Whether the run is multi-label.
    pub fn has_tags(&self) -> bool {
        let reports = Set::ALL.into_iter().filter_map(|set| self.report(set));
        reports
            .into_iter()
            .any(|report| matches!(report.tracks, SetMetrics::Tags(_)))
    }
}

/// The notice in place of a missing table of predictions.
pub fn no_predictions() -> Markup {
    notice("The table of predictions is missing; evaluate the set again.")
}
