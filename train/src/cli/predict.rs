//! Arguments of `train predict`.

use super::count::count;
use crate::loader::EvalClips;
use crate::settings::MOST_THREADS;
use std::num::NonZeroUsize;
use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # Classify a file
  train predict --run runs/crnn song.mp3

  # Classify a directory and write a table
  train predict --run runs/crnn --csv genres.csv music/

  # Average the probabilities of two runs
  train predict --run runs/crnn --run runs/cnn2d song.mp3

  # Print only the most probable class
  train predict --run runs/crnn --json song.flac | tail -n 1 \
      | jq '.files[0].top[0]'

A file's probabilities are the mean over its clips, as in `train eval`. Files
that cannot be decoded are reported and skipped; the exit code is then 1.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PredictArgs {
    /// Audio files or directories
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Run to predict with; several are averaged
    #[arg(long = "run", value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Most probable classes to print per file
    #[arg(long, value_name = "N", default_value = "3")]
    pub top: NonZeroUsize,
    /// Clips per file to average: all, or N spread evenly [default: the run's]
    #[arg(long, value_name = "all|N")]
    pub eval_clips: Option<EvalClips>,
    /// Write the probabilities of all classes to a table
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Replace a table that has rows of other files
    #[arg(long, requires = "csv")]
    pub force: bool,
    /// Threads that decode files [default: one per core]
    #[arg(long, value_name = "N", value_parser = count::<MOST_THREADS>)]
    pub jobs: Option<NonZeroUsize>,
    /// A device of `train devices`, auto or gpu
    #[arg(long, default_value = "auto")]
    pub device: String,
}
