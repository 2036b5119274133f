//! One batch on the device: upload, loss, gradients, optimizer, on one device or several.
//!
//! Epochs, files and stopping are not known here.

pub mod batch;
pub mod compute;
pub mod data_parallel;
pub mod objective;
pub mod optimization;
pub mod pace;
pub mod trainer;
