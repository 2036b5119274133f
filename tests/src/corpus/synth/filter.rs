//! Filters: a resonant state-variable filter and a one-pole.

use std::f32::consts::{PI, TAU};

/// Zero-delay state-variable filter (Simper, "Linear Trapezoidal Integrated SVF", 2013): stable while its cutoff moves.
#[derive(Clone, Copy, Debug)]
pub struct StateVariable {
    rate: f32,
    gains: [f32; 3],
    damping: f32,
    state: [f32; 2],
}

/// What a [`StateVariable`] filter makes of one sample.
#[derive(Clone, Copy, Debug)]
pub struct Bands {
    /// Below the cutoff.
    pub low: f32,
    /// Around it.
    pub band: f32,
    /// Above it.
    pub high: f32,
}

impl StateVariable {
    /// A filter for a sample rate, with a cutoff in Hz and a quality (0.7 is flat, 10 rings).
    pub fn new(rate: f32, cutoff: f32, quality: f32) -> Self {
        let mut filter = Self {
            rate,
            gains: [0.0; 3],
            damping: 1.0,
            state: [0.0; 2],
        };
        filter.tune(cutoff, quality);
        filter
    }

    /// Moves the cutoff. It is kept below the Nyquist frequency.
    pub fn tune(&mut self, cutoff: f32, quality: f32) {
        let g = (PI * (cutoff.max(10.0) / self.rate).min(0.45)).tan();
        self.damping = 1.0 / quality;
        let a1 = 1.0 / (1.0 + g * (g + self.damping));
        self.gains = [a1, g * a1, g * g * a1];
    }

    /// Takes one sample in and gives its three bands.
    pub fn run(&mut self, input: f32) -> Bands {
        let [a1, a2, a3] = self.gains;
        let v3 = input - self.state[1];
        let band = a1 * self.state[0] + a2 * v3;
        let low = self.state[1] + a2 * self.state[0] + a3 * v3;
        self.state = [2.0 * band - self.state[0], 2.0 * low - self.state[1]];
        Bands {
            low,
            band,
            high: input - self.damping * band - low,
        }
    }
}

/// Cutoffs that move are set anew once in so many samples.
const TUNING_INTERVAL: usize = 32;

/// Filters `voice` in place with a cutoff that is a function of time in seconds; `choose` takes the wanted band.
pub fn sweep(voice: &mut [f32], rate: f32, quality: f32, cutoff: impl Fn(f32) -> f32, choose: impl Fn(Bands) -> f32) {
    let mut filter = StateVariable::new(rate, cutoff(0.0), quality);
    for (block, samples) in voice.chunks_mut(TUNING_INTERVAL).enumerate() {
        filter.tune(cutoff((block * TUNING_INTERVAL) as f32 / rate), quality);
        for sample in samples {
            *sample = choose(filter.run(*sample));
        }
    }
}

/// Low-pass of 6 dB per octave.
#[derive(Clone, Copy, Debug)]
pub struct OnePole {
    share: f32,
    state: f32,
}

impl OnePole {
    /// A filter for a sample rate, with a cutoff in Hz.
    pub fn new(rate: f32, cutoff: f32) -> Self {
        Self {
            share: 1.0 - (-TAU * cutoff / rate).exp(),
            state: 0.0,
        }
    }

    /// Takes one sample in and gives one out.
    pub fn run(&mut self, input: f32) -> f32 {
        self.state += self.share * (input - self.state);
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::synth::oscillator::Oscillator;

    fn gain(frequency: f32, choose: impl Fn(Bands) -> f32) -> f32 {
        let mut oscillator = Oscillator::default();
        let mut filter = StateVariable::new(44_100.0, 1000.0, 0.7);
        let out: Vec<f32> = (0..44_100)
            .map(|_| choose(filter.run(oscillator.sine(frequency / 44_100.0))))
            .collect();
        out[22_050..]
            .iter()
            .fold(0.0, |peak: f32, sample| peak.max(sample.abs()))
    }

    #[test]
    fn bands_are_where_they_should_be() {
        assert!(gain(100.0, |bands| bands.low) > 0.97);
        assert!(gain(10_000.0, |bands| bands.low) < 0.03);
        assert!(gain(10_000.0, |bands| bands.high) > 0.97);
        assert!(gain(100.0, |bands| bands.high) < 0.03);
        assert!((gain(1000.0, |bands| bands.band) - 0.7).abs() < 0.05);
    }

    #[test]
    fn a_cutoff_beyond_nyquist_stays_stable() {
        let mut voice = vec![1.0; 44_100];
        sweep(&mut voice, 22_050.0, 8.0, |time| 1e5 * time, |bands| bands.low);
        assert!(voice.iter().all(|sample| sample.abs() < 20.0));
    }
}
