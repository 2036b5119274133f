//! Landmarks: a peak paired with peaks that follow it.

use super::peaks::{MAX_ROWS, Peak};

/// Hashes are below this: 7 bits of the anchor's row, 7 bits of the rows between the two, 6 bits of the steps between.
pub(super) const HASHES: usize = 1 << (ROW_BITS + ROW_BITS + STEP_BITS);
const ROW_BITS: u32 = 7;
const STEP_BITS: u32 = 6;
const _: () = assert!(MAX_ROWS == 1 << ROW_BITS && ZONE_ROWS < MAX_ROWS as i32 / 2);

/// The target zone: steps after the anchor, 46 ms to 1.5 s by default, and rows below or above it.
const ZONE_STEPS: std::ops::Range<u32> = 2..1 << STEP_BITS;
const ZONE_ROWS: i32 = 40;

/// Peaks of the target zone that an anchor is paired with, the next ones in time. With 3 a track of 30 s has about 1000
/// landmarks. 6 found no more copies and took 2.3 times as long to match; 2 found as many in two thirds of the time.
const FAN_OUT: usize = 3;

/// Two peaks, by what does not depend on where the track begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Landmark {
    /// Of the anchor's row, the rows between and the steps between; below [`HASHES`].
    pub hash: u32,
    /// The anchor's.
    pub step: u32,
}

/// A track's landmarks in the order of their anchors. `peaks` are in the order of their steps.
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
