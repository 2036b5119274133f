//! Techno: a bass drum on every beat, hats between them, and a resonant sawtooth line in sixteenths.

use super::Dice;
use crate::corpus::synth::bus::Bus;
use crate::corpus::synth::drums::{Kick, Noise, clap};
use crate::corpus::synth::envelope::Adsr;
use crate::corpus::synth::filter::sweep;
use crate::corpus::synth::oscillator::Oscillator;
use crate::corpus::synth::space::{Echo, Room};
use crate::corpus::theory::{Grid, MINOR, PHRYGIAN, degree, hz, pick};
use rand::RngExt;

const STEPS_PER_BAR: usize = 16;

pub(super) fn compose(dice: &mut Dice, bus: &mut Bus) {
    let (artist, track) = (&mut dice.artist, &mut dice.track);
    let rate = bus.rate;
    let bpm = artist.random_range(123.0..134.0) + track.random_range(-1.5..1.5);
    let grid = Grid::new(bpm, 4, STEPS_PER_BAR, bus.seconds(), track);
    let kick = Kick {
        pitch: artist.random_range(43.0..56.0),
        sweep: artist.random_range(3.0..6.0),
        ring: artist.random_range(0.25..0.42),
        click: artist.random_range(0.1..0.7),
    };
    let hat = Noise {
        centre: artist.random_range(7000.0..9500.0),
        quality: 0.8,
        ring: artist.random_range(0.08..0.2),
    };
    let hands = Noise {
        centre: artist.random_range(1100.0..1800.0),
        quality: 1.2,
        ring: artist.random_range(0.15..0.3),
    };
    let acid = AcidLine {
        scale: pick(&[MINOR, PHRYGIAN], artist),
        root: artist.random_range(33..42),
        square: artist.random_bool(0.35),
        quality: artist.random_range(3.0..9.0),
        cutoff: artist.random_range(250.0..700.0),
    };
    let claps = artist.random_bool(0.7);
    let closed_hats = track.random_range(0.2..0.9);

    let beat = kick.voice(rate);
    let mut dry = bus.sibling();
    for step in grid.steps() {
        let (at, place) = (grid.at(step), step % STEPS_PER_BAR);
        if place.is_multiple_of(4) {
            bus.add(at, &beat, 0.95, 0.0);
        }
        if place % 4 == 2 {
            bus.add(at, &hat.bright_voice(rate, track), 0.3, 0.1);
        } else if track.random_bool(closed_hats) {
            let closed = Noise { ring: 0.04, ..hat };
            bus.add(
                at,
                &closed.bright_voice(rate, track),
                track.random_range(0.06..0.16),
                -0.2,
            );
        }
        if claps && place % 8 == 4 {
            dry.add(at, &clap(hands, rate, track), 0.4, 0.0);
        }
    }
    acid.play(&mut dry, &grid, track);
    let echo = Echo {
        delay: 3.0 * grid.step,
        feedback: 0.45,
        cutoff: 3000.0,
    };
    let room = Room {
        ring: artist.random_range(0.4..1.2),
        damping: 5000.0,
    };
    bus.mix(&dry, 1.0);
    bus.mix(&echo.wet(&dry), artist.random_range(0.1..0.4));
    bus.mix(&room.wet(&dry), 0.25);
}

/// A line of sixteen notes, repeated while its filter opens and closes.
struct AcidLine {
    scale: &'static [i32],
    root: i32,
    square: bool,
    quality: f32,
    cutoff: f32,
}

impl AcidLine {
    fn play(&self, bus: &mut Bus, grid: &Grid, track: &mut rand_pcg::Pcg64Mcg) {
        let rate = bus.rate;
        let pattern: Vec<Option<(i32, bool)>> = (0..STEPS_PER_BAR)
            .map(|_| {
                let octave = pick(&[0, 0, 0, 7, 14], track);
                let note = degree(self.root, self.scale, pick(&[0, 0, 0, 1, 2, 4, 6], track) + octave);
                track.random_bool(0.78).then(|| (note, track.random_bool(0.3)))
            })
            .collect();
        let bars_per_sweep = track.random_range(2.0..6.0);
        let begin = track.random_range(0.0..1.0);
        let envelope = Adsr {
            attack: 0.003,
            decay: 0.15,
            sustain: 0.5,
            release: 0.03,
        };
        for step in grid.steps() {
            let Some((note, accent)) = pattern[step % STEPS_PER_BAR] else {
                continue;
            };
            let turn = begin + step as f32 / (STEPS_PER_BAR as f32 * bars_per_sweep);
            let opened = self.cutoff * (2.2 * (0.5 - 0.5 * (turn * std::f32::consts::TAU).cos())).exp2();
            let opened = if accent { 1.5 * opened } else { opened };
            let wave_step = hz(note as f32) / rate;
            let mut oscillator = Oscillator::default();
            let mut voice = envelope.voice(0.8 * grid.step, rate, |_| {
                if self.square {
                    oscillator.pulse(wave_step, 0.5)
                } else {
                    oscillator.saw(wave_step)
                }
            });
            let cutoff = |time: f32| opened * (1.0 + 3.0 * (-time / 0.06).exp());
            sweep(&mut voice, rate, self.quality, cutoff, |bands| (1.3 * bands.low).tanh());
            bus.add(grid.at(step), &voice, if accent { 0.5 } else { 0.38 }, 0.15);
        }
    }
}
