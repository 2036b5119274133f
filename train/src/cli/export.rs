//! `train export` as typed.

use std::path::PathBuf;

/// `train export`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// Directory of the run whose best weights are exported
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// Directory to write: weights.safetensors, config.json and check.safetensors
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

const EXAMPLES: &str = "Examples:
  train export --run runs/crnn --out exported/crnn
  python scripts/bench/torch_check.py exported/crnn

weights.safetensors is a PyTorch state dict; config.json says what the model takes and how that is made of a file;
check.safetensors has two clips of input and the logits that belong to them. There is no ONNX: no maintained exporter
writes it from Burn.";
