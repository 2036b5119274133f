//! Draws the rotation, shifts and flip of an image spectrogram.

use rand::{Rng, RngExt};

/// Largest rotation in degrees, in either direction.
const ROTATION_DEGREES: f64 = 20.0;
/// Largest shift as a fraction of height or width, in either direction.
const SHIFT: f64 = 0.2;
/// How often an image is flipped.
const FLIP_PROBABILITY: f64 = 0.5;

/// One random transformation of an image. The default changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ImagePlan {
    /// Rotation about the centre. Positive values rotate the content clockwise if row 0 is drawn on top.
    pub rotation_degrees: f64,
    /// Shift of the sampling position down, as a fraction of the height. Positive values move the content up.
    pub shift_rows: f64,
    /// Shift of the sampling position right, as a fraction of the width. Positive values move the content left.
    pub shift_columns: f64,
    /// Whether the result is then flipped horizontally.
    pub flip: bool,
}

impl ImagePlan {
    /// Draws a rotation within 20 degrees, shifts within 20% of height and width, and a flip with probability 0.5.
    pub fn draw(rng: &mut impl Rng) -> Self {
        Self {
            rotation_degrees: rng.random_range(-ROTATION_DEGREES..ROTATION_DEGREES),
            shift_rows: rng.random_range(-SHIFT..SHIFT),
            shift_columns: rng.random_range(-SHIFT..SHIFT),
            flip: rng.random_bool(FLIP_PROBABILITY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::runtime::rng::{Purpose, stream};

    #[test]
    fn plans_are_uniform_over_their_ranges() {
        let mut rng = stream(1, 0, 0, Purpose::Image);
        let plans: Vec<ImagePlan> = (0..4000).map(|_| ImagePlan::draw(&mut rng)).collect();
        for (get, limit) in [
            ((|plan| plan.rotation_degrees) as fn(&ImagePlan) -> f64, 20.0),
            (|plan| plan.shift_rows, 0.2),
            (|plan| plan.shift_columns, 0.2),
        ] {
            let values: Vec<f64> = plans.iter().map(|plan| get(plan) / limit).collect();
            assert!(values.iter().all(|value| value.abs() <= 1.0));
            // Standard deviations of these means: 0.009 and 0.0047.
            let mean = |map: fn(f64) -> f64| values.iter().copied().map(map).sum::<f64>() / 4000.0;
            assert!(mean(|value| value).abs() < 0.04);
            assert!((mean(|value| value * value) - 1.0 / 3.0).abs() < 0.02);
        }
        let flipped = plans.iter().filter(|plan| plan.flip).count();
        assert!((1860..2140).contains(&flipped), "{flipped}");
    }
}
