//! Decibels, as `librosa.power_to_db`.

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
        Reference::Max => values.iter().copied().fold(0.0, f32::max),
    };
    let zero = decibels(reference.max(AMIN));
    for value in &mut *values {
        // `max` ignores NaN, so the result is always finite.
        *value = decibels(value.max(AMIN)) - zero;
    }
    if let Some(top_db) = top_db {
        cut_below_max(values, top_db);
    }
}

/// Shifts values in dB so their maximum is 0 dB, and clips them at `top_db` below it. The result is the same as that of
/// [`power_to_db`] with [`Reference::Max`] on the powers.
pub fn refer_to_max(decibels: &mut [f32], top_db: f32) {
    let maximum = decibels.iter().copied().fold(SILENCE_DB, f32::max);
    for value in decibels {
        *value = (*value - maximum).max(-top_db);
    }
}

fn cut_below_max(decibels: &mut [f32], top_db: f32) {
    let floor = decibels.iter().copied().fold(f32::NEG_INFINITY, f32::max) - top_db;
    decibels.iter_mut().for_each(|value| *value = value.max(floor));
}

/// `10 log10(x)` of a positive, normal number, without branches or calls, so loops over it vectorize.
///
/// The exponent is taken from the bits. For the mantissa `m` in [√½, √2), `ln m = 2 artanh s` with `s = (m − 1) / (m +
/// 1)` is computed by its series to s⁷. With |s| ≤ 0.172 the first omitted term is 3e-8, so the error is rounding:
/// below 3e-5 dB.
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
