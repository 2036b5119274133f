//! Arguments of `train report`.

use clap::ValueEnum;
use shared::dataset::split::Set;
use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # Compare runs with a baseline, the first run
  train report runs/baseline runs/crnn runs/seeds

  # Write the comparison as a web page and as a table
  train report runs/baseline runs/crnn --html report.html --csv report.csv

A set of seeds counts as one run. If a run has no test metrics, all runs are
compared on the validation set.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// Runs, or sets of seeds; the first is the baseline
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Set to compare
    #[arg(long, value_name = "NAME", value_enum, default_value_t = ComparedSet::Test)]
    pub set: ComparedSet,
    /// Data set of the runs, if it was moved
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
    /// Write one page for all runs instead of RUN/report.html
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write a table with a row per run and metric
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Add audio of mistakes to RUN/report.html, up to 9 MB
    #[arg(long, conflicts_with = "html")]
    pub audio: bool,
}

/// A set on which runs are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ComparedSet {
    /// The validation set, which also selected each run's best epoch
    Val,
    /// The test set
    Test,
}

impl From<ComparedSet> for Set {
    fn from(name: ComparedSet) -> Self {
        match name {
            ComparedSet::Val => Self::Val,
            ComparedSet::Test => Self::Test,
        }
    }
}
