//! Arguments of `train fit`.

use crate::settings::Settings;
use std::path::PathBuf;

const MAX_RUNS: u64 = 10_000;

const EXAMPLES: &str = r"Examples:
  # Train a model
  train fit --data fma --model crnn --run runs/crnn

  # Continue a run, for more epochs
  train fit --run runs/crnn --resume --epochs 100

  # Train with five seeds
  train fit --data fma --model crnn --run runs/seeds --seeds 5

  # Cross-validate on the folds of `preprocess split --folds 5`
  train fit --data mine --model crnn --run runs/folds --folds 5

  # Start from the weights of another run and freeze the first blocks
  train fit --data gtzan --model choi-crnn --run runs/choi \
      --init-from runs/tagger --freeze 'blocks.[01]'

--augment takes noise, stretch, pitch-shift, background and image, separated by
commas. `paper` is the augmentation of the model's paper.

SIGTERM, SIGUSR1 or Ctrl-C saves a checkpoint and exits with code 75; continue
with --resume. A second Ctrl-C exits at once.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct FitArgs {
    /// Directory of the run
    #[arg(long, value_name = "RUN", help_heading = "Run")]
    pub run: PathBuf,
    /// Continue the run where it stopped
    #[arg(long, help_heading = "Run")]
    pub resume: bool,
    /// Train with N seeds, counted up from --seed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=MAX_RUNS), help_heading = "Run")]
    pub seeds: Option<u64>,
    /// Train on each of N folds made by `preprocess split`
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(3..=MAX_RUNS),
        help_heading = "Run"
    )]
    pub folds: Option<u64>,
    /// Read settings from a TOML file; flags win
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub config: Option<PathBuf>,
    /// Stop when standard input ends, like on SIGTERM; for programs that run this one
    #[arg(long, hide = true)]
    pub stop_at_eof: bool,
    #[command(flatten)]
    pub settings: Settings,
    /// Verify checksums before training
    #[arg(long, help_heading = "Data")]
    pub verify: bool,
    /// A device of `train devices`, auto or gpu; a list shares each batch
    #[arg(
        long,
        alias = "devices",
        default_value = "auto",
        help_heading = "Hardware",
        display_order = 0
    )]
    pub device: String,
}
