//! Ambient: chords that take seconds to come and go, wind, no beat, and a very large room.

use super::Dice;
use crate::corpus::synth::bus::Bus;
use crate::corpus::synth::envelope::Adsr;
use crate::corpus::synth::filter::sweep;
use crate::corpus::synth::oscillator::Oscillator;
use crate::corpus::synth::space::Room;
use crate::corpus::theory::{DORIAN, LYDIAN, MAJOR, degree, hz, pick};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use std::f32::consts::TAU;

pub(super) fn compose(dice: &mut Dice, bus: &mut Bus) {
    let (artist, track) = (&mut dice.artist, &mut dice.track);
    let scale = pick(&[LYDIAN, DORIAN, MAJOR], artist);
    let root = artist.random_range(40..52) + pick(&[0, 0, 5, -2], track);
    let pad = Pad {
        detune: artist.random_range(0.002..0.008),
        cutoff: artist.random_range(350.0..1100.0),
        attack: artist.random_range(1.2..2.5),
        drift: artist.random_range(0.05..0.2),
    };
    let spacing: f32 = artist.random_range(3.5..6.0);
    let wind = artist.random_range(0.1..0.5);
    let drops = artist.random_range(0.0..0.6);
    let room = Room {
        ring: artist.random_range(4.0..9.0),
        damping: artist.random_range(2000.0..6000.0),
    };

    let mut dry = bus.sibling();
    // The first chord has begun before the clip, so that it is there when the clip starts.
    let mut at = -track.random_range(pad.attack..spacing.max(pad.attack + 0.5));
    while at < dry.seconds() {
        let base = pick(&[0, 0, 1, 3, 4, 5, -2], track);
        let held = spacing * track.random_range(0.9..1.4);
        for third in 0..pick(&[3, 4, 5], track) {
            let note = degree(root, scale, base + 2 * third) + if third == 1 { 12 } else { 0 };
            pad.play(&mut dry, at, held, note, track);
        }
        pad.play(&mut dry, at, held, degree(root, scale, base) - 12, track);
        at += spacing * track.random_range(0.8..1.1);
    }
    let mut at = track.random_range(0.0..2.0);
    while at < dry.seconds() {
        if track.random_bool(drops) {
            drop(&mut dry, at, degree(root + 24, scale, track.random_range(0..8)), track);
        }
        at += track.random_range(0.8..3.0);
    }
    blow(&mut dry, wind, track);
    bus.mix(&dry, 0.6);
    bus.mix(&room.wet(&dry), 0.9);
}

/// Three detuned sawtooth waves behind a slow filter.
struct Pad {
    detune: f32,
    cutoff: f32,
    attack: f32,
    drift: f32,
}

impl Pad {
    fn play(&self, bus: &mut Bus, at: f32, held: f32, note: i32, track: &mut Pcg64Mcg) {
        let rate = bus.rate;
        let envelope = Adsr {
            attack: self.attack,
            decay: 4.0,
            sustain: 0.8,
            release: 1.5 * self.attack,
        };
        let step = hz(note as f32) / rate;
        let mut waves: [Oscillator; 3] = std::array::from_fn(|_| Oscillator::new(track.random_range(0.0..1.0)));
        let mut voice = envelope.voice(held, rate, |_| {
            waves[0].saw(step) + waves[1].saw(step * (1.0 + self.detune)) + waves[2].saw(step * (1.0 - self.detune))
        });
        let phase = track.random_range(0.0..TAU);
        let cutoff = |time: f32| self.cutoff * (0.8 * (time * self.drift * TAU + phase).sin()).exp2();
        sweep(&mut voice, rate, 0.8, cutoff, |bands| bands.low);
        bus.add(at, &voice, 0.12, track.random_range(-0.8..0.8));
    }
}

/// A soft high tone, like a drop into a pool.
fn drop(bus: &mut Bus, at: f32, note: i32, track: &mut Pcg64Mcg) {
    let rate = bus.rate;
    let envelope = Adsr {
        attack: 0.08,
        decay: 0.6,
        sustain: 0.0,
        release: 0.2,
    };
    let mut wave = Oscillator::default();
    let step = hz(note as f32) / rate;
    let voice = envelope.voice(1.8, rate, |_| wave.sine(step));
    bus.add(at, &voice, track.random_range(0.05..0.2), track.random_range(-1.0..1.0));
}

/// Wind: noise through a band that wanders.
fn blow(bus: &mut Bus, gain: f32, track: &mut Pcg64Mcg) {
    let rate = bus.rate;
    let seconds = bus.seconds();
    for pan in [-0.7, 0.7] {
        let mut noise: Vec<f32> = (0..(seconds * rate) as usize)
            .map(|_| track.random_range(-1.0..1.0))
            .collect();
        let (speed, phase) = (track.random_range(0.04..0.15), track.random_range(0.0..TAU));
        let centre = track.random_range(500.0..1800.0);
        let cutoff = |time: f32| centre * (1.2 * (time * speed * TAU + phase).sin()).exp2();
        sweep(&mut noise, rate, 2.5, cutoff, |bands| bands.band);
        bus.add(0.0, &noise, 0.25 * gain, pan);
    }
}
