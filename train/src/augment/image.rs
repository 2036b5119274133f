//! How a spectrogram that is an image is turned, shifted and mirrored.

use rand::{Rng, RngExt};

/// Largest rotation in degrees, either way.
const ROTATION_DEGREES: f64 = 20.0;
/// Largest shift as a share of height or width, either way.
const SHIFT: f64 = 0.2;
/// How often an image is mirrored.
const FLIP_PROBABILITY: f64 = 0.5;

/// One random transformation of an image. The default leaves it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ImagePlan {
    /// Rotation about the centre; positive ones turn what is seen clockwise, where row 0 is drawn on top.
    pub rotation_degrees: f64,
    /// How far down the image is looked at, as a share of its height: positive ones move what is seen up.
    pub shift_rows: f64,
    /// How far to the right the image is looked at, as a share of its width: positive ones move what is seen left.
    pub shift_columns: f64,
    /// Whether the result is then mirrored, its last column first.
    pub flip: bool,
}

impl ImagePlan {
    /// Rotation uniform within 20 degrees either way, shifts within a fifth of height and width, and a flip in half of
    /// all images.
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
    fn plans_are_drawn_evenly_from_their_ranges() {
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
            let mean = |of: fn(f64) -> f64| values.iter().copied().map(of).sum::<f64>() / 4000.0;
            assert!(mean(|value| value).abs() < 0.04);
            assert!((mean(|value| value * value) - 1.0 / 3.0).abs() < 0.02);
        }
        let flipped = plans.iter().filter(|plan| plan.flip).count();
        assert!((1860..2140).contains(&flipped), "{flipped}");
    }
}
