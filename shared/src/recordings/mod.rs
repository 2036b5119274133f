//! The same recording under several ids: copies in another encoding, cut elsewhere, at another level or sample rate, with
//! a little noise.
//!
//! The method is A. Wang, "An industrial-strength audio search algorithm" (ISMIR 2003), as D. Ellis' audfprint applies it
//! to decibels, here over the mel spectrogram that a data set stores anyway:
//!
//! 1. [`PeakGrid::peaks`] finds the spectral peaks of a track, about ten a second. They are kept in the summary.
//! 2. Pairs of peaks make landmarks, whose hashes do not depend on where a track was cut.
//! 3. [`search()`] compares all tracks with all. Where two tracks share landmarks at one time offset, the peaks
//!    themselves are compared at that offset.
//!
//! Peaks are found by differences of decibels, so the level does not matter. What is found is the same recording, not the
//! same piece: another performance, tempo or key has other peaks.

mod landmarks;
mod matching;
mod peaks;
mod search;

pub use matching::{Match, compare};
pub use peaks::{MAX_ROWS, Peak, PeakGrid, Track};
pub use search::search;

#[cfg(test)]
mod tests;
