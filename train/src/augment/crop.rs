//! Where a clip is cut out of its track.

use rand::{Rng, RngExt};
use shared::dsp::features::FeatureConfig;

/// A hop at which `wanted` samples begin that lie within `samples`; 0 where the track is shorter.
pub fn random_hop(samples: usize, wanted: usize, features: &FeatureConfig, rng: &mut impl Rng) -> usize {
    rng.random_range(0..=samples.saturating_sub(wanted) / features.hop_length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_of_one_clip_has_one_place() {
        let features = FeatureConfig::default();
        let mut rng = shared::runtime::rng::stream(0, 0, 0, shared::runtime::rng::Purpose::Crop);
        assert_eq!(
            random_hop(features.clip_samples, features.clip_samples, &features, &mut rng),
            0
        );
        assert_eq!(random_hop(1000, features.clip_samples, &features, &mut rng), 0);
    }
}
