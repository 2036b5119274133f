//! Draws where a clip begins in its track.

use rand::{Rng, RngExt};
use shared::dsp::features::FeatureConfig;

/// A random hop from which `wanted` samples fit in `samples`; 0 if the track is shorter.
pub fn random_hop(samples: usize, wanted: usize, features: &FeatureConfig, rng: &mut impl Rng) -> usize {
    rng.random_range(0..=samples.saturating_sub(wanted) / features.hop_length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_no_longer_than_one_clip_starts_at_zero() {
        let features = FeatureConfig::default();
        let mut rng = shared::runtime::rng::stream(0, 0, 0, shared::runtime::rng::Purpose::Crop);
        assert_eq!(
            random_hop(features.clip_samples, features.clip_samples, &features, &mut rng),
            0
        );
        assert_eq!(random_hop(1000, features.clip_samples, &features, &mut rng), 0);
    }
}
