//! Dub: slow, the drums on the third beat, an organ between the beats, a heavy bass line, and echoes.

use super::Dice;
use crate::corpus::synth::bus::Bus;
use crate::corpus::synth::drums::{Kick, Noise, snare};
use crate::corpus::synth::envelope::Adsr;
use crate::corpus::synth::filter::sweep;
use crate::corpus::synth::oscillator::Oscillator;
use crate::corpus::synth::space::{Echo, Room};
use crate::corpus::theory::{DORIAN, Grid, MINOR, PENTATONIC, degree, hz, pick};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

const STEPS_PER_BAR: usize = 16;
const PROGRESSIONS: [&[i32]; 4] = [&[0, 3], &[0, 6], &[0, 0, 3, 4], &[0, 4]];

pub(super) fn compose(dice: &mut Dice, bus: &mut Bus) {
    let (artist, track) = (&mut dice.artist, &mut dice.track);
    let rate = bus.rate;
    let bpm = artist.random_range(64.0..80.0) + track.random_range(-1.5..1.5);
    let grid = Grid::new(bpm, 4, STEPS_PER_BAR, bus.seconds(), track).swung(artist.random_range(0.0..0.3));
    let scale = pick(&[MINOR, DORIAN], artist);
    let root = artist.random_range(33..42);
    let kick = Kick {
        pitch: artist.random_range(48.0..62.0),
        sweep: 1.5,
        ring: artist.random_range(0.2..0.3),
        click: 0.15,
    }
    .voice(rate);
    let rim = Noise {
        centre: artist.random_range(1500.0..2600.0),
        quality: 3.0,
        ring: artist.random_range(0.06..0.12),
    };
    let hat = Noise {
        centre: artist.random_range(6000.0..9000.0),
        quality: 0.8,
        ring: 0.06,
    };
    let organ = Organ {
        cutoff: artist.random_range(1200.0..3000.0),
        held: artist.random_range(0.09..0.17),
    };
    let echo = Echo {
        delay: 3.0 * grid.step,
        feedback: artist.random_range(0.5..0.72),
        cutoff: artist.random_range(1500.0..3000.0),
    };
    // Some play the organ once between two beats, some twice.
    let double = artist.random_bool(0.4);
    let progression = pick(&PROGRESSIONS, track);
    let riff = riff(track);

    let mut sent = bus.sibling();
    for step in grid.steps() {
        let (at, place) = (grid.at(step), step % STEPS_PER_BAR);
        let chord = progression[step / STEPS_PER_BAR % progression.len()];
        if place == 8 {
            bus.add(at, &kick, 0.8, 0.0);
            let stroke = snare(330.0, rim, rate, track);
            bus.add(at, &stroke, 0.45, 0.0);
            if track.random_bool(0.5) {
                sent.add(at, &stroke, 0.5, 0.4);
            }
        }
        if place % 2 == 0 && track.random_bool(0.85) {
            let gain = if place % 4 == 0 { 0.07 } else { 0.13 };
            bus.add(at, &hat.bright_voice(rate, track), gain, 0.3);
        }
        if place % 8 == 4 || (double && place % 8 == 6) {
            for third in 0..3 {
                let note = degree(root + 24, scale, chord + 2 * third);
                organ.play(&mut sent, at, note);
            }
        }
        if let Some((scale_step, length)) = riff[place] {
            bass(
                bus,
                at,
                length * grid.step,
                degree(root, scale, chord) + degree(0, PENTATONIC, scale_step),
            );
        }
    }
    let room = Room {
        ring: 1.8,
        damping: 3000.0,
    };
    bus.mix(&sent, 1.0);
    bus.mix(&echo.wet(&sent), artist.random_range(0.45..0.8));
    bus.mix(&room.wet(&sent), 0.3);
}

/// A bass line of a bar: where it plays, which step of the pentatonic, and for how many steps of time.
fn riff(track: &mut Pcg64Mcg) -> [Option<(i32, f32)>; STEPS_PER_BAR] {
    let mut riff = [None; STEPS_PER_BAR];
    let mut place = pick(&[0, 0, 2], track);
    while place < STEPS_PER_BAR {
        let length = pick(&[2, 2, 3, 4, 4, 6], track);
        riff[place] = Some((pick(&[0, 0, 1, 2, 3, -1, -2], track), 0.85 * length as f32));
        place += length;
    }
    riff
}

fn bass(bus: &mut Bus, at: f32, held: f32, note: i32) {
    let rate = bus.rate;
    let envelope = Adsr {
        attack: 0.012,
        decay: 0.8,
        sustain: 0.7,
        release: 0.06,
    };
    let mut wave = Oscillator::default();
    let step = hz(note as f32) / rate;
    let mut voice = envelope.voice(held, rate, |_| wave.pulse(step, 0.5));
    sweep(&mut voice, rate, 0.8, |_| 180.0, |bands| bands.low);
    bus.add(at, &voice, 0.5, 0.0);
}

/// A short stab of an electric organ.
struct Organ {
    cutoff: f32,
    held: f32,
}

impl Organ {
    fn play(&self, bus: &mut Bus, at: f32, note: i32) {
        let rate = bus.rate;
        let envelope = Adsr {
            attack: 0.004,
            decay: 0.1,
            sustain: 0.6,
            release: 0.03,
        };
        let step = hz(note as f32) / rate;
        let mut waves = [0.0, 0.2].map(Oscillator::new);
        let mut voice = envelope.voice(self.held, rate, |_| {
            waves[0].saw(step) + waves[1].pulse(2.0 * step, 0.5)
        });
        sweep(&mut voice, rate, 0.9, |_| self.cutoff, |bands| bands.low);
        bus.add(at, &voice, 0.14, -0.3);
    }
}
