//! Rooms: a reverberator of parallel combs and serial all-passes (Schroeder, 1962; the damping is Moorer's, 1979; the
//! delays are those of Jezar's Freeverb) and an echo.

use super::bus::Bus;
use super::filter::OnePole;

const COMBS: [f32; 6] = [0.025_31, 0.026_94, 0.028_96, 0.030_75, 0.032_24, 0.033_81];
const ALL_PASSES: [f32; 3] = [0.012_61, 0.010_00, 0.007_73];
/// How much longer the right channel's delays are, in seconds.
const SPREAD: f32 = 0.000_52;

/// A room.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Seconds to fall by 60 dB.
    pub ring: f32,
    /// Cutoff in Hz of what the walls give back.
    pub damping: f32,
}

impl Room {
    /// What the room gives back of `dry`, without the dry sound itself.
    pub fn wet(&self, dry: &Bus) -> Bus {
        let mono: Vec<f32> = dry
            .left
            .iter()
            .zip(&dry.right)
            .map(|(left, right)| 0.5 * (left + right))
            .collect();
        Bus {
            rate: dry.rate,
            left: self.channel(&mono, dry.rate, 0.0),
            right: self.channel(&mono, dry.rate, SPREAD),
        }
    }

    fn channel(&self, input: &[f32], rate: f32, spread: f32) -> Vec<f32> {
        let mut out = vec![0.0; input.len()];
        for seconds in COMBS {
            let delay = seconds + spread;
            let feedback = 10f32.powf(-3.0 * delay / self.ring);
            let mut walls = OnePole::new(rate, self.damping);
            let mut line = vec![0.0; (delay * rate) as usize];
            let length = line.len();
            for (index, (out, sample)) in out.iter_mut().zip(input).enumerate() {
                let place = &mut line[index % length];
                *out += *place;
                *place = sample + feedback * walls.run(*place);
            }
        }
        for seconds in ALL_PASSES {
            let mut line = vec![0.0; ((seconds + spread) * rate) as usize];
            let length = line.len();
            for (index, out) in out.iter_mut().enumerate() {
                let place = &mut line[index % length];
                let delayed = *place;
                *place = *out + 0.5 * delayed;
                *out = delayed - 0.5 * *place;
            }
        }
        let scale = 1.0 / COMBS.len() as f32;
        out.iter_mut().for_each(|sample| *sample *= scale);
        out
    }
}

/// A tape echo that goes from ear to ear and gets duller each time.
#[derive(Clone, Copy, Debug)]
pub struct Echo {
    /// Seconds between repeats.
    pub delay: f32,
    /// Gain from one repeat to the next, below 1.
    pub feedback: f32,
    /// Cutoff of the tape, in Hz.
    pub cutoff: f32,
}

impl Echo {
    /// The repeats of `dry`, without the dry sound itself.
    pub fn wet(&self, dry: &Bus) -> Bus {
        let mut wet = dry.sibling();
        let delay = ((self.delay * dry.rate) as usize).max(1);
        let mut tapes = [OnePole::new(dry.rate, self.cutoff); 2];
        for index in delay..dry.left.len() {
            let earlier = index - delay;
            wet.left[index] = tapes[0].run(dry.right[earlier] + self.feedback * wet.right[earlier]);
            wet.right[index] = tapes[1].run(dry.left[earlier] + self.feedback * wet.left[earlier]);
        }
        wet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clicked() -> Bus {
        let mut bus = Bus::silent(22_050.0, 3.0);
        bus.add(0.0, &[1.0], 1.0, -1.0);
        bus
    }

    fn energy(samples: &[f32]) -> f32 {
        samples.iter().map(|sample| sample * sample).sum()
    }

    #[test]
    fn a_room_rings_for_its_time_and_then_is_still() {
        let room = Room {
            ring: 1.0,
            damping: 20_000.0,
        };
        let wet = room.wet(&clicked());
        let rate = 22_050;
        let (early, late) = (energy(&wet.left[..rate / 4]), energy(&wet.left[rate..rate + rate / 4]));
        let fall = 10.0 * (early / late).log10();
        assert!((48.0..80.0).contains(&fall), "{fall} dB in a second");
        assert_ne!(wet.left, wet.right);
    }

    #[test]
    fn echoes_alternate_and_fade() {
        let echo = Echo {
            delay: 0.5,
            feedback: 0.5,
            cutoff: 9000.0,
        };
        let wet = echo.wet(&clicked());
        let half = 11_025;
        let heard = |samples: &[f32], repeat: usize| energy(&samples[repeat * half..repeat * half + 100]);
        assert!(heard(&wet.right, 1) > 0.1 && heard(&wet.left, 1) == 0.0);
        assert!(heard(&wet.left, 2) > 0.0 && heard(&wet.left, 2) < heard(&wet.right, 1));
    }
}
