//! A model's weights in files: ours, PyTorch's archives and state dicts, torchvision's names.
//!
//! A file that anybody may have written in, a loaded model or a refusal out. A PyTorch file is scanned before its reader
//! sees it.

mod export;
#[cfg(test)]
mod hostile_weights;
mod import;
mod pickle_scan;
mod pytorch_export;
mod pytorch_file;
mod pytorch_zip;

pub use export::export_weights;
pub use import::{ImportError, Transfer, import_weights, transfer_weights};
pub use pytorch_export::export_pytorch;
