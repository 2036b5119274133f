//! One training step on one or several devices: upload, loss, gradients, optimizer.

pub mod batch;
pub mod compute;
pub mod data_parallel;
pub mod mixup;
pub mod objective;
pub mod optimization;
pub mod pace;
pub mod trainer;
