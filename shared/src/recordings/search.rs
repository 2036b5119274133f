//! Compares all pairs of tracks.
//!
//! An index lists the landmarks of all tracks by hash. For each track, the landmarks of later tracks with the same hash
//! are counted by track and coarse offset in a table of fixed size, whose cells may be shared. Landmarks in cells with
//! enough counts are then compared one by one. 8,000 tracks of 30 s take 12 s on one core and 75 MB.

use super::landmarks::{HASHES, Landmark, landmarks};
use super::matching::{FEWEST_LANDMARKS, best, offset};
use super::peaks::Track;
use rayon::prelude::*;

/// Hashes with more landmarks than this are skipped: they distinguish little, and the search time would grow with the
/// square of their number. In 8,000 tracks of 30 s the most frequent hash has 3,500 of 8.3 million landmarks, and 0.3 %
/// are skipped.
const MOST_LANDMARKS: usize = 2000;

/// Bits of a cell number in the table in which landmarks are counted; the table fits the second-level cache.
const CELL_BITS: u32 = 18;

/// 2^5 consecutive offsets, in steps, share a cell.
const OFFSET_BITS: u32 = 5;

/// Finds the pairs of tracks (positions, the lower one first) that are the same recording, in ascending order.
/// `step_seconds` is the length of a step. The result does not depend on the number of threads.
pub fn search(tracks: &[Track<'_>], step_seconds: f64) -> Vec<(usize, usize)> {
    let index = Index::new(tracks);
    let pairs: Vec<Vec<(usize, usize)>> = (0..tracks.len())
        .into_par_iter()
        .map_init(Scratch::default, |scratch, at| {
            index.matches(tracks, at, step_seconds, scratch)
        })
        .collect();
    pairs.concat()
}

#[derive(Clone, Copy, Default)]
struct Entry {
    track: u32,
    step: u32,
}

/// The landmarks of all tracks, sorted by hash, then by track.
struct Index {
    entries: Vec<Entry>,
    /// Start of the entries of each hash, and the end of the last.
    starts: Vec<usize>,
}

#[derive(Default)]
struct Scratch {
    counts: Vec<u8>,
    /// Later tracks and the offsets at which they share a landmark.
    shared: Vec<(u32, i32)>,
}

impl Index {
    fn new(tracks: &[Track<'_>]) -> Self {
        let mut starts = vec![0; HASHES + 1];
        for mark in tracks.iter().flat_map(|track| landmarks(track.peaks)) {
            starts[mark.hash as usize + 1] += 1;
        }
        for hash in 0..HASHES {
            starts[hash + 1] += starts[hash];
        }
        let mut next = starts.clone();
        let mut entries = vec![Entry::default(); starts[HASHES]];
        for (at, track) in tracks.iter().enumerate() {
            for mark in landmarks(track.peaks) {
                let place = &mut next[mark.hash as usize];
                entries[*place] = Entry {
                    track: at as u32,
                    step: mark.step,
                };
                *place += 1;
            }
        }
        Self { entries, starts }
    }

    /// Later tracks that are the same recording as the one at `at`.
    fn matches(
        &self,
        tracks: &[Track<'_>],
        at: usize,
        step_seconds: f64,
        scratch: &mut Scratch,
    ) -> Vec<(usize, usize)> {
        let Scratch { counts, shared } = scratch;
        counts.clear();
        counts.resize(1 << CELL_BITS, 0);
        self.shared(tracks[at], at, |track, offset| {
            let count = &mut counts[cell(track, offset)];
            *count = count.saturating_add(1);
        });
        shared.clear();
        self.shared(tracks[at], at, |track, offset| {
            if usize::from(counts[cell(track, offset)]) >= FEWEST_LANDMARKS {
                shared.push((track, offset));
            }
        });
        shared.sort_unstable();
        let mut offsets = Vec::new();
        let mut found = Vec::new();
        for same_track in shared.chunk_by(|a, b| a.0 == b.0) {
            offsets.clear();
            offsets.extend(same_track.iter().map(|&(_, offset)| offset));
            let other = same_track[0].0 as usize;
            if best(tracks[at], tracks[other], &offsets, step_seconds).is_some() {
                found.push((at, other));
            }
        }
        found
    }

    /// For each landmark of `track`, which is at position `at`, calls `visit` with each later track that has it, and
    /// its offset.
    fn shared(&self, track: Track<'_>, at: usize, mut visit: impl FnMut(u32, i32)) {
        for Landmark { hash, step } in landmarks(track.peaks) {
            let entries = &self.entries[self.starts[hash as usize]..self.starts[hash as usize + 1]];
            if entries.len() > MOST_LANDMARKS {
                continue;
            }
            let later = entries.partition_point(|entry| entry.track as usize <= at);
            for entry in &entries[later..] {
                visit(entry.track, offset(step, entry.step));
            }
        }
    }
}

/// The cell in which a track's landmarks at about this offset are counted.
fn cell(track: u32, offset: i32) -> usize {
    let coarse = (offset >> OFFSET_BITS) as u32;
    let mixed = track
        .wrapping_mul(0x9e37_79b1)
        .wrapping_add(coarse.wrapping_mul(0x85eb_ca6b));
    (mixed >> (u32::BITS - CELL_BITS)) as usize
}
