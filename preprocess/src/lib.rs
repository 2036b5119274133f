//! Builds a data set, in the format that `shared` defines, from a collection of audio files. It contains no neural
//! networks.
//!
//! Each module imports only from those before it.

#![forbid(unsafe_code)]

// Sources of tracks: FMA, GTZAN, MagnaTagATune, folders.
pub mod source;
// Builds shards, tables and the index from tracks.
pub mod build;
// Divides tracks into train, val and test.
mod split;
// Merges the parts of a build.
mod merge;
// Adds feature sets to a data set.
mod extend;
// Checks and repairs a data set.
mod verify;
// Describes a data set as text, pictures and pages.
mod inspect;
// Arguments of the command line, and progress bars.
pub mod cli;
// Runs the commands and shows their results.
pub mod commands;

#[cfg(test)]
mod testing;
