//! Trains and evaluates genre classifiers on the shards of a data set.
//!
//! The modules are in order: each imports only from those before it.
#![forbid(unsafe_code)]

// The running process: memory, signals, progress output.
pub mod process;
// Random parameters of one clip's augmentation, drawn from seed, epoch and track.
pub mod augment;
// The networks, one file per paper, and weights in the formats of other libraries.
pub mod models;
// Computes model input from clips.
mod frontend;
// Loads batches: order, balance, loader threads.
pub mod loader;
// Metrics.
mod metrics;
// Classical classifiers on feature vectors: k-nearest neighbours, SVMs, logistic regression.
mod classical;
// The settings of a run.
pub mod settings;
// The directory of a run and its files.
mod run;
// A data set opened for one run.
pub mod data;
// One training step on the device.
pub mod step;
// Evaluates a model on a set.
mod evaluation;
// Pages, tables and TensorBoard files of a run.
mod report;
// The training loop.
pub mod training;
// Combines runs: ensembles, and classifiers on embeddings.
mod combine;
// Classifies audio files.
pub mod predict;
// Compares runs.
mod compare;
// Lists the runs below a directory.
mod catalog;
// Hyperparameter search.
mod sweep;
// Measures the training speed of this machine.
mod bench;
// The command line.
pub mod cli;
// The commands.
pub mod commands;

#[cfg(test)]
mod testing;
