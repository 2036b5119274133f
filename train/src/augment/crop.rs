//! Where a clip is cut out of its track.

use rand::{Rng, RngExt};
use shared::features::FeatureConfig;

/// The hop at which a clip from the middle of `samples` samples begins.
pub fn centre_hop(samples: usize, features: &FeatureConfig) -> usize {
    samples.saturating_sub(features.clip_samples) / 2 / features.hop_length
}

/// A hop at which `wanted` samples begin that lie within `samples`; 0 where the track is shorter.
pub fn random_hop(samples: usize, wanted: usize, features: &FeatureConfig, rng: &mut impl Rng) -> usize {
    rng.random_range(0..=samples.saturating_sub(wanted) / features.hop_length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_as_far_from_both_ends_as_hops_allow() {
        let features = FeatureConfig::default();
        assert_eq!(centre_hop(features.clip_samples, &features), 0);
        assert_eq!(centre_hop(features.clip_samples - 5, &features), 0);
        // 797,679 samples to spare: 398,839 before, which is 389 hops and a half.
        assert_eq!(centre_hop(1_321_967, &features), 389);
    }

    #[test]
    fn a_track_of_one_clip_has_one_place() {
        let features = FeatureConfig::default();
        let mut rng = shared::rng::stream(0, 0, 0, shared::rng::Purpose::Crop);
        assert_eq!(
            random_hop(features.clip_samples, features.clip_samples, &features, &mut rng),
            0
        );
        assert_eq!(random_hop(1000, features.clip_samples, &features, &mut rng), 0);
    }
}
