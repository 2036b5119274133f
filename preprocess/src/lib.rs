//! From a collection of audio files to a data set: every module is one step of `preprocess build`, or one command.
//!
//! Audio files and their tables enter, a directory as `shared` defines it leaves. Nothing here knows of neural networks.

#![forbid(unsafe_code)]

pub mod assembly;
pub mod cli;
pub mod extend;
pub mod feature_sets;
pub mod growth;
pub mod index;
pub mod inside;
pub mod inspect;
pub mod journal;
pub mod label_warnings;
pub mod manual;
pub mod merge;
pub mod ordered;
pub mod part;
pub mod pipeline;
pub mod plan;
pub mod preset;
pub mod progress;
mod quantity;
pub mod recorded;
mod recordings;
pub mod report;
pub mod shard_writer;
pub mod source;
pub mod source_table;
pub mod split;
#[cfg(test)]
mod testing;
pub mod verify;
