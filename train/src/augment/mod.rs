//! What is done to a training clip, drawn anew in every epoch: where it is cut, noise, other
//! sounds, time stretch, pitch shift, and how its spectrogram is turned if that is an image.
//!
//! A seed, an epoch and a track enter, a [`ClipPlan`] leaves. Nothing here touches samples; the front end does.

mod background;
mod choice;
mod crop;
mod image;

pub use background::BackgroundPlan;
pub use choice::{Augment, AugmentChoice};
pub use crop::random_hop;
pub use image::ImagePlan;

use rand::RngExt;
use shared::dsp::features::FeatureConfig;
use shared::runtime::rng::{Purpose, stream};

/// How often each augmentation is applied.
const PROBABILITY: f64 = 0.5;
/// Standard deviation of the noise, full scale 1; uniform in this range.
const NOISE_AMPLITUDE: std::ops::Range<f32> = 0.001..0.015;
/// Speed of a stretched clip; uniform in this range, above 1 is faster.
const STRETCH_RATE: std::ops::Range<f64> = 0.8..1.25;

/// Semitones by which a pitch is shifted; uniform in this range, half of audiomentations' default: genres stay genres.
const SEMITONES: std::ops::Range<f64> = -2.0..2.0;

/// Everything that makes one clip of a track: the same plan gives the same samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClipPlan {
    /// Where the clip begins, in hops from the track's beginning. Whole hops, so that a clip can be cut out of a
    /// waveform and out of a mel spectrogram at the same place.
    pub hop: usize,
    /// Amplitude of the noise, if any.
    pub noise: Option<f32>,
    /// Another sound, if one is mixed in.
    pub background: Option<BackgroundPlan>,
    /// Speed, if it is changed.
    pub stretch: Option<f64>,
    /// Semitones, if the pitch is shifted; after all else that changes samples.
    pub pitch_shift: Option<f64>,
    /// What is done to a spectrogram that is an image.
    pub image: Option<ImagePlan>,
    /// Where the noise's randomness comes from: the run's seed, the epoch, the track's id.
    pub key: [u64; 3],
}

impl ClipPlan {
    /// A training clip of a track of `samples` samples, whose randomness is drawn with `key`: its id, say.
    pub fn training(
        augment: Augment,
        seed: u64,
        epoch: u64,
        key: u64,
        samples: usize,
        features: &FeatureConfig,
    ) -> Self {
        let draw = |purpose| stream(seed, epoch, key, purpose);
        // Whether it is applied, and the stream that says how.
        let drawn = |wanted: bool, purpose| {
            let mut rng = draw(purpose);
            (wanted && rng.random_bool(PROBABILITY)).then_some(rng)
        };
        let plan = Self {
            hop: 0,
            noise: drawn(augment.noise, Purpose::Noise).map(|mut rng| rng.random_range(NOISE_AMPLITUDE)),
            background: drawn(augment.background, Purpose::Background).map(|mut rng| BackgroundPlan::draw(&mut rng)),
            stretch: drawn(augment.stretch, Purpose::TimeStretch).map(|mut rng| rng.random_range(STRETCH_RATE)),
            pitch_shift: drawn(augment.pitch_shift, Purpose::PitchShift).map(|mut rng| rng.random_range(SEMITONES)),
            // Its ranges include no change, so that it needs no coin of its own.
            image: augment.image.then(|| ImagePlan::draw(&mut draw(Purpose::Image))),
            key: [seed, epoch, key],
        };
        let mut rng = draw(Purpose::Crop);
        Self {
            hop: random_hop(samples, plan.source_samples(features.clip_samples), features, &mut rng),
            ..plan
        }
    }

    /// Samples of the track that become `clip_samples` samples: `rate` times as many when the speed is changed, so that
    /// a clip that is sped up has no zeros at its end to give the augmentation away.
    pub fn source_samples(&self, clip_samples: usize) -> usize {
        self.stretch
            .map_or(clip_samples, |rate| (clip_samples as f64 * rate).ceil() as usize)
    }

    /// The largest [`source_samples`](Self::source_samples) of any plan that is drawn.
    pub fn longest_source(augment: Augment, clip_samples: usize) -> usize {
        if augment.stretch {
            (clip_samples as f64 * STRETCH_RATE.end).ceil() as usize
        } else {
            clip_samples
        }
    }

    /// The largest downward shift of any plan that is drawn, in semitones: the one that needs most memory.
    pub fn lowest_pitch_shift() -> f64 {
        SEMITONES.start
    }

    /// Whether the waveform stays as it is, so that the stored mel spectrogram can be used.
    pub fn is_plain(&self) -> bool {
        self.noise.is_none() && self.background.is_none() && self.stretch.is_none() && self.pitch_shift.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(augment: Augment) -> Vec<ClipPlan> {
        let features = FeatureConfig::default();
        (0..4000)
            .map(|track| ClipPlan::training(augment, 1, 0, track, 1_321_967, &features))
            .collect()
    }

    #[test]
    fn half_of_the_clips_are_noisy_half_are_stretched_and_a_quarter_both() {
        let plans = plans(Augment::NOISE_AND_STRETCH);
        let share =
            |test: fn(&ClipPlan) -> bool| plans.iter().filter(|plan| test(plan)).count() as f64 / plans.len() as f64;
        // The standard deviation of such a share of 4,000 is 0.008 at most.
        assert!((share(|plan| plan.noise.is_some()) - 0.5).abs() < 0.035);
        assert!((share(|plan| plan.stretch.is_some()) - 0.5).abs() < 0.035);
        assert!((share(|plan| plan.noise.is_some() && plan.stretch.is_some()) - 0.25).abs() < 0.035);
        assert!(
            plans
                .iter()
                .filter_map(|plan| plan.noise)
                .all(|amplitude| NOISE_AMPLITUDE.contains(&amplitude))
        );
        assert!(
            plans
                .iter()
                .filter_map(|plan| plan.stretch)
                .all(|rate| STRETCH_RATE.contains(&rate))
        );
    }

    #[test]
    fn a_clip_never_hangs_over_the_end_of_a_long_track() {
        let features = FeatureConfig::default();
        for plan in plans(Augment::NOISE_AND_STRETCH) {
            let end = plan.hop * features.hop_length + plan.source_samples(features.clip_samples);
            assert!(end <= 1_321_967, "{plan:?}");
        }
    }

    #[test]
    fn without_augmentation_only_the_place_changes() {
        let plans = plans(Augment::NONE);
        assert!(plans.iter().all(ClipPlan::is_plain));
        let mut hops: Vec<_> = plans.iter().map(|plan| plan.hop).collect();
        hops.sort_unstable();
        hops.dedup();
        // (1,321,967 − 2^19) / 1024 = 778 places besides the first.
        assert!(hops.len() > 700 && hops.last() == Some(&778), "{}", hops.len());
    }

    #[test]
    fn epochs_tracks_and_seeds_give_different_clips() {
        let features = FeatureConfig::default();
        let plan = |seed, epoch, track| {
            ClipPlan::training(Augment::NOISE_AND_STRETCH, seed, epoch, track, 1_321_967, &features)
        };
        assert_eq!(plan(1, 2, 3), plan(1, 2, 3));
        let others = [plan(1, 2, 4), plan(1, 3, 3), plan(2, 2, 3)];
        assert!(others.iter().all(|other| other.hop != plan(1, 2, 3).hop));
    }
}
