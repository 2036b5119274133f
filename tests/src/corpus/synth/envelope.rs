//! How a note's loudness moves.

/// Attack, decay, sustain, release: three times in seconds and a level.
#[derive(Clone, Copy, Debug)]
pub struct Adsr {
    /// Seconds from silence to full.
    pub attack: f32,
    /// Seconds from full towards the sustained level.
    pub decay: f32,
    /// The sustained level.
    pub sustain: f32,
    /// Seconds from the end of the note to silence.
    pub release: f32,
}

impl Adsr {
    /// The level at `time`, for a note that is held for `held` seconds.
    pub fn level(&self, time: f32, held: f32) -> f32 {
        if time >= held {
            let left = 1.0 - (time - held) / self.release;
            return if left > 0.0 {
                self.sounding(held) * left * left
            } else {
                0.0
            };
        }
        self.sounding(time)
    }

    fn sounding(&self, time: f32) -> f32 {
        if time < self.attack {
            time / self.attack
        } else {
            self.sustain + (1.0 - self.sustain) * (-(time - self.attack) / self.decay).exp()
        }
    }

    /// Samples of a note that is held for `held` seconds, its release included.
    pub fn samples(&self, held: f32, rate: f32) -> usize {
        ((held + self.release) * rate) as usize
    }

    /// A note: `wave` gives the sample at a time in seconds.
    pub fn voice(&self, held: f32, rate: f32, mut wave: impl FnMut(f32) -> f32) -> Vec<f32> {
        (0..self.samples(held, rate))
            .map(|index| {
                let time = index as f32 / rate;
                self.level(time, held) * wave(time)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_rises_holds_and_ends_in_silence() {
        let envelope = Adsr {
            attack: 0.1,
            decay: 0.05,
            sustain: 0.5,
            release: 0.2,
        };
        let voice = envelope.voice(1.0, 1000.0, |_| 1.0);
        assert_eq!(voice.len(), 1200);
        assert_eq!(voice[0], 0.0);
        assert!((voice[100] - 1.0).abs() < 0.01);
        assert!((voice[999] - 0.5).abs() < 0.01);
        assert!(voice[1199] < 0.001);
    }

    #[test]
    fn a_note_shorter_than_its_attack_does_not_jump() {
        let envelope = Adsr {
            attack: 1.0,
            decay: 1.0,
            sustain: 1.0,
            release: 0.1,
        };
        let voice = envelope.voice(0.2, 1000.0, |_| 1.0);
        assert!(voice.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.01));
    }
}
