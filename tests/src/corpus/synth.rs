//! Synthesises tones from sines, noise and drums, and mixes them to stereo with echoes.
//!
//! Times are in seconds, frequencies in Hz, gains linear. A voice is a mono `Vec<f32>` at the given sample rate.

use rand::{Rng, RngExt};
use std::array;
use std::f32::consts::{FRAC_PI_4, TAU};

/// A fall of 60 dB is `exp(-DB_60)`.
const DB_60: f32 = 6.9;
/// Partials above this fraction of the sample rate are left out, because they would alias.
const HIGHEST: f32 = 0.45;

/// Number of partials computed at once, for speed.
const LANES: usize = 8;
/// Delays of a room, from Jezar's Freeverb.
const ROOM: [f32; 6] = [0.025_31, 0.026_94, 0.028_96, 0.030_75, 0.032_24, 0.033_81];

/// One sine of a tone.
#[derive(Clone, Copy, Debug)]
pub struct Partial {
    pub hz: f32,
    pub level: f32,
    /// Time to fall by 60 dB.
    pub ring: f32,
}

impl Partial {
    pub const fn new(hz: f32, level: f32, ring: f32) -> Self {
        Self { hz, level, ring }
    }
}

/// A sum of decaying sines: strings, pipes, metal bars and electronic waves. It rises within `attack`, starts to fade
/// after `held`, and is silent after another `release`.
pub fn tone(rate: f32, [attack, held, release]: [f32; 3], partials: &[Partial]) -> Vec<f32> {
    let mut voice = vec![0.0; ((held + release) * rate) as usize];
    let sounds = |partial: &&Partial| partial.hz < HIGHEST * rate && partial.level.abs() > 0.01;
    let audible: Vec<&Partial> = partials.iter().filter(sounds).collect();
    for group in audible.chunks(LANES) {
        // Decaying rotations; the y coordinate is the wave.
        let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
        let (mut turn_x, mut turn_y) = ([0.0; LANES], [0.0; LANES]);
        for (lane, partial) in group.iter().enumerate() {
            let (sin, cos) = (TAU * partial.hz / rate).sin_cos();
            let decay = (-DB_60 / (partial.ring * rate)).exp();
            (x[lane], turn_x[lane], turn_y[lane]) = (partial.level, decay * cos, decay * sin);
        }
        for sample in &mut voice {
            *sample += y.iter().sum::<f32>();
            for lane in 0..LANES {
                let (from_x, from_y) = (x[lane], y[lane]);
                x[lane] = from_x * turn_x[lane] - from_y * turn_y[lane];
                y[lane] = from_x * turn_y[lane] + from_y * turn_x[lane];
            }
        }
    }
    for (index, sample) in voice.iter_mut().enumerate() {
        let time = index as f32 / rate;
        let left = (1.0 - (time - held) / release).clamp(0.0, 1.0);
        *sample *= (time / attack).min(1.0) * left * left;
    }
    voice
}

/// The first 60 harmonics of a frequency. `level` maps a harmonic's number and frequency to its level. The nth harmonic
/// rings for `ring / n`.
pub fn harmonics(hz: f32, ring: f32, level: impl Fn(f32, f32) -> f32) -> Vec<Partial> {
    let numbers = (1..=60).map(|number| number as f32);
    numbers
        .map(|number| Partial::new(number * hz, level(number, number * hz), ring / number))
        .collect()
}

/// Gain of a low-pass filter with 12 dB per octave at a frequency. A quality of 0.7 is flat, 8 resonates at the cutoff.
pub fn low_pass(hz: f32, cutoff: f32, quality: f32) -> f32 {
    let ratio = hz / cutoff;
    (1.0 - ratio * ratio).hypot(ratio / quality).recip()
}

/// Noise in a band of `width` Hz around `centre` that falls by 60 dB in `ring`.
pub fn noise(rate: f32, centre: f32, width: f32, ring: f32, rng: &mut impl Rng) -> Vec<f32> {
    let radius = (-TAU * 0.5 * width / rate).exp();
    let (turn_y, turn_x) = (TAU * centre.min(HIGHEST * rate) / rate).sin_cos();
    let (mut x, mut y) = (0.0, 0.0);
    let gain = (3.0 * (1.0 - radius * radius)).sqrt();
    let sample = |index: usize| {
        (x, y) = (
            radius * (x * turn_x - y * turn_y) + rng.random_range(-1.0..1.0),
            radius * (x * turn_y + y * turn_x),
        );
        gain * y * (-DB_60 * index as f32 / (ring * rate)).exp()
    };
    (0..(ring * rate) as usize).map(sample).collect()
}

