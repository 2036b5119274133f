//! The models of the papers, one file per paper, and their registry.
//!
//! A model maps normalized input to logits. It does not depend on files, augmentation or training.

mod choi;
mod dong;
mod dwivedi;
mod encoder1d;
mod encoder2d;
mod fma_baselines;
mod head;
mod input;
mod keras;
mod keras_recurrent;
mod layers;
mod multimodal;
mod music_tagger;
mod named;
mod onnx;
mod optimization;
mod pattern;
mod recurrence;
mod recipe;
mod registry;
mod definition;
mod tagging;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod vgg16;
mod weights;
mod won;

pub use definition::{Blueprint, Defaults, Description, Monitor, Network, PublishedFeatures};
pub use input::{InputKind, InputShape, ModelInput, SpectrogramKind, WaveformKind};
pub use layers::Layer;
pub use named::{Parameter, batch_norms, freeze, is_weight, parameters, thaw, visit_named, weight_names};
pub use onnx::{OnnxScores, export_onnx};
pub use optimization::{LrSchedule, OptimizerKind};
pub use pattern::{ParameterPattern, Penalty};
pub use recipe::Recipe;
pub use registry::{Model, ModelKind};
pub use weights::{ImportError, Transfer, export_pytorch, export_weights, import_weights, transfer_weights};
