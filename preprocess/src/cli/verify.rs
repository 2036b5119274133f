//! Arguments of `preprocess verify`.

use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = r"Examples:
  # Verify a data set
  preprocess verify data/fma_small

  # Rebuild damaged shards from the audio files
  preprocess verify data/fma_small --repair --audio /mnt/fma_small

The exit code is 1 if problems remain.";

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Data set to verify
    pub dataset: PathBuf,
    /// Rebuild damaged shards from the audio files
    #[arg(long)]
    pub repair: bool,
    /// Directory of the audio files, if it was moved
    #[arg(long, value_name = "DIR", requires = "repair")]
    pub audio: Option<PathBuf>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}
