//! `preprocess merge`: its arguments.

use super::jobs::jobs;
use crate::merge::MergeConfig;
use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  preprocess build --source fma ... --out parts/1 --part 1/2        on one machine
  preprocess build --source fma ... --out parts/2 --part 2/2        on another
  preprocess merge data/fma_small parts/1 parts/2

Parts are only read, and may be removed afterwards. A merge that was interrupted goes on where it was.";

/// `preprocess merge`, as typed.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Directory of the data set; made if it does not exist
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// All parts of a build, in any order
    #[arg(value_name = "PART", required = true)]
    pub parts: Vec<PathBuf>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

impl MergeArgs {
    /// A complete configuration.
    pub fn resolve(self) -> MergeConfig {
        MergeConfig {
            out: self.out,
            parts: self.parts,
            jobs: jobs(self.jobs),
        }
    }
}
