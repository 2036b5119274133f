//! `train fit` as typed.

use crate::settings::Settings;
use std::path::PathBuf;

/// More trainings than anybody waits for.
const MOST_RUNS: u64 = 10_000;

/// `train fit`.
#[derive(Debug, clap::Args)]
pub struct FitArgs {
    /// Directory of the run: settings, weights, history, pictures
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// Continue the run where it stopped
    #[arg(long)]
    pub resume: bool,
    /// Train so many times, with seeds counted up from --seed: RUN/seed-0, RUN/seed-1, ...
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=MOST_RUNS))]
    pub seeds: Option<u64>,
    /// Train once on each of K folds, which `preprocess split --folds K` made, and evaluate every track by the run that
    /// has it in its test set: RUN/fold-1, RUN/fold-2, ...
    #[arg(long, value_name = "K", conflicts_with = "seeds", value_parser = clap::value_parser!(u64).range(3..=MOST_RUNS))]
    pub folds: Option<u64>,
    /// Check every byte that will be read against its checksum before anything begins
    #[arg(long)]
    pub verify: bool,
    /// Settings in TOML, under the names of the flags in snake case; flags win
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N; several with commas between, or their numbers alone, share each batch
    #[arg(long, visible_alias = "devices", default_value = "auto")]
    pub device: String,
    /// Stop, as on a SIGTERM, when standard input ends: for programs that run this one
    #[arg(long, hide = true)]
    pub stop_at_eof: bool,
    /// Everything a run may be told
    #[command(flatten)]
    pub settings: Settings,
}
