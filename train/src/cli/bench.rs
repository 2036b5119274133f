//! `train bench` as typed.

use super::count::count;
use crate::augment::AugmentChoice;
use crate::frontend::FrontEndPlace;
use crate::models::ModelKind;
use crate::settings::Cache;
use crate::settings::precision::Precision;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// `train bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// Data set made by `preprocess build`, with a split
    #[arg(long, value_name = "DATASET")]
    pub data: PathBuf,
    /// Model to measure; `train models` lists them
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        default_value = "crnn",
        hide_possible_values = true
    )]
    pub model: ModelKind,
    /// Split whose training set is used [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// Clips per batch
    #[arg(long, default_value_t = 32)]
    pub batch_size: usize,
    /// Batches that are measured, after three that are not
    #[arg(long, default_value = "20", value_parser = count::<100_000>)]
    pub steps: NonZeroUsize,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// In which numbers the encoders compute
    #[arg(long, value_enum, default_value = "auto")]
    pub precision: Precision,
    /// Where clips become model input
    #[arg(long, value_enum, default_value = "auto")]
    pub front_end: FrontEndPlace,
    /// On training clips: paper, none, or a list, as `fit` takes it
    #[arg(long, value_name = "LIST", default_value = "paper")]
    pub augment: AugmentChoice,
    /// Data set whose sounds are mixed in by --augment background
    #[arg(long, value_name = "DATASET")]
    pub background: Option<PathBuf>,
    /// Where the shards are read from
    #[command(flatten)]
    pub cache: Option<Cache>,
    /// Threads that prepare batches [default: one per core, 8 at most]
    #[arg(long)]
    pub loader_threads: Option<usize>,
    /// Append the measurements to this CSV file
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Measure nothing: write newly initialized weights, a batch of input and its logits to this safetensors file, for another
    /// implementation to be checked against
    #[arg(long, value_name = "FILE", conflicts_with = "check_front_end")]
    pub outputs: Option<PathBuf>,
    /// Measure nothing: compare the front end on the device with the one on the host, and fail above 0.05 dB
    #[arg(long)]
    pub check_front_end: bool,
}
