//! Arguments of `train models`.

use crate::models::ModelKind;

const EXAMPLES: &str = r"Examples:
  # List all models
  train models

  # Show one model
  train models crnn";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ModelsArgs {
    /// Model to show [default: list all]
    #[arg(value_name = "NAME", value_enum, hide_possible_values = true)]
    pub name: Option<ModelKind>,
}
