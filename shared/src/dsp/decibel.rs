//! Decibels, as `librosa.power_to_db`.

use super::extremes::maximum;
use crate::dsp::features::DbReference;
use pulp::{Arch, Simd, WithSimd};

/// The power that is 0 dB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reference {
    /// A given power.
    Value(f32),
    /// The largest of the values (librosa's `ref=np.max`).
    Max,
}

/// Lowest power: lower ones are raised to it (librosa's `amin`).
pub const AMIN: f32 = 1e-10;

/// [`AMIN`] in dB at reference 1.0: the stored value of silence.
pub const SILENCE_DB: f32 = -100.0;

/// Converts power to `10 log10(power / reference)` in place. With `top_db`, clips at that much below the largest value.
pub fn power_to_db(values: &mut [f32], reference: Reference, top_db: Option<f32>) {
    let reference = match reference {
        Reference::Value(power) => power,
        Reference::Max => maximum(values, 0.0),
    };
    let zero = decibels(reference.max(AMIN));
    Arch::new().dispatch(Conversion {
        values: &mut *values,
        zero,
    });
    if let Some(top_db) = top_db {
        cut_below_max(values, top_db);
    }
}

struct Conversion<'a> {
    values: &'a mut [f32],
    zero: f32,
}

impl WithSimd for Conversion<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for value in self.values {
            // `max` ignores NaN, so the result is always finite.
            *value = decibels(value.max(AMIN)) - self.zero;
        }
    }
}

/// Shifts values in dB so their maximum is 0 dB, and clips them at `top_db` below it. The result is the same as that of
/// [`power_to_db`] with [`Reference::Max`] on the powers.
pub fn refer_to_max(decibels: &mut [f32], top_db: f32) {
    let maximum = maximum(decibels, SILENCE_DB);
    for value in decibels {
        *value = (*value - maximum).max(-top_db);
    }
}

/// How powers become the decibels of a clip: librosa's `power_to_db`, or with the multiplier 20 its `amplitude_to_db`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecibelScale {
    /// The power that is 0 dB.
    pub reference: DbReference,
    /// Decibels per factor of 10 in power, 10 or 20.
    pub multiplier: f32,
    /// Decibels below the clip's maximum at which values are clipped.
    pub top_db: Option<f32>,
}

impl DecibelScale {
    /// Lowest power, which is [`SILENCE_DB`] with every multiplier: lower ones are raised to it (librosa's `amin`, 1e-5
    /// in `amplitude_to_db`).
    pub fn amin(self) -> f32 {
        if self.multiplier == 10.0 { AMIN } else { AMIN.sqrt() }
    }

    /// Converts powers in place.
    pub fn apply_to_power(self, powers: &mut [f32]) {
        if self.multiplier == 10.0 {
            let reference = match self.reference {
                DbReference::Max => Reference::Max,
                DbReference::One => Reference::Value(1.0),
            };
            power_to_db(powers, reference, self.top_db);
        } else {
            power_to_db(powers, Reference::Value(1.0), None);
            self.apply_to_stored(powers);
        }
    }

    /// Converts decibels with the reference 1.0 and the multiplier 10, as a data set stores them, in place.
    pub fn apply_to_stored(self, decibels: &mut [f32]) {
        if self.multiplier != 10.0 {
            let factor = self.multiplier / 10.0;
            decibels
                .iter_mut()
                .for_each(|value| *value = (*value * factor).max(SILENCE_DB));
        }
        match (self.reference, self.top_db) {
            (DbReference::Max, top_db) => refer_to_max(decibels, top_db.unwrap_or(f32::INFINITY)),
            (DbReference::One, Some(top_db)) => cut_below_max(decibels, top_db),
            (DbReference::One, None) => {}
        }
    }
}

fn cut_below_max(decibels: &mut [f32], top_db: f32) {
    let floor = maximum(decibels, f32::NEG_INFINITY) - top_db;
    decibels.iter_mut().for_each(|value| *value = value.max(floor));
}

