//! Draws a training clip and its augmentations for each epoch: crop, polarity, gain, noise, background sound, time
//! stretch, pitch shift, masks of a spectrogram, and the transformation of an image spectrogram.
//!
//! A [`ClipPlan`] is a function of seed, epoch and track. The front end applies it; nothing here touches samples.

mod background;
mod choice;
mod crop;
mod image;
mod mixup;
mod spec_augment;

pub use background::BackgroundPlan;
pub use choice::{Augment, AugmentChoice};
pub use crop::random_hop;
pub use image::ImagePlan;
pub use mixup::mixup_lambda;
pub use spec_augment::SpecAugmentPlan;

use rand::RngExt;
use shared::dsp::features::FeatureConfig;
use shared::runtime::rng::{Purpose, stream};

/// How often each augmentation is applied.
const PROBABILITY: f64 = 0.5;
/// Change of a clip's level in dB, uniform in this range.
const GAIN_DB: std::ops::Range<f32> = -6.0..6.0;
/// Standard deviation of the noise at full scale 1, uniform in this range.
const NOISE_AMPLITUDE: std::ops::Range<f32> = 0.001..0.015;
/// Playback rate of a stretched clip, uniform in this range; above 1 is faster.
const STRETCH_RATE: std::ops::Range<f64> = 0.8..1.25;

/// Semitones of a pitch shift, uniform in this range: half of audiomentations' default, which keeps the genre
/// recognisable.
const SEMITONES: std::ops::Range<f64> = -2.0..2.0;

/// Everything that determines one clip of a track: the same plan gives the same samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClipPlan {
    /// Where the clip begins, in hops from the start of the track. Whole hops, so a clip can be cut out of a waveform
    /// and out of a mel spectrogram at the same position.
    pub hop: usize,
    /// Whether the clip's sign is inverted.
    pub invert: bool,
    /// Change of the clip's level in dB, before all other changes of samples: the noise then has its planned level.
    pub gain_db: Option<f32>,
    /// Standard deviation of the added noise.
    pub noise: Option<f32>,
    /// The background sound that is mixed in.
    pub background: Option<BackgroundPlan>,
    /// Playback rate of a time stretch.
    pub stretch: Option<f64>,
    /// Semitones of a pitch shift, which is applied after all other changes of samples.
    pub pitch_shift: Option<f64>,
    /// Masked rows and columns of the spectrogram.
    pub spec_augment: Option<SpecAugmentPlan>,
    /// Transformation of an image spectrogram.
    pub image: Option<ImagePlan>,
    /// Seed of the noise: the run's seed, the epoch, the track's key.
    pub key: [u64; 3],
}

impl ClipPlan {
    /// Draws a training clip of a track of `samples` samples, of which `skipped` hops at each end are left out. `key` is
    /// part of the random seed, for example the track's id.
    pub fn training(
        augment: Augment,
        seed: u64,
        epoch: u64,
        key: u64,
        samples: usize,
        skipped: usize,
        features: &FeatureConfig,
    ) -> Self {
        let draw = |purpose| stream(seed, epoch, key, purpose);
        // Whether an augmentation is applied, with the random stream for its parameters.
        let drawn = |wanted: bool, purpose| {
            let mut rng = draw(purpose);
            (wanted && rng.random_bool(PROBABILITY)).then_some(rng)
        };
        let plan = Self {
            hop: 0,
            invert: drawn(augment.polarity, Purpose::Polarity).is_some(),
            gain_db: drawn(augment.gain, Purpose::Gain).map(|mut rng| rng.random_range(GAIN_DB)),
            noise: drawn(augment.noise, Purpose::Noise).map(|mut rng| rng.random_range(NOISE_AMPLITUDE)),
            background: drawn(augment.background, Purpose::Background).map(|mut rng| BackgroundPlan::draw(&mut rng)),
            stretch: drawn(augment.stretch, Purpose::TimeStretch).map(|mut rng| rng.random_range(STRETCH_RATE)),
            pitch_shift: drawn(augment.pitch_shift, Purpose::PitchShift).map(|mut rng| rng.random_range(SEMITONES)),
            // Their ranges include the identity, so they are always applied.
            spec_augment: (augment.spec_augment).then(|| SpecAugmentPlan::draw(&mut draw(Purpose::SpecAugment))),
            image: augment.image.then(|| ImagePlan::draw(&mut draw(Purpose::Image))),
            key: [seed, epoch, key],
        };
        let mut rng = draw(Purpose::Crop);
        let wanted = plan.source_samples(features.clip_samples);
        Self {
            hop: random_hop(samples, wanted, skipped, features, &mut rng),
            ..plan
        }
    }

    /// Samples of the track that become `clip_samples` samples: `rate` times as many with a time stretch. A faster clip
    /// then has no zeros at its end, from which a model could recognise the augmentation.
    pub fn source_samples(&self, clip_samples: usize) -> usize {
        self.stretch
            .map_or(clip_samples, |rate| (clip_samples as f64 * rate).ceil() as usize)
    }

    /// The largest [`source_samples`](Self::source_samples) of any plan.
    pub fn longest_source(augment: Augment, clip_samples: usize) -> usize {
        if augment.stretch {
            (clip_samples as f64 * STRETCH_RATE.end).ceil() as usize
        } else {
            clip_samples
        }
    }

