//! Arguments of `train predict`.

use super::count::count;
use crate::loader::EvalClips;
use crate::settings::MOST_THREADS;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = r"Examples:
  # Classify a file
  train predict --run runs/crnn song.mp3

  # Classify a directory and write a table
  train predict --run runs/crnn --csv genres.csv music/

  # Show the classes of a long mix over time, with a player
  train predict --run runs/crnn --timeline mix.html --audio mix.mp3

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
    #[arg(long, value_name = "all|N", conflicts_with = "timeline")]
    pub eval_clips: Option<EvalClips>,
    /// Write the probabilities of all classes to a table
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the classes of one file over time: .csv, .svg or .html; may be repeated
    #[arg(long, value_name = "FILE", value_parser = timeline_file)]
    pub timeline: Vec<TimelineFile>,
    /// Seconds of audio that each point of the timeline averages
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = window, requires = "timeline")]
    pub window: f64,
    /// Make the timeline's .html page play the file, which becomes part of the page
    #[arg(long, requires = "timeline")]
    pub audio: bool,
    /// Replace a table that has rows of other files, and existing timelines
    #[arg(long)]
    pub force: bool,
    /// Threads that decode files [default: one per core]
    #[arg(long, value_name = "N", value_parser = count::<MOST_THREADS>)]
    pub jobs: Option<NonZeroUsize>,
    /// A device of `train devices`, auto or gpu
    #[arg(long, default_value = "auto")]
    pub device: String,
}

/// A file to write a timeline to, and its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineFile {
    pub path: PathBuf,
    pub format: TimelineFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimelineFormat {
    Csv,
    Svg,
    Html,
}

fn timeline_file(text: &str) -> Result<TimelineFile, String> {
    let path = Path::new(text);
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let format = match &*extension {
        "csv" => TimelineFormat::Csv,
        "svg" => TimelineFormat::Svg,
        "html" => TimelineFormat::Html,
        _ => return Err("give a name that ends with .csv, .svg or .html".into()),
    };
    Ok(TimelineFile {
        path: path.to_owned(),
        format,
    })
}

fn window(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (1.0..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("give a number of seconds from 1 to 3600".into()),
    }
}
