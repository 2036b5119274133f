//! Landmarks: a peak paired with peaks that follow it.

use super::peaks::{MAX_ROWS, Peak};

/// Number of hashes: 7 bits for the anchor's row, 7 for the difference of the rows, 6 for the difference of the steps.
pub(super) const HASHES: usize = 1 << (ROW_BITS + ROW_BITS + STEP_BITS);
const ROW_BITS: u32 = 7;
const STEP_BITS: u32 = 6;
const _: () = assert!(MAX_ROWS == 1 << ROW_BITS && ZONE_ROWS < MAX_ROWS as i32 / 2);

/// The target zone: steps after the anchor (46 ms to 1.5 s by default), and rows below or above it.
const ZONE_STEPS: std::ops::Range<u32> = 2..1 << STEP_BITS;
const ZONE_ROWS: i32 = 40;

/// Number of peaks of the target zone that an anchor is paired with, the next ones in time. With 3, a track of 30 s has
/// about 1000 landmarks. 6 found no more copies and matching took 2.3 times as long; 2 found as many in two thirds of
/// the time.
const FAN_OUT: usize = 3;

/// A pair of peaks. Its hash does not depend on where the track begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Landmark {
    /// Hash of the anchor's row and of the differences of rows and steps; below [`HASHES`].
    pub hash: u32,
    /// Step of the anchor.
    pub step: u32,
}

/// Landmarks of a track, in the order of their anchors. `peaks` must be sorted by step.
pub(super) fn landmarks(peaks: &[Peak]) -> impl Iterator<Item = Landmark> {
    peaks.iter().enumerate().flat_map(|(at, &anchor)| {
        peaks[at + 1..]
            .iter()
            .map(move |target| (target.step.saturating_sub(anchor.step), target.row))
            .take_while(|(steps, _)| *steps < ZONE_STEPS.end)
            .filter_map(move |(steps, row)| {
                let rows = i32::from(row) - i32::from(anchor.row);
                let in_zone = steps >= ZONE_STEPS.start && rows.abs() <= ZONE_ROWS;
                let rows = (rows + MAX_ROWS as i32 / 2) as u32;
                in_zone.then_some(Landmark {
                    hash: ((u32::from(anchor.row) << ROW_BITS | rows) << STEP_BITS) | steps,
                    step: anchor.step,
                })
            })
            .take(FAN_OUT)
    })
}
