//! Which other sound is mixed into a clip, from where in it, and how loud.

use rand::{Rng, RngExt};
use std::ops::Range;

/// The clip's level above that of the sound, in dB; uniform in this range, the default of audiomentations'
/// `AddBackgroundNoise`.
const SNR_DB: Range<f32> = 3.0..30.0;

/// A sound to be mixed in, whichever there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackgroundPlan {
    /// Chooses the sound: this modulo their number.
    pub number: u64,
    /// Where it begins: this share of what is left of it beside the clip.
    pub begin: f64,
    /// The clip's level above that of the sound, in dB.
    pub snr_db: f32,
}

impl BackgroundPlan {
    /// Any sound, from anywhere.
    pub fn draw(rng: &mut impl Rng) -> Self {
        Self {
            number: rng.random(),
            begin: rng.random(),
            snr_db: rng.random_range(SNR_DB),
        }
    }
}
