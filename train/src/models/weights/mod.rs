//! Weight files: this project's safetensors, PyTorch archives and state dicts, and the names that authors gave to
//! parameters in PyTorch and Keras.
//!
//! Weight files are untrusted. A PyTorch file is scanned before its third-party reader opens it.

mod export;
mod gates;
#[cfg(test)]
mod hostile_weights;
mod import;
mod keras_layout;
mod pickle_scan;
#[cfg(test)]
pub(crate) mod published;
mod pytorch_export;
mod pytorch_file;
mod pytorch_zip;

pub use export::export_weights;
pub use import::{ImportError, Transfer, import_weights, transfer_weights};
pub use pytorch_export::export_pytorch;
