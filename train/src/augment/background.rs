//! Draws the background sound of a clip: which sound, from where in it, and how loud.

use rand::{Rng, RngExt};
use std::ops::Range;

/// Signal-to-noise ratio of clip to sound in dB, uniform in this range: the default of audiomentations'
/// `AddBackgroundNoise`.
const SNR_DB: Range<f32> = 3.0..30.0;

/// A background sound to mix into a clip. Independent of the number of sounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackgroundPlan {
    /// The sound's index is this modulo the number of sounds.
    pub number: u64,
    /// Where the sound begins, as a fraction of its length minus the clip's.
    pub begin: f64,
    /// Signal-to-noise ratio of clip to sound, in dB.
    pub snr_db: f32,
}

impl BackgroundPlan {
    pub fn draw(rng: &mut impl Rng) -> Self {
        Self {
            number: rng.random(),
            begin: rng.random(),
            snr_db: rng.random_range(SNR_DB),
        }
    }
}
