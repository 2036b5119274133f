//! Arguments of `train lr-find`.

use crate::settings::Settings;
use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # Find a learning rate for a model and an optimizer
  train lr-find --data fma --model crnn --optimizer sgd --out lr-find

Trains 100 steps with rates from 1e-7 to 10, and stops when the loss diverges.
The suggested rate is the one at which the loss falls most steeply: the slope of
a line through the losses of a decade of rates. The weights are not kept.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct LrFindArgs {
    /// Directory to write
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: PathBuf,
    /// Read settings from a TOML file; flags win
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
    /// A device of `train devices`, auto or gpu
    #[arg(long, default_value = "auto", help_heading = "Hardware", display_order = 0)]
    pub device: String,
}
