//! Baroque: a pipe organ in three voices, running notes over a walking pedal and the circle of fifths, in a church.

use super::Dice;
use crate::corpus::synth::bus::Bus;
use crate::corpus::synth::envelope::Adsr;
use crate::corpus::synth::oscillator::Oscillator;
use crate::corpus::synth::space::Room;
use crate::corpus::theory::{Grid, HARMONIC_MINOR, MAJOR, degree, hz, pick};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

const STEPS_PER_BAR: usize = 16;
/// Falling by fifths within the scale.
const CIRCLE: [i32; 8] = [0, 3, 6, 2, 5, 1, 4, 0];
/// Pitches of the stops over the key's own: 8', 4', 2 2/3', 2', 1 1/3', 1'.
const STOPS: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0];

pub(super) fn compose(dice: &mut Dice, bus: &mut Bus) {
    let (artist, track) = (&mut dice.artist, &mut dice.track);
    let bpm = artist.random_range(70.0..108.0) * track.random_range(0.95..1.05);
    let grid = Grid::new(bpm, 4, STEPS_PER_BAR, bus.seconds(), track);
    let scale = pick(&[MAJOR, HARMONIC_MINOR], artist);
    let root = artist.random_range(48..58) + pick(&[0, 0, 2, 5, -3], track);
    let organ = Pipes {
        stops: std::array::from_fn(|stop| match stop {
            0 => 1.0,
            1 => artist.random_range(0.3..0.9),
            _ => artist.random_range(0.0..0.6) / stop as f32,
        }),
        chiff: artist.random_range(0.02..0.12),
    };
    let room = Room {
        ring: artist.random_range(1.6..3.5),
        damping: artist.random_range(3000.0..6000.0),
    };
    // A figure of eight notes, sequenced through the harmony; the second voice answers it.
    let figure: [i32; 8] = std::array::from_fn(|_| track.random_range(0..7));
    let answer: [i32; 8] = std::array::from_fn(|place| figure[(place + 3) % 8] / 2);
    let harmony_steps = pick(&[8, 8, 16], track);
    let first = track.random_range(0..CIRCLE.len());

    let mut dry = bus.sibling();
    for step in grid.steps() {
        let at = grid.at(step);
        let chord = CIRCLE[(first + step / harmony_steps) % CIRCLE.len()];
        let running = degree(root + 12, scale, chord + figure[step % 8]);
        organ.play(&mut dry, at, 0.92 * grid.step, running, 0.3, 0.25, track);
        if step.is_multiple_of(2) {
            let middle = degree(root, scale, chord + 2 * answer[step / 2 % 8]);
            organ.play(&mut dry, at, 1.9 * grid.step, middle, 0.26, -0.25, track);
        }
        if step.is_multiple_of(4) {
            let walk = if step.is_multiple_of(8) {
                0
            } else {
                pick(&[2, 4, -3], track)
            };
            let pedal = degree(root - 12, scale, chord + walk);
            organ.play(&mut dry, at, 3.9 * grid.step, pedal, 0.42, 0.0, track);
        }
    }
    bus.mix(&dry, 0.8);
    bus.mix(&room.wet(&dry), 0.8);
}

/// Ranks of pipes.
struct Pipes {
    stops: [f32; 6],
    chiff: f32,
}

impl Pipes {
    #[expect(
        clippy::too_many_arguments,
        reason = "where, when, how long, which key, how loud, from which side"
    )]
    fn play(&self, bus: &mut Bus, at: f32, held: f32, note: i32, gain: f32, pan: f32, track: &mut Pcg64Mcg) {
        let rate = bus.rate;
        let envelope = Adsr {
            attack: 0.025,
            decay: 1.0,
            sustain: 1.0,
            release: 0.05,
        };
        let step = hz(note as f32) / rate;
        // A rank that would sound above the Nyquist frequency has no pipe there.
        let mut ranks: Vec<(Oscillator, f32, f32)> = STOPS
            .iter()
            .zip(self.stops)
            .map(|(pitch, level)| (step * pitch, level))
            .filter(|(step, level)| *step < 0.4 && *level > 0.02)
            .map(|(step, level)| (Oscillator::new(track.random_range(0.0..1.0)), step, level))
            .collect();
        let voice = envelope.voice(held, rate, |time| {
            let chiff = self.chiff * (-time / 0.02).exp() * track.random_range(-1.0..1.0);
            let tone: f32 = ranks
                .iter_mut()
                .map(|(wave, step, level)| *level * wave.sine(*step))
                .sum();
            tone + chiff
        });
        bus.add(at, &voice, gain, pan);
    }
}
