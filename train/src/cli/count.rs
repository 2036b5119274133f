//! Counts as typed.

use std::num::NonZeroUsize;

/// Reads a count from 1 to `MOST`, which is more than any machine can use.
pub fn count<const MOST: usize>(text: &str) -> Result<NonZeroUsize, String> {
    let count = text.parse().ok().filter(|count: &NonZeroUsize| count.get() <= MOST);
    count.ok_or_else(|| format!("must be a whole number from 1 to {MOST}"))
}
