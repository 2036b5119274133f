//! Periodic waves. Corners are rounded by PolyBLEP (Välimäki and Huovilainen, 2007), so that high notes do not alias.

use std::f32::consts::TAU;

/// A running phase. `step` is always frequency / sample rate, in cycles per sample.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oscillator {
    phase: f32,
}

impl Oscillator {
    /// Starts at `phase`, in cycles.
    pub fn new(phase: f32) -> Self {
        Self {
            phase: phase.rem_euclid(1.0),
        }
    }

    fn advance(&mut self, step: f32) -> f32 {
        let phase = self.phase;
        self.phase = (self.phase + step).fract();
        phase
    }

    /// A sine.
    pub fn sine(&mut self, step: f32) -> f32 {
        (self.advance(step) * TAU).sin()
    }

    /// A rising sawtooth.
    pub fn saw(&mut self, step: f32) -> f32 {
        let phase = self.advance(step);
        2.0 * phase - 1.0 - corner(phase, step)
    }

    /// A pulse that is high for `duty` of its period, without its mean.
    pub fn pulse(&mut self, step: f32, duty: f32) -> f32 {
        let phase = self.advance(step);
        let level = if phase < duty { 1.0 } else { -1.0 };
        let falling = (phase - duty).rem_euclid(1.0);
        level + corner(phase, step) - corner(falling, step) - (2.0 * duty - 1.0)
    }

    /// A triangle in sixteen stairs, as the sound chips of old game consoles made it.
    pub fn stepped_triangle(&mut self, step: f32) -> f32 {
        let phase = self.advance(step);
        let triangle = 1.0 - 4.0 * (phase - 0.5).abs();
        (triangle * 7.5).round() / 7.5
    }
}

/// The residual between a unit step at phase 0 and its band-limited form.
fn corner(phase: f32, step: f32) -> f32 {
    if phase < step {
        let t = phase / step;
        t + t - t * t - 1.0
    } else if phase > 1.0 - step {
        let t = (phase - 1.0) / step;
        t * t + t + t + 1.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(mut next: impl FnMut() -> f32) -> f32 {
        (0..44_100).map(|_| next()).sum::<f32>() / 44_100.0
    }

    #[test]
    fn waves_have_no_offset_and_stay_near_unit_range() {
        let step = 441.0 / 44_100.0;
        let (mut saw, mut pulse, mut triangle) = (Oscillator::default(), Oscillator::default(), Oscillator::default());
        for mean in [
            mean(|| saw.saw(step)),
            mean(|| pulse.pulse(step, 0.25)),
            mean(|| triangle.stepped_triangle(step)),
        ] {
            assert!(mean.abs() < 0.02, "{mean}");
        }
        let mut saw = Oscillator::default();
        assert!((0..1000).all(|_| saw.saw(step).abs() <= 1.01));
    }

    #[test]
    fn a_high_saw_aliases_less_than_a_naive_one() {
        // The wave's steepest fall is spread over two samples, where the naive one falls by 2 within one.
        let step = 5000.0 / 44_100.0;
        let mut saw = Oscillator::default();
        let samples: Vec<f32> = (0..1000).map(|_| saw.saw(step)).collect();
        let steepest = samples
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs())
            .fold(0.0, f32::max);
        assert!(steepest < 1.5, "{steepest}");
    }
}
