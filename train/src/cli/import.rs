//! Arguments of `train import`.

use crate::models::ModelKind;
use clap::ValueEnum;
use shared::dataset::Task;
use shared::dsp::feature_preset::FeaturePreset;
use std::path::PathBuf;

const EXAMPLES: &str = r#"Examples:
  # Import a published network and classify a file
  train import --model cnn1d --weights checkpoint_baseline1d.pt \
      --labels "Electronic,Experimental,Folk,Hip-Hop,Instrumental,\
International,Pop,Rock" \
      --normalization paper1_normalization.json --run runs/paper1
  train predict --run runs/paper1 song.mp3

FILE of --normalization has waveform_mean, waveform_std, mel_mean and mel_std,
as in normalization.json of a split or front_end.json of a run."#;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArgs {
    /// Directory of the new run
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// Model of the weights; see `train models`
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        hide_possible_values = true,
        help_heading = "Network"
    )]
    pub model: ModelKind,
    /// .safetensors, .pt or .pth file of weights
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub weights: PathBuf,
    /// Names of the outputs: a file of lines, or a list
    #[arg(long, value_name = "FILE|A,B,C", help_heading = "Network")]
    pub labels: String,
    /// Task [default: the paper's]
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Network")]
    pub task: Option<TaskName>,
    /// Feature settings [default: the published network's]
    #[arg(long, value_name = "PRESET", value_enum, help_heading = "Input")]
    pub features: Option<FeaturePreset>,
    /// Samples per clip [default: the published network's]
    #[arg(long, value_name = "N", help_heading = "Input")]
    pub clip_samples: Option<usize>,
    /// Means and standard deviations of the training set
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub normalization: Option<PathBuf>,
}

/// A task on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TaskName {
    /// Exactly one class per track
    SingleLabel,
    /// Any number of tags per track
    MultiLabel,
}

impl From<TaskName> for Task {
    fn from(name: TaskName) -> Self {
        match name {
            TaskName::SingleLabel => Self::SingleLabel,
            TaskName::MultiLabel => Self::MultiLabel,
        }
    }
}
