//! Arguments of `train bench`.

use super::count::count;
use crate::augment::AugmentChoice;
use crate::frontend::FrontEndPlace;
use crate::models::ModelKind;
use crate::settings::Cache;
use crate::settings::precision::Precision;
use std::num::NonZeroUsize;
use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # Measure reading, input computation and training steps
  train bench --data fma --model crnn --batch-size 32";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// Data set made by `preprocess build`, with a split
    #[arg(long, value_name = "DATASET", help_heading = "Data")]
    pub data: PathBuf,
    /// Split to read the training set of [default: current]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub split: Option<String>,
    /// Augmentations: paper, none or a list
    #[arg(long, value_name = "LIST", default_value = "paper", help_heading = "Data")]
    pub augment: AugmentChoice,
    /// Data set of sounds for `--augment background`
    #[arg(long, value_name = "DATASET", help_heading = "Data")]
    pub background: Option<PathBuf>,
    /// Model to measure; see `train models`
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        default_value = "crnn",
        hide_possible_values = true,
        help_heading = "Measurement"
    )]
    pub model: ModelKind,
    /// Clips per batch
    #[arg(long, value_name = "N", default_value_t = 32, help_heading = "Measurement")]
    pub batch_size: usize,
    /// Batches to measure, after 3 to warm up
    #[arg(
        long,
        value_name = "N",
        default_value = "20",
        value_parser = count::<100_000>,
        help_heading = "Measurement"
    )]
    pub steps: NonZeroUsize,
    /// Only compare the front ends of device and host
    #[arg(long, help_heading = "Measurement")]
    pub check_front_end: bool,
    /// A device of `train devices`, auto or gpu
    #[arg(long, default_value = "auto", help_heading = "Hardware")]
    pub device: String,
    /// Numeric precision
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        default_value = "auto",
        help_heading = "Hardware"
    )]
    pub precision: Precision,
    /// Where to compute model input
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        default_value = "auto",
        help_heading = "Hardware"
    )]
    pub front_end: FrontEndPlace,
    #[command(flatten, next_help_heading = "Hardware")]
    pub cache: Option<Cache>,
    /// Threads that prepare batches [default: one per core, at most 8]
    #[arg(long, value_name = "N", help_heading = "Hardware")]
    pub loader_threads: Option<usize>,
    /// Append the measurements to a table
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub csv: Option<PathBuf>,
    /// Only write initial weights, a batch and its logits
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "check_front_end",
        help_heading = "Output"
    )]
    pub outputs: Option<PathBuf>,
}
