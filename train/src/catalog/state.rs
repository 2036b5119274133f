//! Whether a run is being trained, has ended, or was stopped.

use crate::report::RunMetrics;
use crate::run::directory::RunDirectory;
use crate::run::history::EpochRecord;
use crate::settings::RunConfig;
use serde::Serialize;
use shared::runtime::text::counted;
use std::fmt;
use std::path::Path;

/// The state of a run, or of a set of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// A process is training it: this epoch of these.
    Training {
        epoch: usize,
        epochs: usize,
    },
    /// Training ended, after all its epochs or by early stopping.
    Finished {
        epochs: usize,
    },
    /// It can be resumed after this epoch of these.
    Stopped {
        epoch: usize,
        epochs: usize,
    },
    /// A process is training one of the runs of a set.
    TrainingRuns {
        finished: usize,
        runs: usize,
    },
    FinishedRuns {
        runs: usize,
    },
    StoppedRuns {
        finished: usize,
        runs: usize,
    },
    /// Its weights were imported.
    Imported,
    /// It combines other runs.
    Combined,
}

impl State {
    pub(super) fn read(root: &Path, config: &RunConfig, history: &[EpochRecord], metrics: Option<&RunMetrics>) -> Self {
        let (epoch, epochs) = (history.len(), config.epochs);
        if config.combination.is_some() {
            Self::Combined
        } else if config.imported_from.is_some() {
            Self::Imported
        } else if metrics.is_some_and(|metrics| metrics.ended.is_some()) {
            Self::Finished { epochs: epoch }
        } else if RunDirectory::is_busy(root) {
            Self::Training {
                epoch: (epoch + 1).min(epochs),
                epochs,
            }
        } else {
            Self::Stopped { epoch, epochs }
        }
    }

    /// The state of a set from those of its runs that have begun.
    pub(super) fn of_set(root: &Path, begun: &[Self], runs: usize) -> Self {
        let finished = begun.iter().filter(|state| !state.is_unfinished()).count();
        if finished == runs {
            Self::FinishedRuns { runs }
        } else if RunDirectory::is_busy(root) || begun.iter().any(Self::is_training) {
            Self::TrainingRuns { finished, runs }
        } else {
            Self::StoppedRuns { finished, runs }
        }
    }

    pub fn is_training(&self) -> bool {
        matches!(self, Self::Training { .. } | Self::TrainingRuns { .. })
    }

    fn is_unfinished(&self) -> bool {
        matches!(self, Self::Training { .. } | Self::Stopped { .. })
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Training { epoch, epochs } => write!(out, "training epoch {epoch} of {epochs}"),
            Self::Finished { epochs } => write!(out, "finished after {}", counted(*epochs, "epoch", "epochs")),
            Self::Stopped { epoch, epochs } => write!(out, "stopped after epoch {epoch} of {epochs}"),
            Self::TrainingRuns { finished, runs } => write!(out, "training, {finished} of {runs} runs finished"),
            Self::FinishedRuns { runs } => write!(out, "finished, {runs} runs"),
            Self::StoppedRuns { finished, runs } => write!(out, "stopped, {finished} of {runs} runs finished"),
            Self::Imported => write!(out, "imported"),
            Self::Combined => write!(out, "combined"),
        }
    }
}
