//! Chiptune: pulse waves whose chords are arpeggios too fast to count, a stepped triangle for the bass, noise for drums,
//! no room at all.

use super::Dice;
use crate::corpus::synth::bus::Bus;
use crate::corpus::synth::envelope::Adsr;
use crate::corpus::synth::oscillator::Oscillator;
use crate::corpus::theory::{Grid, HARMONIC_MINOR, MAJOR, MINOR, degree, hz, pick};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

const STEPS_PER_BAR: usize = 16;
const PROGRESSIONS: [&[i32]; 4] = [&[0, 5, 6, 0], &[0, 3, 4, 4], &[0, 6, 5, 4], &[0, 2, 5, 4]];
/// The noise generator's clock rates, in Hz, for the two drums.
const NOISE_CLOCKS: [f32; 2] = [4000.0, 14_000.0];

pub(super) fn compose(dice: &mut Dice, bus: &mut Bus) {
    let (artist, track) = (&mut dice.artist, &mut dice.track);
    let bpm = artist.random_range(136.0..164.0) + track.random_range(-3.0..3.0);
    let grid = Grid::new(bpm, 4, STEPS_PER_BAR, bus.seconds(), track);
    let scale = pick(&[MAJOR, MINOR, HARMONIC_MINOR], artist);
    let root = artist.random_range(45..57);
    let lead = Pulse {
        duty: pick(&[0.125, 0.25, 0.5], artist),
        vibrato: artist.random_range(0.0..0.012),
    };
    let chords = Pulse {
        duty: pick(&[0.125, 0.25], artist),
        vibrato: 0.0,
    };
    // Consoles moved their arpeggios on with every picture of the television.
    let arpeggio = pick(&[50.0, 60.0, 30.0, 25.0], artist);
    let busy = artist.random_range(0.45..0.8);
    let progression = pick(&PROGRESSIONS, track);
    let rhythm: [bool; STEPS_PER_BAR] = std::array::from_fn(|place| place % 8 == 0 || track.random_bool(busy));

    let mut tune = track.random_range(7..12);
    for step in grid.steps() {
        let (at, place) = (grid.at(step), step % STEPS_PER_BAR);
        let chord = progression[step / STEPS_PER_BAR % progression.len()];
        let tone = |place: i32| degree(root, scale, chord + place);
        if place % 4 == 0 {
            let notes = [tone(0), tone(2), tone(4), tone(7)].map(|note| note + 12);
            chords.play(bus, at, 3.6 * grid.step, 0.16, |time| {
                notes[(time * arpeggio) as usize % 4]
            });
        }
        if rhythm[place] {
            tune = (tune + pick(&[-2, -1, 0, 1, 2], track)).clamp(5, 14);
            let note = tone(tune) + 12;
            lead.play(bus, at, 0.85 * grid.step * pick(&[1.0, 1.0, 2.0], track), 0.25, |_| {
                note
            });
        }
        if place % 2 == 0 {
            bass(bus, at, 1.7 * grid.step, tone(if place % 4 == 2 { 7 } else { 0 }) - 12);
        }
        match place % 8 {
            0 => noise(bus, at, 0.05, NOISE_CLOCKS[0], 0.25, track),
            4 => noise(bus, at, 0.14, NOISE_CLOCKS[0], 0.35, track),
            2 | 6 => noise(bus, at, 0.03, NOISE_CLOCKS[1], 0.15, track),
            _ => {}
        }
    }
}

/// A pulse channel.
struct Pulse {
    duty: f32,
    vibrato: f32,
}

impl Pulse {
    fn play(&self, bus: &mut Bus, at: f32, held: f32, gain: f32, note: impl Fn(f32) -> i32) {
        let rate = bus.rate;
        let envelope = Adsr {
            attack: 0.002,
            decay: 0.2,
            sustain: 0.6,
            release: 0.01,
        };
        let mut wave = Oscillator::default();
        let voice = envelope.voice(held, rate, |time| {
            let vibrato = 1.0 + self.vibrato * (time * 38.0).sin();
            wave.pulse(hz(note(time) as f32) * vibrato / rate, self.duty)
        });
        bus.add(at, &voice, gain, 0.0);
    }
}

fn bass(bus: &mut Bus, at: f32, held: f32, note: i32) {
    let rate = bus.rate;
    let envelope = Adsr {
        attack: 0.001,
        decay: 1.0,
        sustain: 1.0,
        release: 0.005,
    };
    let mut wave = Oscillator::default();
    let step = hz(note as f32) / rate;
    let voice = envelope.voice(held, rate, |_| wave.stepped_triangle(step));
    bus.add(at, &voice, 0.4, 0.0);
}

/// The chip's noise: a random level that is held until the clock's next tick.
fn noise(bus: &mut Bus, at: f32, held: f32, clock: f32, gain: f32, track: &mut Pcg64Mcg) {
    let rate = bus.rate;
    let envelope = Adsr {
        attack: 0.0005,
        decay: held / 2.0,
        sustain: 0.0,
        release: 0.01,
    };
    let (mut phase, mut level) = (1.0, 0.0);
    let voice = envelope.voice(held, rate, |_| {
        phase += clock / rate;
        if phase >= 1.0 {
            phase -= 1.0;
            level = if track.random_bool(0.5) { 1.0 } else { -1.0 };
        }
        level
    });
    bus.add(at, &voice, gain, 0.0);
}
