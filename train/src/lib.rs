//! From a data set's shards to a trained and evaluated genre classifier.
//!
//! The rooms, each of which imports only from those before it.
#![forbid(unsafe_code)]

// This process: its memory, its signals, what it prints.
pub mod process;
// The plan of one clip, drawn from seed, epoch and track.
pub mod augment;
// The networks, one file per paper, and their weights in other libraries' files.
pub mod models;
// A planned clip in, model input out.
mod frontend;
// Which clips, in what order, filled by how many threads.
pub mod loader;
// Labels and scores in, metrics out.
mod metrics;
// Vectors in, classes out.
mod classical;
// What a person may set.
pub mod settings;
// The directory of a run, and the records in it.
mod run;
// A data set that was opened for one run.
pub mod data;
// One batch on the device.
pub mod step;
// A model and a set in, predictions and metrics out.
mod evaluation;
// A run in, pages, tables and TensorBoard files out.
mod report;
// The loop.
pub mod training;
// A run and audio files in, classes out.
mod predict;
// Runs side by side.
mod compare;
// Many trainings, and the search over their settings.
mod sweep;
// How fast this machine trains.
mod bench;
// The command line.
pub mod cli;
// What each command does.
pub mod commands;

#[cfg(test)]
mod testing;
