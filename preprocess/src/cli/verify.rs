//! `preprocess verify`: its arguments.

use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  preprocess verify data/fma_small
  preprocess verify data/fma_small --repair --audio /mnt/fma_small

Ends with status 1 if anything is wrong and was not repaired.";

/// `preprocess verify`, as typed.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The data set
    pub dataset: PathBuf,
    /// Rebuilds bad shards from the audio files
    #[arg(long)]
    pub repair: bool,
    /// Directory of the audio files, if it is not where it was
    #[arg(long, value_name = "DIR", requires = "repair")]
    pub audio: Option<PathBuf>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}
