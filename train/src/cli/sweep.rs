//! `train sweep` as typed.

use super::count::count;
use crate::settings::{MOST_THREADS, Settings};
use crate::sweep::{GridAxis, Range};
use std::num::NonZeroUsize;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:
  train sweep --data fma --model crnn --sweep sweeps/crnn --grid weight_decay=0.0,1e-5,1e-4 --grid dropout=0.1,0.3,0.5
  train sweep --data fma --model crnn --sweep sweeps/drawn --random 27 --range lr=1e-4..1e-2:log --range dropout=0..0.6 \\
      --epochs 27 --halving 3
  train sweep --data fma --sweep sweeps/models --grid model=cnn2d,crnn --monitor loss --devices cuda:0,cuda:1
  train sweep --sweep sweeps/crnn --resume

Settings are named as in config.toml, in snake case; values are TOML, and plain words need no quotes. With --grid and
--range together every draw is tried with the whole grid. Trials are runs, SWEEP/trials/0000 and so on; SWEEP/sweep.csv has
a row for each, SWEEP/heat_map.svg a picture. Trials are ranked by the validation metric that --monitor names. The test set
is never looked at: `train eval` evaluates the run that was chosen, once.

A sweep that was stopped (exit code 75) or killed goes on with the same command, or with --resume alone: trials that are
done are not done again, and others go on from where they were.";

/// `train sweep`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct SweepArgs {
    /// Directory of the sweep: its trials, table, picture
    #[arg(long, value_name = "SWEEP")]
    pub sweep: PathBuf,
    /// Continue the sweep where it stopped; what it was begun with need not be repeated
    #[arg(long)]
    pub resume: bool,
    /// Try all these values of a setting, with those of every other --grid
    #[arg(long, value_name = "NAME=V1,V2,...")]
    pub grid: Vec<GridAxis>,
    /// Try so many draws from the ranges; draw i is the same however many there are
    #[arg(long, value_name = "DRAWS")]
    pub random: Option<NonZeroUsize>,
    /// Draw a setting evenly between two ends, or with :log its logarithm
    #[arg(long, value_name = "NAME=LOW..HIGH[:log]")]
    pub range: Vec<Range>,
    /// Successive halving: train all trials for few epochs, the best one of ETA for ETA times as many, and so on to --epochs
    #[arg(long, value_name = "ETA")]
    pub halving: Option<usize>,
    /// Try trials that failed once more
    #[arg(long)]
    pub retry_failed: bool,
    /// Devices that trials are shared among: auto, cpu, cuda:N, with commas between, or their numbers alone
    #[arg(long, visible_alias = "device", default_value = "auto")]
    pub devices: String,
    /// Trials at once on each device; those on the processor share its threads
    #[arg(long, value_name = "TRIALS", default_value = "1", value_parser = count::<MOST_THREADS>)]
    pub jobs_per_device: NonZeroUsize,
    /// Settings of all trials in TOML, as `fit` takes them; flags win
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// What all trials have
    #[command(flatten)]
    pub settings: Settings,
}
