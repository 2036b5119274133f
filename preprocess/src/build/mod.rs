//! From the tracks of a source to a data set: a plan, a pipeline that decodes in parallel, and one assembly that puts
//! tracks into shards and tables in the order of their ids.
//!
//! [`pipeline::build`] is the way in; a build that was interrupted goes on from its [`journal`]. Which command asked is not
//! known here.

pub mod assemble;
pub mod assembly;
pub mod feature_sets;
pub mod growth;
pub mod index;
pub mod journal;
pub mod label_warnings;
pub mod ordered;
pub mod part;
pub mod pipeline;
pub mod plan;
pub mod preset;
pub mod progress;
pub mod recorded;
mod recordings;
pub mod report;
pub mod shard_writer;
pub mod source_table;
pub mod threads;
pub mod ties;
