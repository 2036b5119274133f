//! One training step on one or several devices: upload, loss, gradients, optimizer.

mod adadelta;
pub mod averaging;
pub mod batch;
mod clip;
pub mod compute;
pub mod data_parallel;
pub mod mixup;
#[cfg(test)]
mod golden_tests;
pub mod objective;
pub mod optimization;
pub mod pace;
pub mod schedule;
pub mod trainer;