/// `10 log10(x)` of a positive, normal number, without branches or calls, so loops over it vectorize.
///
/// The exponent is taken from the bits. For the mantissa `m` in [√½, √2), `ln m = 2 artanh s` with `s = (m − 1) / (m +
/// 1)` is computed by its series to s⁷. With |s| ≤ 0.172 the first omitted term is 3e-8, so the error is rounding:
/// below 3e-5 dB.
#[inline(always)]
fn decibels(x: f32) -> f32 {
    /// 10 log10(2) and 10 log10(e).
    const PER_OCTAVE: f32 = 3.010_3;
    const PER_NEPER: f32 = 4.342_944_8;
    const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let exponent = (shifted as i32) >> 23;
    let mantissa = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(SQRT_HALF_BITS));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let s2 = s * s;
    let ln = 2.0 * s * (1.0 + s2 * (1.0 / 3.0 + s2 * (1.0 / 5.0 + s2 * (1.0 / 7.0))));
    exponent as f32 * PER_OCTAVE + ln * PER_NEPER
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values reach 385 dB, where f32 rounds by 1.5e-5.
    const TOLERANCE_DB: f64 = 5e-5;

    proptest! {
        #[test]
        fn decibels_match_log10(x in f32::MIN_POSITIVE..f32::MAX) {
            let truth = 10.0 * f64::from(x).log10();
            prop_assert!((f64::from(decibels(x)) - truth).abs() < TOLERANCE_DB, "{x}");
        }

        #[test]
        fn decibels_match_log10_for_small_and_ordinary_numbers(exponent in -12.0f64..6.0) {
            let x = 10f64.powf(exponent) as f32;
            prop_assert!((f64::from(decibels(x)) - 10.0 * f64::from(x).log10()).abs() < TOLERANCE_DB);
        }

        #[test]
        fn any_input_becomes_finite(mut values in prop::collection::vec(any::<f32>(), 0..40), top_db in 1.0f32..120.0) {
            power_to_db(&mut values, Reference::Max, Some(top_db));
            prop_assert!(values.iter().all(|value| value.is_finite() && *value <= 1e-4 && *value >= -top_db - 1e-3));
        }

        #[test]
        fn refer_to_max_matches_power_to_db_with_max_reference(powers in prop::collection::vec(1e-9f32..1e3, 1..40)) {
            let (mut at_once, mut later) = (powers.clone(), powers);
            power_to_db(&mut at_once, Reference::Max, Some(80.0));
            power_to_db(&mut later, Reference::Value(1.0), None);
            refer_to_max(&mut later, 80.0);
            for (a, b) in at_once.iter().zip(&later) {
                prop_assert!((a - b).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn every_scale_gives_the_same_from_powers_and_from_stored_decibels() {
        // librosa.power_to_db(S, ref=..., top_db=...) and librosa.amplitude_to_db(S, ref=..., top_db=...).
        let powers = [0.0, 1e-7, 1e-3, 4.0];
        let [zero, low, middle, high] = [-100.0, -70.0, -30.0, 6.020_6];
        let expected = [
            (DbReference::Max, 10.0, Some(80.0), [-80.0, -76.020_6, -36.020_6, 0.0]),
            (DbReference::Max, 10.0, None, [-106.020_6, -76.020_6, -36.020_6, 0.0]),
            (DbReference::One, 10.0, None, [zero, low, middle, high]),
            (DbReference::One, 10.0, Some(80.0), [high - 80.0, low, middle, high]),
            (DbReference::One, 20.0, None, [-100.0, -100.0, -60.0, 12.041_2]),
            (
                DbReference::One,
                20.0,
                Some(80.0),
                [-67.958_8, -67.958_8, -60.0, 12.041_2],
            ),
            (DbReference::Max, 20.0, Some(80.0), [-80.0, -80.0, -72.041_2, 0.0]),
        ];
        for (reference, multiplier, top_db, expected) in expected {
            let scale = DecibelScale {
                reference,
                multiplier,
                top_db,
            };
            let (mut at_once, mut later) = (powers, powers);
            scale.apply_to_power(&mut at_once);
            power_to_db(&mut later, Reference::Value(1.0), None);
            scale.apply_to_stored(&mut later);
            for found in [at_once, later] {
                let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
                assert!(worst.fold(0.0, f32::max) < 2e-4, "{scale:?}: {found:?}");
            }
        }
    }

    #[test]
    fn silence_is_finite() {
        let mut values = [0.0; 4];
        power_to_db(&mut values, Reference::Max, Some(80.0));
        assert_eq!(values, [0.0; 4]);
        let mut values = [0.0; 4];
        power_to_db(&mut values, Reference::Value(1.0), None);
        assert!(
            values.iter().all(|value| (value - SILENCE_DB).abs() < 1e-4),
            "{values:?}"
        );
    }
}
