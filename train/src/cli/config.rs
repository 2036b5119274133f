//! `train config` as typed.

use crate::settings::Settings;

/// `train config`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ConfigArgs {
    /// Settings that differ from the defaults
    #[command(flatten)]
    pub settings: Settings,
}

const EXAMPLES: &str = "Examples:
  train config --model crnn > crnn.toml
  train config --model crnn --lr 3e-4 --augment none > plain.toml
  train fit --config crnn.toml --data fma --run runs/crnn";
