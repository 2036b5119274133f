//! Arguments of `train embed`.

use super::count::count;
use super::set_name::SetName;
use crate::classical::ClassifierKind;
use crate::frontend::StatisticsKind;
use crate::loader::EvalClips;
use crate::models::ModelKind;
use crate::settings::MOST_THREADS;
use std::num::NonZeroUsize;
use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # Write embeddings of every clip
  train embed --run runs/crnn --out embeddings.safetensors

  # Evaluate classifiers that were trained on the embeddings
  train embed --run runs/crnn --classify knn,rbf-svm

  # Train a classifier on the embeddings of two runs for another data set,
  # and save it as a run
  train embed --run runs/crnn --run runs/cnn2d --data mine \
      --classify rbf-svm --save-run runs/mine

  # Write embeddings of audio files
  train embed --run runs/crnn --out music.safetensors music/

  # Classify by statistics of MFCCs, without a network
  train embed --statistics mfcc --data fma --classify rbf-svm

The file has the tensors `embeddings`, `track_id`, `clip` and `set`, and `class`
or `tags`. For audio files it has a row per file, the mean over its clips, and
the names of the files.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct EmbedArgs {
    /// Audio files or directories to embed instead of a data set
    #[arg(
        value_name = "FILE",
        requires_all = ["runs", "out"],
        conflicts_with_all = [
            "init_from", "model", "statistics", "ignore_features", "data", "split", "clip_seconds", "skip_seconds",
            "eval_clips", "classify", "set", "n_neighbors", "c", "save_run", "batch_size",
        ]
    )]
    pub files: Vec<PathBuf>,
    /// Run to load the weights from; embeddings of several are joined
    #[arg(
        long = "run",
        value_name = "RUN",
        conflicts_with = "init_from",
        help_heading = "Model"
    )]
    pub runs: Vec<PathBuf>,
    /// Load weights from a .safetensors or .pt file instead
    #[arg(long, value_name = "FILE", requires = "model", help_heading = "Model")]
    pub init_from: Option<PathBuf>,
    /// Model of --init-from; see `train models`
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        hide_possible_values = true,
        conflicts_with = "runs",
        help_heading = "Model"
    )]
    pub model: Option<ModelKind>,
    /// Use track statistics too, or alone
    #[arg(long, value_name = "NAME", value_enum, value_delimiter = ',', help_heading = "Model")]
    pub statistics: Vec<StatisticsKind>,
    /// Allow weights trained with other features
    #[arg(long, help_heading = "Model")]
    pub ignore_features: bool,
    /// Data set [default: the run's]
    #[arg(long, value_name = "DATASET", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// Split [default: the run's or the current one]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub split: Option<String>,
    /// Length of a clip [default: the run's]
    #[arg(long, value_name = "SECONDS", help_heading = "Data")]
    pub clip_seconds: Option<f64>,
    /// Seconds to skip at both ends
    #[arg(long, value_name = "SECONDS", help_heading = "Data")]
    pub skip_seconds: Option<f64>,
    /// Clips to embed: all, or N spread evenly [default: the run's]
    #[arg(long, value_name = "all|N", help_heading = "Data")]
    pub eval_clips: Option<EvalClips>,
    /// Classifiers to train on the embeddings
    #[arg(
        long,
        value_name = "LIST",
        value_enum,
        value_delimiter = ',',
        help_heading = "Classifiers"
    )]
    pub classify: Vec<ClassifierKind>,
    /// Set to evaluate the classifiers on
    #[arg(long, value_name = "NAME", value_enum, default_value_t = SetName::Test, help_heading = "Classifiers")]
    pub set: SetName,
    /// Neighbors of knn
    #[arg(long, value_name = "N", default_value = "5", help_heading = "Classifiers")]
    pub n_neighbors: NonZeroUsize,
    /// Inverse regularisation strength [default: the best on val of 0.1, 1, 10, 100]
    #[arg(long, value_name = "C", value_parser = positive, help_heading = "Classifiers")]
    pub c: Option<f64>,
    /// Save the classifier with the networks as a run
    #[arg(long, value_name = "RUN", help_heading = "Output")]
    pub save_run: Option<PathBuf>,
    /// A device of `train devices`, auto or gpu
    #[arg(long, default_value = "auto", help_heading = "Hardware")]
    pub device: String,
    /// Clips per batch [default: the run's, or per model]
    #[arg(long, value_name = "N", help_heading = "Hardware")]
    pub batch_size: Option<usize>,
    /// Threads that decode audio files [default: one per core]
    #[arg(long, value_name = "N", value_parser = count::<MOST_THREADS>, requires = "files", help_heading = "Hardware")]
    pub jobs: Option<NonZeroUsize>,
    /// .safetensors file to write
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Replace the file of --out if it exists
    #[arg(long, requires = "out", help_heading = "Output")]
    pub force: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("give a number above 0".into()),
    }
}
