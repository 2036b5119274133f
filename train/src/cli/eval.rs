//! `train eval` as typed.

use super::set_name::SetName;
use crate::loader::EvalClips;
use std::path::PathBuf;

/// `train eval`.
#[derive(Clone, Debug, clap::Args)]
pub struct EvalArgs {
    /// Directory of the run, or of a set of runs, which are evaluated one after the other
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// Set of the run's split to evaluate
    #[arg(long, value_enum, default_value_t = SetName::Test)]
    pub set: SetName,
    /// Refuse unless this is the split that the run was trained on [default: the run's own split]
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// Clips of a track that are evaluated, whose mean probabilities are the track's: all, or 1 from the middle
    /// [default: as the run was validated]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub eval_clips: Option<EvalClips>,
    /// Check every byte that will be read against its checksum before anything begins
    #[arg(long)]
    pub verify: bool,
    /// Of tags: take for each the threshold that gives the best F1 on the validation set, not 0.5
    #[arg(long)]
    pub tune_thresholds: bool,
    /// Make the mistakes in RUN/report.html playable; adds up to 9 MB to it
    #[arg(long)]
    pub audio: bool,
    /// Where the run's data set lies now, if it was moved
    #[arg(long, value_name = "DATASET")]
    pub data: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: String,
}

impl EvalArgs {
    /// The evaluation of a run on a set, and nothing special.
    pub fn new(run: PathBuf, set: SetName, device: String) -> Self {
        Self {
            run,
            set,
            split: None,
            eval_clips: None,
            verify: false,
            tune_thresholds: false,
            audio: false,
            data: None,
            device,
        }
    }
}
