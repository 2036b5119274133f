//! The factor of each line: global gain, scale factor and gain of the window.

use super::bands::{Bands, LINES};
use super::scale_factors::ScaleFactors;
use super::side_information::Granule;

/// Added to the scale factors of long bands if the frame asks for emphasis.
const EMPHASIS: [u8; 22] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 2, 0];

/// Powers of two with fractional exponents of 0 to 3 quarters.
const QUARTERS: [f32; 4] = [1.0, 1.189_207_1, std::f32::consts::SQRT_2, 1.681_792_8];

/// Two to the power of a number of quarters.
fn power(quarters: i32) -> f32 {
    QUARTERS[(quarters & 3) as usize] * f32::from_bits(((127 + (quarters >> 2)) as u32) << 23)
}

/// Sets the factor of each pair of lines.
pub(super) fn set_gains(granule: &Granule, factors: &ScaleFactors, bands: &Bands, gains: &mut [f32; LINES / 2]) {
    let global = i32::from(granule.global_gain) - 210;
    let shift = if granule.is_coarse { 2 } else { 1 };
    let mut rest = &mut gains[..];
    for (band, &pairs) in bands.pairs[..bands.count].iter().enumerate() {
        let factor = i32::from(factors.values[band]);
        let quarters = match band.checked_sub(bands.long) {
            None if factors.has_emphasis => global - ((factor + i32::from(EMPHASIS[band])) << shift),
            None => global - (factor << shift),
            Some(short) => global - 8 * i32::from(granule.window_gains[short % 3]) - (factor << shift),
        };
        let (gains, after) = rest.split_at_mut(usize::from(pairs));
        gains.fill(power(quarters));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_exact_to_the_last_bit() {
        for quarters in -400..=60 {
            assert_eq!(
                power(quarters),
                (0.25 * f64::from(quarters)).exp2() as f32,
                "{quarters}"
            );
        }
    }
}
