//! Arguments of `train export`.

use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # Export a run and check it in PyTorch
  train export --run runs/crnn --out exported/crnn
  python scripts/bench/torch_check.py exported/crnn

  # Export a run and check it in ONNX Runtime
  train export --run runs/crnn --format onnx --out exported/crnn-onnx
  python scripts/bench/onnx_check.py exported/crnn-onnx

weights.safetensors is a PyTorch state dict, model.onnx the network with its
weights. config.json describes the input and how to compute it from a file.
check.safetensors has two clips of input and their logits.";

/// What the weights are exported for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// PyTorch: weights.safetensors, a state dict
    #[default]
    Pytorch,
    /// ONNX Runtime: model.onnx, the network and its weights
    Onnx,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// Run, or set of runs, to export the best weights of
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    /// Format of the weights
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: ExportFormat,
    /// Directory to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