/// A drum: a sine whose frequency falls from `(1 + fall) * hz` to `hz`.
pub fn drum(rate: f32, hz: f32, fall: f32, ring: f32) -> Vec<f32> {
    let mut phase = 0.0f32;
    let sample = |index: usize| {
        let time = index as f32 / rate;
        phase += hz * (1.0 + fall * (-35.0 * time).exp()) / rate;
        (TAU * phase).sin() * (-DB_60 * time / ring).exp()
    };
    (0..(ring * rate) as usize).map(sample).collect()
}

/// Stereo sound of a fixed length.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// Frames per second.
    pub rate: f32,
    /// Left and right, of the same length.
    pub channels: [Vec<f32>; 2],
}

impl Mix {
    pub fn silent(rate: f32, seconds: f32) -> Self {
        let frames = (seconds * rate).ceil() as usize;
        Self {
            rate,
            channels: [vec![0.0; frames], vec![0.0; frames]],
        }
    }

    /// A silent mix as long as `self`.
    pub fn silence(&self) -> Self {
        Self {
            rate: self.rate,
            channels: self.channels.each_ref().map(|channel| vec![0.0; channel.len()]),
        }
    }

    pub fn seconds(&self) -> f32 {
        self.channels[0].len() as f32 / self.rate
    }

    /// Root mean square.
    pub fn rms(&self) -> f32 {
        let power: f32 = self.channels.iter().flatten().map(|sample| sample * sample).sum();
        (power / (2 * self.channels[0].len()) as f32).sqrt()
    }

    /// Adds a voice that starts at `at`, panned at constant power: -1 is left, 1 is right. Samples before the beginning
    /// or after the end are cut off.
    pub fn add(&mut self, at: f32, voice: &[f32], gain: f32, pan: f32) {
        let begin = (at * self.rate).round() as i64;
        let skipped = usize::try_from(-begin).unwrap_or(0).min(voice.len());
        let begin = usize::try_from(begin).unwrap_or(0).min(self.channels[0].len());
        let (right, left) = ((pan + 1.0) * FRAC_PI_4).sin_cos();
        for (channel, side) in self.channels.iter_mut().zip([left, right]) {
            for (out, sample) in channel[begin..].iter_mut().zip(&voice[skipped..]) {
                *out += gain * side * sample;
            }
        }
    }

    /// Adds another mix from the beginning.
    pub fn mix(&mut self, other: &Self, gain: f32) {
        for (channel, added) in self.channels.iter_mut().zip(&other.channels) {
            for (out, sample) in channel.iter_mut().zip(added) {
                *out += gain * sample;
            }
        }
    }

    /// Reflections that repeat after each of `delays`, low-passed at `cutoff` each time and 60 dB lower after `ring`:
    /// an echo with one delay, a room with several (Schroeder, 1962).
    pub fn reflections(&self, delays: &[f32], ring: f32, cutoff: f32) -> Self {
        let smoothing = 1.0 - (-TAU * cutoff / self.rate).exp();
        let reflected = |side: usize| {
            let input = &self.channels[side];
            let mut out = vec![0.0; input.len()];
            for delay in delays {
                let feedback = 10f32.powf(-3.0 * delay / ring);
                let frames = (delay * self.rate) as usize + 23 * side;
                let (mut line, mut dull) = (vec![0.0; frames], 0.0);
                for (index, (out, sample)) in out.iter_mut().zip(input).enumerate() {
                    let place = &mut line[index % frames];
                    *out += *place / delays.len() as f32;
                    dull += smoothing * (*place - dull);
                    *place = sample + feedback * dull;
                }
            }
            out
        };
        Self {
            rate: self.rate,
            channels: array::from_fn(reflected),
        }
    }

    /// Adds `dry` and its reflections in a room where sound falls by 60 dB in `ring`; `wet` is the gain of the
    /// reflections.
    pub fn mix_in_room(&mut self, dry: &Self, ring: f32, wet: f32) {
        self.mix(dry, 1.0);
        self.mix(&dry.reflections(&ROOM, ring, 5000.0), wet);
    }

