//! Arguments of `train sweep`.

use super::count::count;
use crate::settings::{MOST_THREADS, Settings};
use crate::sweep::{GridAxis, Range};
use std::num::NonZeroUsize;
use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # Try a grid of settings
  train sweep --data fma --model crnn --sweep sweeps/grid \
      --grid weight_decay=0.0,1e-5,1e-4 --grid dropout=0.1,0.3,0.5

  # Try 27 random draws; train only the best third to the end
  train sweep --data fma --model crnn --sweep sweeps/random \
      --random 27 --range lr=1e-4..1e-2:log --range dropout=0..0.6 \
      --epochs 27 --halving 3

  # Compare models on two GPUs
  train sweep --data fma --sweep sweeps/models --grid model=cnn2d,crnn \
      --monitor loss --devices cuda:0,cuda:1

  # Continue a sweep
  train sweep --sweep sweeps/grid --resume

Settings are named as in config.toml, in snake case. Values are TOML; plain
words need no quotes. With --grid and --range, every draw is combined with the
whole grid.

Each trial is a run: SWEEP/trials/0000 and so on. SWEEP/sweep.csv has a row per
trial, SWEEP/heat_map.svg shows them. Trials are ranked by the validation
metric of --monitor; the test set is not used.

A sweep that was stopped (exit code 75) or killed continues with --resume.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct SweepArgs {
    /// Directory of the sweep
    #[arg(long, value_name = "SWEEP", help_heading = "Sweep")]
    pub sweep: PathBuf,
    /// Continue the sweep where it stopped
    #[arg(long, help_heading = "Sweep")]
    pub resume: bool,
    /// Retry failed trials
    #[arg(long, help_heading = "Sweep")]
    pub retry_failed: bool,
    /// Try these values; repeat for more settings
    #[arg(long, value_name = "NAME=V1,V2,...", help_heading = "Sweep")]
    pub grid: Vec<GridAxis>,
    /// Try N random draws from the ranges
    #[arg(long, value_name = "N", help_heading = "Sweep")]
    pub random: Option<NonZeroUsize>,
    /// Draw uniformly, with :log on a log scale
    #[arg(long, value_name = "NAME=LOW..HIGH[:log]", help_heading = "Sweep")]
    pub range: Vec<Range>,
    /// Successive halving: keep the best 1/N
    #[arg(long, value_name = "N", help_heading = "Sweep")]
    pub halving: Option<usize>,
    /// Read settings from a TOML file; flags win
    #[arg(long, value_name = "FILE", help_heading = "Sweep")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
    /// Devices for trials: auto, gpu, or a list of those of `train devices`
    #[arg(
        long,
        alias = "device",
        value_name = "LIST",
        default_value = "auto",
        help_heading = "Hardware",
        display_order = 0
    )]
    pub devices: String,
    /// Trials at once per device
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = count::<MOST_THREADS>,
        help_heading = "Hardware",
        display_order = 1
    )]
    pub jobs_per_device: NonZeroUsize,
}
