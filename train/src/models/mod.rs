//! The systems of the papers, one file per paper, and the registry that names them.
//!
//! Normalized model input enters, logits leave. A model knows nothing of files, augmentation or training.

mod choi;
mod encoder1d;
mod encoder2d;
mod fma_baselines;
mod head;
#[cfg(test)]
mod hostile_weights;
mod import;
mod input;
mod keras;
mod multimodal;
mod named;
mod pattern;
mod pickle_scan;
mod pytorch_export;
mod pytorch_file;
mod pytorch_zip;
mod recurrence;
mod registry;
mod system;
mod tagging;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod vgg16;

pub use import::{ImportError, Transfer, export_weights, import_weights, transfer_weights};
pub use input::{InputKind, InputShape, ModelInput, SpectrogramKind, WaveformKind};
pub use named::{freeze, is_weight, parameter_ids, visit_named, weight_names};
pub use pattern::{ParameterPattern, Penalty};
pub use pytorch_export::export_pytorch;
pub use registry::{Model, ModelKind};
pub use system::{Blueprint, Defaults, Description, Monitor, Network};