    /// The largest downward pitch shift of any plan, in semitones. It needs the most memory.
    pub fn lowest_pitch_shift() -> f64 {
        SEMITONES.start
    }

    /// Polarity and gain as one factor.
    pub fn factor(&self) -> f32 {
        let gain = self.gain_db.map_or(1.0, |gain_db| 10f32.powf(gain_db / 20.0));
        if self.invert { -gain } else { gain }
    }

    /// Whether the waveform is unchanged, so the stored mel spectrogram can be used.
    pub fn is_plain(&self) -> bool {
        !self.invert
            && self.gain_db.is_none()
            && self.noise.is_none()
            && self.background.is_none()
            && self.stretch.is_none()
            && self.pitch_shift.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(augment: Augment) -> Vec<ClipPlan> {
        let features = FeatureConfig::default();
        (0..4000)
            .map(|track| ClipPlan::training(augment, 1, 0, track, 1_321_967, 0, &features))
            .collect()
    }

    #[test]
    fn half_of_the_clips_are_noisy_half_are_stretched_and_a_quarter_both() {
        let plans = plans(Augment::NOISE_AND_STRETCH);
        let fraction =
            |test: fn(&ClipPlan) -> bool| plans.iter().filter(|plan| test(plan)).count() as f64 / plans.len() as f64;
        // The standard deviation of such a fraction of 4,000 plans is at most 0.008.
        assert!((fraction(|plan| plan.noise.is_some()) - 0.5).abs() < 0.035);
        assert!((fraction(|plan| plan.stretch.is_some()) - 0.5).abs() < 0.035);
        assert!((fraction(|plan| plan.noise.is_some() && plan.stretch.is_some()) - 0.25).abs() < 0.035);
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
    fn half_of_the_clips_have_another_level_half_another_sign_and_all_have_masks() {
        let augment = Augment {
            gain: true,
            polarity: true,
            spec_augment: true,
            ..Augment::NONE
        };
        let plans = plans(augment);
        let count = |test: fn(&ClipPlan) -> bool| plans.iter().filter(|plan| test(plan)).count();
        // The standard deviation of such a count is at most 32.
        assert!(count(|plan| plan.invert).abs_diff(2000) < 140);
        assert!(count(|plan| plan.gain_db.is_some()).abs_diff(2000) < 140);
        assert!(count(|plan| plan.invert && plan.gain_db.is_some()).abs_diff(1000) < 140);
        assert_eq!(count(|plan| plan.spec_augment.is_some()), 4000);
        assert_eq!(count(|plan| plan.is_plain()), count(|plan| plan.factor() == 1.0));
        let mut gains: Vec<f32> = plans.iter().filter_map(|plan| plan.gain_db).collect();
        gains.sort_unstable_by(f32::total_cmp);
        assert!(gains[0] >= -6.0 && gains[0] < -5.9 && gains[gains.len() - 1] < 6.0);
        let quiet = ClipPlan {
            invert: true,
            gain_db: Some(-6.0),
            ..ClipPlan::default()
        };
        // 10^(-6/20)
        assert!((quiet.factor() + 0.501_187_2).abs() < 1e-6);
    }

    #[test]
    fn new_augmentations_do_not_change_the_draws_of_others() {
        let before = plans(Augment::NOISE_AND_STRETCH);
        let more = Augment {
            gain: true,
            polarity: true,
            spec_augment: true,
            ..Augment::NOISE_AND_STRETCH
        };
        for (before, after) in before.into_iter().zip(plans(more)) {
            let ClipPlan {
                hop, noise, stretch, ..
            } = after;
            assert_eq!((hop, noise, stretch), (before.hop, before.noise, before.stretch));
        }
    }

    #[test]
    fn a_clip_never_exceeds_the_end_of_a_long_track() {
        let features = FeatureConfig::default();
        for plan in plans(Augment::NOISE_AND_STRETCH) {
            let end = plan.hop * features.hop_length + plan.source_samples(features.clip_samples);
            assert!(end <= 1_321_967, "{plan:?}");
        }
    }

    #[test]
    fn without_augmentation_only_the_position_changes() {
        let plans = plans(Augment::NONE);
        assert!(plans.iter().all(ClipPlan::is_plain));
        let mut hops: Vec<_> = plans.iter().map(|plan| plan.hop).collect();
        hops.sort_unstable();
        hops.dedup();
        // (1,321,967 − 2^19) / 1024 = 778 possible hops after 0.
        assert!(hops.len() > 700 && hops.last() == Some(&778), "{}", hops.len());
    }

    #[test]
    fn epochs_tracks_and_seeds_give_different_clips() {
        let features = FeatureConfig::default();
        let plan = |seed, epoch, track| {
            ClipPlan::training(Augment::NOISE_AND_STRETCH, seed, epoch, track, 1_321_967, 0, &features)
        };
        assert_eq!(plan(1, 2, 3), plan(1, 2, 3));
        let others = [plan(1, 2, 4), plan(1, 3, 3), plan(2, 2, 3)];
        assert!(others.iter().all(|other| other.hop != plan(1, 2, 3).hop));
    }
}
