//! Pitch, scales and the grid of steps that a piece is played on.

use rand::{Rng, RngExt};

/// Major scale, in semitones above its root.
pub const MAJOR: &[i32] = &[0, 2, 4, 5, 7, 9, 11];
/// Natural minor.
pub const MINOR: &[i32] = &[0, 2, 3, 5, 7, 8, 10];
/// Harmonic minor.
pub const HARMONIC_MINOR: &[i32] = &[0, 2, 3, 5, 7, 8, 11];
/// Dorian mode.
pub const DORIAN: &[i32] = &[0, 2, 3, 5, 7, 9, 10];
/// Phrygian mode.
pub const PHRYGIAN: &[i32] = &[0, 1, 3, 5, 7, 8, 10];
/// Lydian mode.
pub const LYDIAN: &[i32] = &[0, 2, 4, 6, 7, 9, 11];
/// Minor pentatonic.
pub const PENTATONIC: &[i32] = &[0, 3, 5, 7, 10];

/// Frequency in Hz of a MIDI note number; 69 is the A of 440 Hz.
pub fn hz(note: f32) -> f32 {
    440.0 * ((note - 69.0) / 12.0).exp2()
}

/// The note that stands `degree` steps above `root` in `scale`; steps below it are negative.
pub fn degree(root: i32, scale: &[i32], degree: i32) -> i32 {
    let steps = i32::try_from(scale.len()).expect("scales have a handful of steps");
    let within = usize::try_from(degree.rem_euclid(steps)).expect("a remainder is not negative");
    root + 12 * degree.div_euclid(steps) + scale[within]
}

/// One of `choices`, which is not empty.
pub fn pick<T: Copy>(choices: &[T], rng: &mut impl Rng) -> T {
    choices[rng.random_range(0..choices.len())]
}

/// Equal steps of time, beginning somewhere within a bar as a clip cut from a longer piece does.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Seconds from one step to the next.
    pub step: f32,
    begin: f32,
    steps: usize,
    swing: f32,
}

impl Grid {
    /// A grid for `seconds` of music at `bpm` quarters a minute, `per_beat` steps each, `per_bar` steps a bar.
    pub fn new(bpm: f32, per_beat: usize, per_bar: usize, seconds: f32, rng: &mut impl Rng) -> Self {
        let step = 60.0 / bpm / per_beat as f32;
        let begin = -step * per_bar as f32 * rng.random_range(0.0..1.0);
        Self {
            step,
            begin,
            steps: ((seconds - begin) / step) as usize + 1,
            swing: 0.0,
        }
    }

    /// The same grid with every second step late by `share` of a step.
    pub fn swung(self, share: f32) -> Self {
        Self { swing: share, ..self }
    }

    /// The numbers of all steps; step 0 begins a bar.
    pub fn steps(&self) -> std::ops::Range<usize> {
        0..self.steps
    }

    /// When a step begins, in seconds; the first may lie before the clip does.
    pub fn at(&self, step: usize) -> f32 {
        let late = if step % 2 == 1 { self.swing } else { 0.0 };
        self.begin + self.step * (step as f32 + late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn notes_are_where_a_piano_has_them() {
        assert!((hz(60.0) - 261.63).abs() < 0.01);
        assert_eq!(degree(60, MAJOR, 4), 67);
        assert_eq!(degree(60, MAJOR, 7), 72);
        assert_eq!(degree(60, MAJOR, -1), 59);
        assert_eq!(degree(60, PENTATONIC, -5), 48);
    }

    #[test]
    fn a_grid_covers_its_clip() {
        for seed in 0..20 {
            let grid = Grid::new(120.0, 4, 16, 13.0, &mut Pcg64Mcg::new(seed)).swung(0.3);
            let last = grid.steps().end - 1;
            assert!((-2.0..=0.0).contains(&grid.at(0)), "{}", grid.at(0));
            assert!(grid.at(last) + 1.5 * grid.step > 13.0);
            assert!((grid.at(1) - grid.at(0) - 1.3 * 0.125).abs() < 1e-5);
        }
    }
}
