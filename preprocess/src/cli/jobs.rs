//! The value of `--jobs`.

use std::num::NonZeroUsize;

/// The number of threads; one per core by default.
pub fn jobs(given: Option<NonZeroUsize>) -> usize {
    given
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
}
