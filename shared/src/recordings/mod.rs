//! Finds tracks with the same recording under several ids: copies in another encoding, cut elsewhere, at another level
//! or sample rate, or with a little noise.
//!
//! The method is A. Wang, "An industrial-strength audio search algorithm" (ISMIR 2003), applied to decibels as in D.
//! Ellis' audfprint. It uses the mel spectrogram that a data set stores anyway:
//!
//! 1. [`PeakGrid::peaks`] finds the spectral peaks of a track, about ten per second. They are stored in the summary.
//! 2. Pairs of peaks are landmarks. Their hashes do not depend on where a track was cut.
//! 3. [`search()`] compares all pairs of tracks. If two tracks share landmarks at one time offset, their peaks are
//!    compared at that offset.
//!
//! Peaks are found by differences of decibels, so the level does not matter. Another performance, tempo or key of the
//! same piece is another recording, because its peaks differ.

mod landmarks;
mod matching;
mod peaks;
mod search;

pub use matching::{Match, compare};
pub use peaks::{MAX_ROWS, Peak, PeakGrid, Track};
pub use search::search;

#[cfg(test)]
mod tests;
