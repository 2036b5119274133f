//! What is drawn from: whole tracks, of which one clip is cut, or frames at fixed places in them.

use shared::features::FeatureConfig;

/// A track, or one of the frames that it is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The track's position in the data set.
    pub position: usize,
    /// The frame, where tracks are cut into frames.
    pub frame: Option<Frame>,
}

impl Excerpt {
    /// What the excerpt's randomness is drawn with, given the track's id and how often the excerpt came before in the
    /// epoch: other frames of a track have other noise, and so has a track that is drawn again.
    pub fn key(self, track_id: u64, repeat: usize) -> u64 {
        // Odd numbers of 64 bits spread frames and repeats over all numbers, so that they meet no other track's id: 2^64
        // over the golden ratio, and a prime of xxHash.
        let number = self.frame.map_or(0, |frame| frame.number as u64);
        track_id
            .wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_add((repeat as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f))
    }
}

/// A place in a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Counted from 0 within the track.
    pub number: usize,
    /// Where it begins, in hops.
    pub hop: usize,
}

/// How tracks are cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Hops in a frame.
    pub hops: usize,
    /// Hops that are left out at either end of a track.
    pub skipped: usize,
}

impl Framing {
    /// The frames of a track of `samples` samples: as many as fit side by side between the skipped ends. A track in which
    /// none fits has one from its middle, so that every track is judged.
    pub fn frames(self, samples: usize, features: &FeatureConfig) -> impl Iterator<Item = Frame> + use<> {
        let Self { hops, skipped } = self;
        let available = samples / features.hop_length;
        let count = available.saturating_sub(skipped.saturating_mul(2)) / hops;
        let middle = available.saturating_sub(hops) / 2;
        (0..count.max(1)).map(move |number| Frame {
            number,
            hop: if count == 0 { middle } else { skipped + number * hops },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hops(framing: Framing, samples: usize) -> Vec<usize> {
        let features = FeatureConfig::default();
        framing.frames(samples, &features).map(|frame| frame.hop).collect()
    }

    #[test]
    fn frames_lie_side_by_side_between_the_skipped_ends() {
        let framing = Framing { hops: 10, skipped: 4 };
        assert_eq!(hops(framing, 1024 * 28), [4, 14]);
        assert_eq!(hops(framing, 1024 * 28 - 1), [4]);
        assert_eq!(hops(framing, 1024 * 37), [4, 14]);
        assert_eq!(hops(framing, 1024 * 38), [4, 14, 24]);
    }

    #[test]
    fn a_short_track_has_one_frame_from_its_middle() {
        let framing = Framing { hops: 10, skipped: 4 };
        assert_eq!(hops(framing, 1024 * 14), [2]);
        assert_eq!(hops(framing, 100), [0]);
    }
}
