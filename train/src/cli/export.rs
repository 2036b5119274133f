//! Arguments of `train export`.

use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # Export a run and check it in PyTorch
  train export --run runs/crnn --out exported/crnn
  python scripts/bench/torch_check.py exported/crnn

weights.safetensors is a PyTorch state dict. config.json describes the input and
how to compute it from a file. check.safetensors has two clips of input and
their logits. There is no ONNX export.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// Run to export the best weights of
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// Directory to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
