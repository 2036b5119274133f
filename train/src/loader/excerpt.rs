//! The excerpts of tracks that training draws from or that are evaluated.

use serde::{Deserialize, Serialize};
use shared::dsp::features::FeatureConfig;

/// A few seconds of a track: one clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The track's position in the data set.
    pub position: usize,
    /// Where the clip begins; `None` if training draws a position in each epoch.
    pub place: Option<Place>,
}

impl Excerpt {
    /// Seed of the excerpt's randomness, from the track's id and the number of earlier repeats in the epoch. Each
    /// excerpt of a track and each repeat of an excerpt gets its own noise.
    pub fn key(self, track_id: u64, repeat: usize) -> u64 {
        // Multiplying by odd 64-bit constants spreads the keys, so they do not collide with another track's id. The
        // constants are 2^64 over the golden ratio and a prime of xxHash.
        let number = self.place.map_or(0, |place| place.number as u64);
        track_id
            .wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_add((repeat as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f))
    }
}

/// A position in a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the clip within the track, from 0.
    pub number: usize,
    /// Where it begins, in hops.
    pub hop: usize,
}

/// Which clips of a track are evaluated. A track's probabilities are the mean over its clips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum EvalClips {
    /// Adjacent clips from the track's start, and one that ends at its end
    #[default]
    #[serde(rename = "all")]
    All,
    /// One clip from the middle
    #[serde(rename = "1")]
    #[value(name = "1")]
    Middle,
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
    /// The clips of a track of `samples` samples: as many as fit between the skipped ends. If hops are left over, one
    /// more clip ends where they do. A track that is too short for one clip gets one from its middle, so every track is
    /// evaluated.
    pub fn places(self, samples: usize, features: &FeatureConfig) -> impl Iterator<Item = Place> + use<> {
        let Self { hops, skipped, clips } = self;
        let available = samples / features.hop_length;
        let usable = available.saturating_sub(skipped.saturating_mul(2));
        let middle = available.saturating_sub(hops) / 2;
        let only_middle = clips == EvalClips::Middle || usable < hops;
        let count = if only_middle { 1 } else { usable.div_ceil(hops) };
        (0..count).map(move |number| Place {
            number,
            hop: if only_middle {
                middle
            } else {
                skipped + (number * hops).min(usable - hops)
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hops(grid: ClipGrid, samples: usize) -> Vec<usize> {
        let features = FeatureConfig::default();
        grid.places(samples, &features).map(|place| place.hop).collect()
    }

    const GRID: ClipGrid = ClipGrid {
        hops: 10,
        skipped: 4,
        clips: EvalClips::All,
    };

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
        assert_eq!(hops(GRID, 1024 * 14), [2]);
        assert_eq!(hops(GRID, 100), [0]);
    }

    #[test]
    fn the_middle_clip_is_centred_in_the_track() {
        let middle = ClipGrid {
            clips: EvalClips::Middle,
            ..GRID
        };
        assert_eq!(hops(middle, 1024 * 30), [10]);
    }
}
