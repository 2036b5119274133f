//! Builds a data set from the tracks of a source: a plan, a pipeline that decodes in parallel, and an assembly that
//! writes shards and tables in the order of track ids.
//!
//! [`pipeline::build`] is the entry point. An interrupted build resumes from its [`journal`]. [`dry_run::dry_run`]
//! predicts a build.

pub(crate) mod assemble;
pub(crate) mod assembly;
pub mod dry_run;
mod estimate;
pub(crate) mod feature_sets;
pub(crate) mod growth;
pub(crate) mod index;
pub mod journal;
pub(crate) mod label_warnings;
pub(crate) mod ordered;
pub(crate) mod part;
pub mod pipeline;
pub mod plan;
pub(crate) mod preset;
pub mod progress;
pub(crate) mod recorded;
mod recordings;
pub(crate) mod report;
pub(crate) mod shard_writer;
pub(crate) mod source_table;
mod tagged_artists;
pub(crate) mod threads;
pub(crate) mod ties;
