//! Exports models as ONNX files, with operators of opset 18.
//!
//! Takes a network and the shape of its input. Each network and each of its parts appends nodes to a [`Graph`], as its
//! `forward` calls operations. Dropout has no nodes, and batch norm has its running statistics. Does not read ONNX, and
//! does not know runs.

mod export;
mod format;
mod graph;
mod layers;
mod operations;
mod recurrent;
#[cfg(test)]
mod tests;

pub use export::{OnnxScores, export_onnx};
pub use graph::{Graph, Value};
pub use recurrent::{GateActivation, RecurrentKind, RecurrentLayer};
