//! Arguments of `preprocess merge`.

use super::jobs::jobs;
use crate::merge::MergeConfig;
use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = r"Examples:
  # Build a part on each of two machines
  preprocess build --source fma ... --out parts/1 --part 1/2
  preprocess build --source fma ... --out parts/2 --part 2/2

  # Merge the parts
  preprocess merge data/fma_small parts/1 parts/2

The parts are not changed. An interrupted merge continues with the same command.";

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Data set to write
    #[arg(value_name = "DATASET")]
    pub out: PathBuf,
    /// Parts to merge: all parts of a build
    #[arg(value_name = "PART", required = true)]
    pub parts: Vec<PathBuf>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

impl MergeArgs {
    /// The complete configuration.
    pub fn resolve(self) -> MergeConfig {
        MergeConfig {
            out: self.out,
            parts: self.parts,
            jobs: jobs(self.jobs),
        }
    }
}
