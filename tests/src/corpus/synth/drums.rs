//! Drums: swept sines for skins, filtered noise for wires, hands and metal.

use super::filter::StateVariable;
use rand::{Rng, RngExt};
use std::f32::consts::TAU;

/// A bass drum or tom: a sine that falls to its pitch.
#[derive(Clone, Copy, Debug)]
pub struct Kick {
    /// Where the pitch ends, in Hz.
    pub pitch: f32,
    /// How far above it begins, as a factor.
    pub sweep: f32,
    /// Seconds to fall by 60 dB.
    pub ring: f32,
    /// Strength of the beater's click.
    pub click: f32,
}

impl Kick {
    /// One stroke.
    pub fn voice(&self, rate: f32) -> Vec<f32> {
        let mut phase = 0.0f32;
        (0..(self.ring * rate) as usize)
            .map(|index| {
                let time = index as f32 / rate;
                phase += self.pitch * (1.0 + self.sweep * (-time * 35.0).exp()) / rate;
                let click = self.click * (-time * 600.0).exp();
                ((phase * TAU).sin() * (-6.9 * time / self.ring).exp() + click) * (time * 2000.0).min(1.0)
            })
            .collect()
    }
}

/// Noise through a band-pass, falling.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// Centre of the band, in Hz.
    pub centre: f32,
    /// Narrowness of the band.
    pub quality: f32,
    /// Seconds to fall by 60 dB.
    pub ring: f32,
}

impl Noise {
    /// One stroke.
    pub fn voice(&self, rate: f32, rng: &mut impl Rng) -> Vec<f32> {
        let mut filter = StateVariable::new(rate, self.centre, self.quality);
        // A narrow band lets little through.
        let gain = self.quality.max(0.7).sqrt();
        (0..(self.ring * rate) as usize)
            .map(|index| {
                let level = (-6.9 * index as f32 / (self.ring * rate)).exp();
                gain * level * filter.run(rng.random_range(-1.0..1.0)).band
            })
            .collect()
    }

    /// Cymbals and shakers: only what is above the centre.
    pub fn bright_voice(&self, rate: f32, rng: &mut impl Rng) -> Vec<f32> {
        let mut filter = StateVariable::new(rate, self.centre, self.quality);
        (0..(self.ring * rate) as usize)
            .map(|index| {
                let level = (-6.9 * index as f32 / (self.ring * rate)).exp();
                level * filter.run(rng.random_range(-1.0..1.0)).high
            })
            .collect()
    }
}

/// A snare: a skin and its wires.
pub fn snare(pitch: f32, wires: Noise, rate: f32, rng: &mut impl Rng) -> Vec<f32> {
    let skin = Kick {
        pitch,
        sweep: 0.6,
        ring: 0.14,
        click: 0.3,
    };
    sum(skin.voice(rate), &wires.voice(rate, rng), 0)
}

/// A hand clap: three bursts of noise, the last one ringing.
pub fn clap(band: Noise, rate: f32, rng: &mut impl Rng) -> Vec<f32> {
    let burst = Noise { ring: 0.03, ..band };
    let gap = (0.011 * rate) as usize;
    let mut voice = sum(burst.voice(rate, rng), &burst.voice(rate, rng), gap);
    voice = sum(voice, &band.voice(rate, rng), 2 * gap);
    voice
}

/// `second` laid over `first`, beginning `delay` samples later.
fn sum(mut first: Vec<f32>, second: &[f32], delay: usize) -> Vec<f32> {
    first.resize(first.len().max(delay + second.len()), 0.0);
    for (out, sample) in first[delay..].iter_mut().zip(second) {
        *out += sample;
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn strokes_are_finite_and_end_quietly() {
        let rng = &mut Pcg64Mcg::new(1);
        let noise = Noise {
            centre: 7000.0,
            quality: 1.0,
            ring: 0.1,
        };
        let kick = Kick {
            pitch: 50.0,
            sweep: 4.0,
            ring: 0.4,
            click: 0.5,
        };
        for rate in [22_050.0, 48_000.0] {
            for voice in [
                kick.voice(rate),
                noise.voice(rate, rng),
                noise.bright_voice(rate, rng),
                snare(180.0, noise, rate, rng),
                clap(noise, rate, rng),
            ] {
                let peak = voice.iter().fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
                assert!((0.1..2.5).contains(&peak), "{peak}");
                assert!(voice[voice.len() - 10..].iter().all(|sample| sample.abs() < 0.02));
            }
        }
    }
}
