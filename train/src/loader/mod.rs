//! From shards to batches in memory: which tracks, in what order, filled by how many threads.
//!
//! An open data set and a plan enter, filled [`BatchBuffer`]s leave in the order of their numbers. What a batch holds
//! is a function of its number alone, so any number of threads gives the same batches, and a run resumes at any of
//! them.

mod balance;
mod batch_buffer;
mod batch_source;
mod excerpt;
mod labels;
mod prefetch;
mod read_ahead;
mod sampler;

pub use balance::{Balance, balanced};
pub use batch_buffer::BatchBuffer;
pub use batch_source::{BatchSource, Clips, Target, copy_or_pad};
pub use excerpt::{ClipGrid, EvalClips, Excerpt, Place};
pub use labels::{Labels, LabelsView};
pub use prefetch::{Prefetch, PrefetchReport};
pub use read_ahead::ReadAhead;
pub use sampler::{Batches, training_order};
