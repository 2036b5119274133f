//! Draws where a clip begins in its track.

use rand::{Rng, RngExt};
use shared::dsp::features::FeatureConfig;

/// A random hop from which `wanted` samples fit in `samples`; 0 if the track is shorter. The first and last `skipped`
/// hops of the track are left out, or as many of them as the track's length allows.
pub fn random_hop(
    samples: usize,
    wanted: usize,
    skipped: usize,
    features: &FeatureConfig,
    rng: &mut impl Rng,
) -> usize {
    let last = samples.saturating_sub(wanted) / features.hop_length;
    let first = skipped.min(last / 2);
    rng.random_range(first..=last - first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_no_longer_than_one_clip_starts_at_zero() {
        let features = FeatureConfig::default();
        let mut rng = shared::runtime::rng::stream(0, 0, 0, shared::runtime::rng::Purpose::Crop);
        assert_eq!(
            random_hop(features.clip_samples, features.clip_samples, 9, &features, &mut rng),
            0
        );
        assert_eq!(random_hop(1000, features.clip_samples, 0, &features, &mut rng), 0);
    }

    #[test]
    fn skipped_ends_are_left_out_as_far_as_the_track_allows() {
        let features = FeatureConfig::default();
        let mut rng = shared::runtime::rng::stream(0, 0, 0, shared::runtime::rng::Purpose::Crop);
        let mut drawn = |skipped| {
            // Clips of 5 hops can begin at the hops 0 to 9.
            let mut hop = || random_hop(14 * 1024, 5 * 1024, skipped, &features, &mut rng);
            (0..200).map(|_| hop()).collect::<std::collections::BTreeSet<usize>>()
        };
        assert_eq!(drawn(0), (0..=9).collect());
        assert_eq!(drawn(3), (3..=6).collect());
        // The two hops in the middle.
        assert_eq!(drawn(4), [4, 5].into());
        assert_eq!(drawn(usize::MAX), [4, 5].into());
    }
}
