//! Parses counts with an upper limit.

use std::num::NonZeroUsize;

/// Parses an integer from 1 to `MAX`.
pub fn count<const MAX: usize>(text: &str) -> Result<NonZeroUsize, String> {
    let count = text.parse().ok().filter(|count: &NonZeroUsize| count.get() <= MAX);
    count.ok_or_else(|| format!("must be a whole number from 1 to {MAX}"))
}
