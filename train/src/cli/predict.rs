//! `train predict` as typed.

use super::count::count;
use crate::loader::EvalClips;
use crate::settings::MOST_THREADS;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// `train predict`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PredictArgs {
    /// Directory of the run; its data set need not be there
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// Audio files of any format and length, and directories of them
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Clips of a file that are classified, whose mean probabilities are the file's: all, or 1 from the middle
    /// [default: as the run was validated]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub eval_clips: Option<EvalClips>,
    /// Classes that are named for each file, the likeliest first
    #[arg(long, value_name = "N", default_value = "3")]
    pub top: NonZeroUsize,
    /// Write a row per file with the probabilities of all classes
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,
    /// Replace a table of --csv that has rows of other files
    #[arg(long, requires = "csv")]
    pub force: bool,
    /// Threads that decode files [default: one per core]
    #[arg(long, value_name = "N", value_parser = count::<MOST_THREADS>)]
    pub jobs: Option<NonZeroUsize>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: String,
}

const EXAMPLES: &str = "Examples:
  train predict --run runs/crnn song.mp3
  train predict --run runs/crnn --csv genres.csv music/
  train predict --run runs/crnn --json song.flac | tail -n 1 | jq '.files[0].top[0]'

A file is cut into clips side by side and one that ends at its end, and their probabilities are averaged, as
`train eval` does it for a track. One that cannot be decoded is named with the
reason, the others go on, and the exit code is 1 at the end.";
