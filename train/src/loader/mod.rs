//! Loads batches from shards: the order of tracks, and the threads that fill batches.
//!
//! A batch is a function of its number. Any number of threads therefore gives the same batches, in the same order, and
//! a run can resume at any of them.

mod balance;
mod batch_buffer;
mod batch_source;
mod clip_counts;
mod excerpt;
mod labels;
mod prefetch;
mod read_ahead;
mod sampler;
mod values;

pub use balance::{Balance, balanced};
pub use batch_buffer::BatchBuffer;
pub use batch_source::{BatchSource, Clips, Target, copy_or_pad};
pub use clip_counts::{EvalClips, TrainClips};
pub use excerpt::{ClipGrid, Excerpt};
pub use labels::{Labels, LabelsView, Targets};
pub use prefetch::{Prefetch, PrefetchReport};
pub use read_ahead::ReadAhead;
pub use sampler::{Batches, training_order};
pub use values::Values;
