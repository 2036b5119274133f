//! Arguments of `train config`.

use crate::settings::Settings;

const EXAMPLES: &str = r"Examples:
  # Write the settings of a model to a file, edit it and train with it
  train config --model crnn > crnn.toml
  train fit --config crnn.toml --data fma --run runs/crnn

  # Change settings in the file
  train config --model crnn --lr 3e-4 --augment none > plain.toml";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ConfigArgs {
    #[command(flatten)]
    pub settings: Settings,
}
