//! `train report`, as typed.

use clap::ValueEnum;
use shared::dataset::split::Set;
use std::path::PathBuf;

/// `train report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The first RUN is what the others are compared with. Sets of seeds count as one run each.")]
pub struct ReportArgs {
    /// Directories of runs or of sets of seeds
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Set whose metrics are shown; where a run has none of the test set, all are shown on the validation set
    #[arg(long, value_enum, default_value_t = ComparedSet::Test)]
    pub set: ComparedSet,
    /// Where the runs' data set lies now, if it was moved
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
    /// Write a table too, a row per run and metric
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Make the mistakes in each RUN/report.html playable; adds up to 9 MB to it
    #[arg(long, conflicts_with = "html")]
    pub audio: bool,
    /// Write one page with the runs beside each other, and not each RUN/report.html anew
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// A set by which runs are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ComparedSet {
    /// The test set
    Test,
    /// The validation set, on which each run's epoch was chosen
    Val,
}

impl From<ComparedSet> for Set {
    fn from(name: ComparedSet) -> Self {
        match name {
            ComparedSet::Test => Self::Test,
            ComparedSet::Val => Self::Val,
        }
    }
}
