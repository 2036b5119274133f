//! Pitches, scales and the time grid of a piece.

use rand::{Rng, RngExt};

pub const BAR: usize = 16;

pub const MAJOR: &[i32] = &[0, 2, 4, 5, 7, 9, 11];
pub const MINOR: &[i32] = &[0, 2, 3, 5, 7, 8, 10];
pub const HARMONIC_MINOR: &[i32] = &[0, 2, 3, 5, 7, 8, 11];
pub const DORIAN: &[i32] = &[0, 2, 3, 5, 7, 9, 10];
pub const PHRYGIAN: &[i32] = &[0, 1, 3, 5, 7, 8, 10];
pub const LYDIAN: &[i32] = &[0, 2, 4, 6, 7, 9, 11];
pub const PENTATONIC: &[i32] = &[0, 3, 5, 7, 10];

/// Frequency in Hz of the note `degree` steps above the MIDI note `root` in `scale`; steps below it are negative.
pub fn hz(root: i32, scale: &[i32], degree: i32) -> f32 {
    let steps = scale.len() as i32;
    let note = root + 12 * degree.div_euclid(steps) + scale[degree.rem_euclid(steps) as usize];
    440.0 * ((note - 69) as f32 / 12.0).exp2()
}

/// One of `choices`, which is not empty.
pub fn pick<T: Copy>(choices: &[T], rng: &mut impl Rng) -> T {
    choices[rng.random_range(0..choices.len())]
}

/// Equal time steps. A piece begins within a bar, like a clip cut from a longer piece.
pub struct Grid {
    /// Seconds from one step to the next.
    pub step: f32,
    begin: f32,
    count: usize,
    swing: f32,
}

impl Grid {
    /// Steps for `seconds` of music at `bpm` quarter notes per minute, with `per_beat` steps in each. Every second step
    /// is late by `swing` of a step.
    pub fn new(bpm: f32, per_beat: usize, swing: f32, seconds: f32, rng: &mut impl Rng) -> Self {
        let step = 60.0 / bpm / per_beat as f32;
        let begin = -step * BAR as f32 * rng.random_range(0.0..1.0);
        let count = ((seconds - begin) / step) as usize + 1;
        Self {
            step,
            begin,
            count,
            swing,
        }
    }

    /// Number and time of every step. Step 0 begins a bar and may be before the start of the clip.
    pub fn steps(&self) -> impl Iterator<Item = (usize, f32)> + use<> {
        let Self {
            step,
            begin,
            count,
            swing,
        } = *self;
        (0..count).map(move |number| (number, begin + step * (number as f32 + swing * (number % 2) as f32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn notes_are_in_equal_temperament_at_440_hz() {
        assert!((hz(60, MAJOR, 0) - 261.63).abs() < 0.01);
        assert_eq!(hz(60, MAJOR, 7), hz(72, MAJOR, 0));
        assert_eq!(hz(60, PENTATONIC, -5), hz(48, MINOR, 0));
        assert_eq!(hz(60, MAJOR, 4), hz(67, MINOR, 0));
    }

    #[test]
    fn steps_cover_the_whole_clip() {
        for seed in 0..20 {
            let grid = Grid::new(120.0, 4, 0.3, 13.0, &mut Pcg64Mcg::new(seed));
            let times: Vec<f32> = grid.steps().map(|(_, at)| at).collect();
            assert!((-2.0..=0.0).contains(&times[0]), "{}", times[0]);
            assert!(times[times.len() - 1] + 1.5 * grid.step > 13.0);
            assert!((times[1] - times[0] - 1.3 * 0.125).abs() < 1e-5);
        }
    }
}
