//! `--jobs` of every command that has it.

use std::num::NonZeroUsize;

/// Threads that were asked for, or one per core.
pub fn jobs(asked: Option<NonZeroUsize>) -> usize {
    asked
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
}
