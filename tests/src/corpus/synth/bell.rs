//! Struck metal by frequency modulation (Chowning, 1973).

use std::f32::consts::TAU;

/// How a bell or bar sounds.
#[derive(Clone, Copy, Debug)]
pub struct Bell {
    /// Modulator over carrier frequency; far from an integer is metallic.
    pub ratio: f32,
    /// Modulation index at the stroke, in radians; it falls faster than the tone.
    pub index: f32,
    /// Seconds until the tone has fallen by 60 dB.
    pub ring: f32,
}

impl Bell {
    /// `seconds` of one note.
    pub fn voice(&self, frequency: f32, seconds: f32, rate: f32) -> Vec<f32> {
        let decay = (-6.9 / (self.ring * rate)).exp();
        let index_decay = (-20.0 / (self.ring * rate)).exp();
        // Keep the strongest sidebands below the Nyquist frequency.
        let room = (0.45 * rate / frequency - 1.0).max(0.0) / self.ratio;
        let mut index = self.index.min(room);
        let mut level = 1.0;
        let (step, modulator_step) = (TAU * frequency / rate, TAU * frequency * self.ratio / rate);
        let (mut carrier, mut modulator) = (0.0f32, 0.0f32);
        let attack = 0.002 * rate;
        (0..(seconds * rate) as usize)
            .map(|sample| {
                let out = level * (carrier + index * modulator.sin()).sin();
                carrier = wrapped(carrier + step);
                modulator = wrapped(modulator + modulator_step);
                level *= decay;
                index *= index_decay;
                out * (sample as f32 / attack).min(1.0)
            })
            .collect()
    }
}

/// An angle that has gone on by less than a turn, brought back below one.
fn wrapped(angle: f32) -> f32 {
    if angle >= TAU { angle - TAU } else { angle }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_rings_as_long_as_it_should() {
        let bell = Bell {
            ratio: 1.41,
            index: 3.0,
            ring: 1.0,
        };
        let voice = bell.voice(800.0, 1.2, 22_050.0);
        let peak = |range: &[f32]| range.iter().fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
        assert!(peak(&voice[..2000]) > 0.7);
        let late = peak(&voice[22_050..23_000]);
        assert!((0.0005..0.0015).contains(&late), "{late}");
    }
}
