//! The excerpts of tracks that training draws from or that are evaluated.

use super::EvalClips;
use shared::dsp::features::FeatureConfig;

/// A few seconds of a track: one clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The track's position in the data set.
    pub position: usize,
    /// Index of the clip within the track, from 0.
    pub number: usize,
    /// Where the clip begins, in hops; `None` if training draws a position in each epoch.
    pub hop: Option<usize>,
}

impl Excerpt {
    /// Seed of the excerpt's randomness, from the track's id and the number of earlier repeats in the epoch. Each
    /// excerpt of a track and each repeat of an excerpt gets its own noise, and its own position if that is drawn.
    pub fn key(self, track_id: u64, repeat: usize) -> u64 {
        // Multiplying by odd 64-bit constants spreads the keys, so they do not collide with another track's id. The
        // constants are 2^64 over the golden ratio and a prime of xxHash.
        track_id
            .wrapping_add((self.number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_add((repeat as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f))
    }
}

/// How a track is cut into clips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipGrid {
    /// Length of a clip in hops.
    pub hops: usize,
    /// Hops skipped at each end of a track.
    pub skipped: usize,
    pub clips: EvalClips,
}

impl ClipGrid {
    /// Where the clips of a track of `samples` samples begin, in hops. All: as many as fit between the skipped ends; if
    /// hops are left over, one more clip ends where they do. A number of clips: at equal distances between the skipped
    /// ends, rounded down to hops; each hop at most once, so a track that is hardly longer than a clip has fewer. A
    /// track that is too short for one clip gets one from its middle, so every track is evaluated.
    pub fn starts(self, samples: usize, features: &FeatureConfig) -> impl Iterator<Item = usize> + use<> {
        let Self { hops, skipped, clips } = self;
        let middle = (samples / features.hop_length).saturating_sub(hops) / 2;
        let usable = self.usable(samples, features);
        // The last start, counted from the skipped end.
        let last = usable.saturating_sub(hops);
        let count = match clips {
            _ if usable < hops => 1,
            EvalClips::All => usable.div_ceil(hops),
            EvalClips::Spread(count) => count.get().min(last + 1),
        };
        (0..count).map(move |number| match clips {
            _ if usable < hops => middle,
            EvalClips::All => skipped + (number * hops).min(last),
            EvalClips::Spread(_) if count == 1 => middle,
            EvalClips::Spread(_) => skipped + number * last / (count - 1),
        })
    }

    /// How many clips fit next to each other into a track of `samples` samples, between the skipped ends; at least one.
    pub fn fitting(self, samples: usize, features: &FeatureConfig) -> usize {
        (self.usable(samples, features) / self.hops).max(1)
    }

    /// Hops between the skipped ends.
    fn usable(self, samples: usize, features: &FeatureConfig) -> usize {
        (samples / features.hop_length).saturating_sub(self.skipped.saturating_mul(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    fn hops(grid: ClipGrid, samples: usize) -> Vec<usize> {
        grid.starts(samples, &FeatureConfig::default()).collect()
    }

    const GRID: ClipGrid = ClipGrid {
        hops: 10,
        skipped: 4,
        clips: EvalClips::All,
    };

    fn spread(count: usize) -> ClipGrid {
        ClipGrid {
            clips: EvalClips::Spread(NonZeroUsize::new(count).unwrap()),
            ..GRID
        }
    }

    #[test]
    fn clips_are_adjacent_and_the_last_one_ends_with_the_track() {
        assert_eq!(hops(GRID, 1024 * 28), [4, 14]);
        assert_eq!(hops(GRID, 1024 * 28 - 1), [4, 13]);
        assert_eq!(hops(GRID, 1024 * 37), [4, 14, 23]);
        assert_eq!(hops(GRID, 1024 * 38), [4, 14, 24]);
        // A track of 30 s and clips of 11.9 s.
        let features = FeatureConfig::default();
        let grid = ClipGrid {
            hops: features.clip_frames(),
            skipped: 0,
            clips: EvalClips::All,
        };
        assert_eq!(hops(grid, 30 * 44_100), [0, 512, 1291 - 512]);
    }

    #[test]
    fn a_short_track_has_one_clip_from_its_middle() {
        for grid in [GRID, spread(1), spread(5)] {
            assert_eq!(hops(grid, 1024 * 14), [2]);
            assert_eq!(hops(grid, 100), [0]);
        }
    }

    #[test]
    fn the_middle_clip_is_centred_in_the_track() {
        assert_eq!(hops(spread(1), 1024 * 30), [10]);
    }

    #[test]
    fn a_number_of_clips_is_spread_from_the_first_to_the_last_possible_start() {
        // Possible starts are the hops 4 to 24.
        assert_eq!(hops(spread(2), 1024 * 38), [4, 24]);
        assert_eq!(hops(spread(3), 1024 * 38), [4, 14, 24]);
        assert_eq!(hops(spread(5), 1024 * 38), [4, 9, 14, 19, 24]);
        assert_eq!(hops(spread(4), 1024 * 38), [4, 10, 17, 24]);
        // Only four starts are possible, then only one.
        assert_eq!(hops(spread(16), 1024 * 21), [4, 5, 6, 7]);
        assert_eq!(hops(spread(16), 1024 * 18), [4]);
    }

    #[test]
    fn clips_that_fit_are_counted_between_the_skipped_ends() {
        let fitting = |hops: usize| GRID.fitting(1024 * hops, &FeatureConfig::default());
        assert_eq!([0, 17, 18, 27, 28, 38].map(fitting), [1, 1, 1, 1, 2, 3]);
    }

    #[test]
    fn clips_and_repeats_of_a_track_have_their_own_keys() {
        let key = |number, repeat| {
            Excerpt {
                position: 3,
                number,
                hop: None,
            }
            .key(7, repeat)
        };
        let mut keys: Vec<u64> = (0..50)
            .flat_map(|number| (0..50).map(move |repeat| key(number, repeat)))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((keys.len(), key(0, 0)), (2500, 7));
    }
}
