//! From a collection of audio files to a data set, as `shared` defines it. Nothing here knows of neural networks.
//!
//! The rooms, each of which imports only from those before it.

#![forbid(unsafe_code)]

// Where tracks come from: FMA, GTZAN, MagnaTagATune, folders.
pub mod source;
// From tracks to shards, tables and the index.
pub mod build;
// Which tracks are trained on, and which are validated and tested on.
mod split;
// Parts of a build become one data set.
mod merge;
// A data set gets tracks or features.
mod extend;
// Whether a data set is what its index says, and what can be mended.
mod verify;
// What a data set holds, for people.
mod inspect;
// The command line: what was typed, and progress.
pub mod cli;
// What each command does and shows.
pub mod commands;

#[cfg(test)]
mod testing;
