//! From a data set's shards to a trained and evaluated genre classifier.
//!
//! Data flows one way: [`shared::dataset`] → [`loader`] → [`augment`] → [`frontend`] → [`models`] → [`metrics`] →
//! [`report`]. A module imports only what stands before it.
#![forbid(unsafe_code)]

pub mod augment;
pub mod bench;
pub mod checkpoint;
pub mod classical;
pub mod cli;
pub mod commands;
pub mod compute;
pub mod config;
pub mod console;
pub mod data_parallel;
pub mod device;
pub mod ending;
pub mod environment;
pub mod evaluate;
pub mod feature_check;
pub mod features;
pub mod fit;
pub mod front_end_record;
pub mod frontend;
pub mod history;
pub mod integrity;
mod kernels;
pub mod loader;
pub mod local_copy;
pub mod looks;
pub mod mapping_fault;
pub mod memory;
pub mod metrics;
pub mod models;
pub mod objective;
pub mod optimization;
pub mod pace;
pub mod precision;
pub mod predict;
pub mod predictions;
pub mod preparation;
pub mod report;
pub mod resume_command;
pub mod run_data;
pub mod run_directory;
pub mod run_set;
pub mod run_split;
pub mod scoreboard;
pub mod start;
pub mod step;
pub mod stop;
pub mod sweep;
pub mod tensorboard;
#[cfg(test)]
mod testing;
pub mod trainer;
