//! `train embed` as typed.

use super::set_name::SetName;
use crate::evaluation::embeddings::EmbeddingClassifier;
use crate::loader::EvalClips;
use crate::models::ModelKind;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// `train embed`.
#[derive(Debug, clap::Args)]
pub struct EmbedArgs {
    /// Run whose best weights are used
    #[arg(long, value_name = "RUN", conflicts_with = "init_from")]
    pub run: Option<PathBuf>,
    /// Weights, where there is no run: .safetensors, or a PyTorch .pt or .pth; needs --model and --data
    #[arg(long, value_name = "FILE", requires = "model")]
    pub init_from: Option<PathBuf>,
    /// Use weights although they were trained on other features than the data set has
    #[arg(long)]
    pub ignore_features: bool,
    /// Model that the weights are of
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        hide_possible_values = true,
        conflicts_with = "run"
    )]
    pub model: Option<ModelKind>,
    /// Data set whose tracks are looked at [default: the run's]
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
    /// Its split [default: the run's, or the current one of another data set]
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// File to write: embeddings, track_id, clip, set, and class or tags
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    /// Classifiers to train on the training set's embeddings
    #[arg(long, value_enum, value_delimiter = ',')]
    pub classify: Vec<EmbeddingClassifier>,
    /// Set that they are evaluated on
    #[arg(long, value_enum, default_value_t = SetName::Test)]
    pub set: SetName,
    /// Neighbours that vote
    #[arg(long, default_value = "5")]
    pub n_neighbors: NonZeroUsize,
    /// Cut tracks into excerpts of so many seconds [default: as the run does]
    #[arg(long, value_name = "SECONDS")]
    pub excerpt_seconds: Option<f64>,
    /// Leave out so many seconds at either end
    #[arg(long, value_name = "SECONDS")]
    pub skip_seconds: Option<f64>,
    /// Clips of a track: all, or 1 from the middle [default: as the run was validated]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub eval_clips: Option<EvalClips>,
    /// Clips per batch [default: the run's, or the paper's]
    #[arg(long)]
    pub batch_size: Option<usize>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: String,
}
