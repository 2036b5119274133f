//! Drum and bass: a fast broken beat with ghost notes over long, detuned, very low notes.

use super::Dice;
use crate::corpus::synth::bus::Bus;
use crate::corpus::synth::drums::{Kick, Noise, snare};
use crate::corpus::synth::envelope::Adsr;
use crate::corpus::synth::filter::sweep;
use crate::corpus::synth::oscillator::Oscillator;
use crate::corpus::synth::space::Room;
use crate::corpus::theory::{DORIAN, Grid, MINOR, degree, hz, pick};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

const STEPS_PER_BAR: usize = 16;
/// Where the bass drum falls in a bar, by artist.
const KICKS: [&[usize]; 4] = [&[0, 10], &[0, 6, 10], &[0, 2, 10], &[0, 7, 11]];

pub(super) fn compose(dice: &mut Dice, bus: &mut Bus) {
    let (artist, track) = (&mut dice.artist, &mut dice.track);
    let rate = bus.rate;
    let bpm = artist.random_range(167.0..179.0) + track.random_range(-1.5..1.5);
    let grid = Grid::new(bpm, 4, STEPS_PER_BAR, bus.seconds(), track).swung(artist.random_range(0.0..0.18));
    let kick = Kick {
        pitch: artist.random_range(55.0..75.0),
        sweep: artist.random_range(1.5..3.0),
        ring: artist.random_range(0.14..0.22),
        click: artist.random_range(0.3..0.9),
    }
    .voice(rate);
    let skin = artist.random_range(170.0..240.0);
    let wires = Noise {
        centre: artist.random_range(2500.0..4800.0),
        quality: 0.6,
        ring: artist.random_range(0.14..0.26),
    };
    let hat = Noise {
        centre: artist.random_range(8000.0..11_000.0),
        quality: 0.9,
        ring: 0.05,
    };
    let ride = Noise {
        centre: artist.random_range(5000.0..7000.0),
        quality: 2.5,
        ring: 0.3,
    };
    let kicks = pick(&KICKS, artist);
    let rides = artist.random_bool(0.5);
    let ghosts = track.random_range(0.15..0.4);

    let mut drums = bus.sibling();
    for step in grid.steps() {
        let (at, place) = (grid.at(step), step % STEPS_PER_BAR);
        if kicks.contains(&place) {
            drums.add(at, &kick, 0.9, 0.0);
        }
        if place % 8 == 4 {
            drums.add(at, &snare(skin, wires, rate, track), 0.75, 0.05);
        } else if place % 2 == 1 && track.random_bool(ghosts) {
            let gain = track.random_range(0.12..0.3);
            drums.add(at, &snare(1.1 * skin, wires, rate, track), gain, -0.1);
        }
        if place.is_multiple_of(2) || track.random_bool(0.35) {
            drums.add(at, &hat.bright_voice(rate, track), track.random_range(0.12..0.3), 0.25);
        }
        if rides && place.is_multiple_of(4) {
            drums.add(at, &ride.bright_voice(rate, track), 0.16, -0.35);
        }
    }
    let room = Room {
        ring: artist.random_range(0.3..0.7),
        damping: 7000.0,
    };
    bus.mix(&drums, 1.0);
    bus.mix(&room.wet(&drums), 0.2);
    let bass = Reese {
        root: artist.random_range(28..37),
        scale: pick(&[MINOR, DORIAN], artist),
        detune: artist.random_range(0.006..0.02),
        cutoff: artist.random_range(200.0..600.0),
    };
    bass.play(bus, &grid, track);
}

/// Two sawtooth waves that beat against each other over a sine.
struct Reese {
    root: i32,
    scale: &'static [i32],
    detune: f32,
    cutoff: f32,
}

impl Reese {
    fn play(&self, bus: &mut Bus, grid: &Grid, track: &mut Pcg64Mcg) {
        let rate = bus.rate;
        let envelope = Adsr {
            attack: 0.01,
            decay: 1.0,
            sustain: 0.9,
            release: 0.05,
        };
        let mut step = 0;
        while step < grid.steps().end {
            let length = pick(&[4, 6, 8, 8, 10, 16], track);
            let note = degree(self.root, self.scale, pick(&[0, 0, 0, 2, 3, 4, 6], track));
            let wobble = pick(&[0.5, 1.0, 2.0, 4.0], track) / (8.0 * grid.step);
            let frequency = hz(note as f32);
            let mut waves = [0.0, 0.3, 0.6].map(Oscillator::new);
            let mut voice = envelope.voice(grid.step * (length as f32 - 0.5), rate, |_| {
                waves[0].saw(frequency * (1.0 + self.detune) / rate)
                    + waves[1].saw(frequency * (1.0 - self.detune) / rate)
            });
            let cutoff = |time: f32| self.cutoff * (1.3 * (time * wobble * std::f32::consts::TAU).sin()).exp2();
            sweep(&mut voice, rate, 1.4, cutoff, |bands| bands.low);
            for sample in &mut voice {
                *sample = (0.8 * *sample).tanh();
            }
            bus.add(grid.at(step), &voice, 0.3, 0.0);
            let sub = envelope.voice(grid.step * (length as f32 - 0.5), rate, |_| {
                waves[2].sine(frequency / rate)
            });
            bus.add(grid.at(step), &sub, 0.35, 0.0);
            step += length;
        }
    }
}
