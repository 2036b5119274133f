//! From the tracks of a source to a data set: a plan, a pipeline that decodes in parallel, and one assembly that puts
//! tracks into shards and tables in the order of their ids.
//!
//! [`pipeline::build`] is the way in; a build that was interrupted goes on from its [`journal`]. Which command asked is not
//! known here.

pub(crate) mod assemble;
pub(crate) mod assembly;
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
pub(crate) mod threads;
pub(crate) mod ties;
