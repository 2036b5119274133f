//! Arguments of `train eval`.

use super::set_name::SetName;
use crate::loader::EvalClips;
use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # Evaluate a run on its test set
  train eval --run runs/crnn

  # Evaluate it on the validation set
  train eval --run runs/crnn --set val

  # Calibrate its probabilities on the validation set, then evaluate it
  train eval --run runs/crnn --calibrate

  # Evaluate the mean of two runs, and save it as a run
  train eval --run runs/crnn --run runs/cnn2d --save-run runs/mean

For multi-label data, --tune-thresholds chooses each tag's threshold by F1 on
the validation set instead of 0.5. RUN can also be a set of seeds or folds.";

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct EvalArgs {
    /// Run to evaluate; the probabilities of several are averaged
    #[arg(long = "run", value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Save the mean of the runs as a run
    #[arg(long, value_name = "RUN", conflicts_with = "audio")]
    pub save_run: Option<PathBuf>,
    /// Set to evaluate
    #[arg(long, value_name = "NAME", value_enum, default_value_t = SetName::Test)]
    pub set: SetName,
    /// Fail unless trained on this split; imported: use it
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// Data set, if it was moved or the run was imported
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
    /// Allow imported weights trained with other features
    #[arg(long)]
    pub ignore_features: bool,
    /// Clips per track to average: all, or N spread evenly [default: the run's]
    #[arg(long, value_name = "all|N")]
    pub eval_clips: Option<EvalClips>,
    /// Fit a temperature on the validation set first
    #[arg(long, conflicts_with = "save_run")]
    pub calibrate: bool,
    /// Tune the thresholds of tags on the validation set
    #[arg(long)]
    pub tune_thresholds: bool,
    /// Add audio of mistakes to RUN/report.html, up to 9 MB
    #[arg(long)]
    pub audio: bool,
    /// Verify checksums before evaluating
    #[arg(long)]
    pub verify: bool,
    /// A device of `train devices`, auto or gpu
    #[arg(long, default_value = "auto")]
    pub device: String,
}

impl EvalArgs {
    /// Arguments to evaluate a run on a set, with all other options at their defaults.
    pub fn new(run: PathBuf, set: SetName, device: String) -> Self {
        Self {
            runs: vec![run],
            save_run: None,
            set,
            split: None,
            data: None,
            ignore_features: false,
            eval_clips: None,
            calibrate: false,
            tune_thresholds: false,
            audio: false,
            verify: false,
            device,
        }
    }
}