    /// The last step before the encoder: a spectral tilt, hiss and a level, drawn at random for each track so they
    /// do not depend on the genre. No sample reaches full scale.
    pub fn master(&mut self, rng: &mut impl Rng) {
        let mut draw = |low: f32, high: f32| 10f32.powf(rng.random_range(low..high) / 20.0);
        let (level, tilt, hiss) = (draw(-25.0, -14.0), draw(-2.5, 2.5), draw(-75.0, -50.0));
        let smoothing = 1.0 - (-TAU * 900.0 / self.rate).exp();
        for channel in &mut self.channels {
            let mut low = 0.0;
            for sample in channel.iter_mut() {
                low += smoothing * (*sample - low);
                *sample = low / tilt + (*sample - low) * tilt;
            }
        }
        let rms = self.rms().max(1e-9);
        for sample in self.channels.iter_mut().flatten() {
            let noise = 3f32.sqrt() * hiss * rng.random_range(-1.0..1.0);
            *sample = limited(level * (*sample / rms + noise));
        }
    }
}

/// Soft limiter: linear up to 0.7, then approaching full scale without reaching it.
fn limited(sample: f32) -> f32 {
    const KNEE: f32 = 0.7;
    let over = (sample.abs() - KNEE).max(0.0) / (1.0 - KNEE);
    sample.clamp(-KNEE, KNEE) + sample.signum() * (1.0 - KNEE) * over.tanh() * 0.999
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_pcg::Pcg64Mcg;

    fn energy(samples: &[f32]) -> f32 {
        samples.iter().map(|sample| sample * sample).sum()
    }

    #[test]
    fn partials_decay_and_aliasing_ones_are_left_out() {
        let partials = [200.0, 15_000.0].map(|hz| Partial::new(hz, 1.0, 1.0));
        let voice = tone(22_050.0, [0.001, 1.0, 0.1], &partials);
        assert_eq!(voice.len(), 24_255);
        let crossings = voice[..11_025]
            .windows(2)
            .filter(|pair| pair[0] <= 0.0 && pair[1] > 0.0);
        assert_eq!(crossings.count(), 100);
        let fall = 10.0 * (energy(&voice[..2205]) / energy(&voice[11_025..13_230])).log10();
        assert!((29.0..31.0).contains(&fall), "{fall} dB in half a second");
    }

    #[test]
    fn voices_are_panned_and_cut_at_both_ends() {
        let mut mix = Mix::silent(10.0, 1.0);
        mix.add(-0.1, &[9.0, 1.0, 1.0], 1.0, -1.0);
        mix.add(0.9, &[2.0, 9.0], 1.0, 1.0);
        mix.add(5.0, &[9.0], 1.0, 0.0);
        let [left, right] = &mix.channels;
        assert_eq!(left[..3], [1.0, 1.0, 0.0]);
        assert!((right[9] - 2.0).abs() < 1e-6 && right[..9].iter().all(|sample| sample.abs() < 1e-6));
    }

    #[test]
    fn reflections_start_after_their_delay_and_fade() {
        let mut dry = Mix::silent(22_050.0, 3.0);
        dry.add(0.0, &[1.0], 1.0, -1.0);
        let left = &dry.reflections(&[0.5], 2.0, 9000.0).channels[0];
        let repeat = |number: usize| energy(&left[number * 11_025..number * 11_025 + 100]);
        assert!(energy(&left[..11_025]) == 0.0 && repeat(1) > 0.1);
        assert!(repeat(2) > 0.0 && repeat(2) < 0.5 * repeat(1));
    }

    #[test]
    fn mastered_mix_has_a_level_in_range_and_does_not_clip() {
        for seed in 0..10 {
            let rng = &mut Pcg64Mcg::new(seed);
            let mut clicks = Mix::silent(22_050.0, 1.0);
            clicks.channels[0]
                .iter_mut()
                .step_by(500)
                .for_each(|sample| *sample = 50.0);
            clicks.master(rng);
            assert!(clicks.channels.iter().flatten().all(|sample| sample.abs() < 1.0));
            let mut hum = Mix::silent(22_050.0, 1.0);
            hum.add(0.0, &noise(22_050.0, 500.0, 500.0, 1.0, rng), 1.0, 0.0);
            hum.master(rng);
            let level = 20.0 * hum.rms().log10();
            assert!((-25.5..-13.5).contains(&level), "{level}");
        }
    }
}
