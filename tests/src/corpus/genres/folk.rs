//! Folk: a fingerpicked guitar in major, alternating bass below, a tune above, sometimes a shaker or a second guitar.

use super::Dice;
use crate::corpus::synth::bus::Bus;
use crate::corpus::synth::drums::Noise;
use crate::corpus::synth::pluck::PluckedString;
use crate::corpus::synth::space::Room;
use crate::corpus::theory::{Grid, MAJOR, degree, hz, pick};
use rand::RngExt;

/// Chords by their degree in the scale, from bar to bar.
const PROGRESSIONS: [&[i32]; 5] = [
    &[0, 3, 4, 0],
    &[0, 4, 5, 3],
    &[0, 5, 3, 4],
    &[0, 0, 3, 4],
    &[3, 0, 4, 0],
];

pub(super) fn compose(dice: &mut Dice, bus: &mut Bus) {
    let (artist, track) = (&mut dice.artist, &mut dice.track);
    let rate = bus.rate;
    let waltz = artist.random_bool(0.35);
    let per_bar = if waltz { 6 } else { 8 };
    let bpm = artist.random_range(86.0..124.0) + track.random_range(-4.0..4.0);
    let grid = Grid::new(bpm, 2, per_bar, bus.seconds(), track).swung(artist.random_range(0.0..0.2));
    let guitar = PluckedString {
        pick: artist.random_range(0.12..0.4),
        brightness: artist.random_range(2500.0..7000.0),
        ring: artist.random_range(1.5..3.5),
    };
    let melody = PluckedString {
        pick: artist.random_range(0.08..0.3),
        brightness: artist.random_range(4000.0..9000.0),
        ring: artist.random_range(0.8..2.0),
    };
    let tonic = artist.random_range(40..48);
    let shaker = artist.random_bool(0.4).then(|| Noise {
        centre: artist.random_range(5000.0..8000.0),
        quality: 1.0,
        ring: 0.07,
    });
    let busy = artist.random_range(0.3..0.8);
    let room = Room {
        ring: artist.random_range(0.4..1.1),
        damping: 4500.0,
    };
    let progression = pick(&PROGRESSIONS, track);
    // The order in which the thumb and fingers take the chord's notes, 0 being the bass.
    let fingers: Vec<i32> = (0..per_bar)
        .map(|place| {
            if place % 4 == 0 {
                0
            } else {
                pick(&[1, 2, 3, 2, 3], track)
            }
        })
        .collect();

    let mut dry = bus.sibling();
    let mut tune = 7 + track.random_range(0..5);
    for step in grid.steps() {
        let (at, place) = (grid.at(step) + track.random_range(0.0..0.008), step % per_bar);
        let chord = progression[step / per_bar % progression.len()];
        let note = match fingers[place] {
            0 if place >= 4 => degree(tonic, MAJOR, chord - 3),
            0 => degree(tonic, MAJOR, chord),
            finger => degree(tonic + 12, MAJOR, chord + 2 * (finger - 1)),
        };
        let gain = track.random_range(0.35..0.6);
        dry.add(at, &guitar.voice(hz(note as f32), 1.3, rate, track), gain, -0.2);
        if place == 0 {
            for third in 0..3 {
                let note = degree(tonic + 12, MAJOR, chord + 2 * third);
                let strummed = at + 0.018 * third as f32;
                dry.add(strummed, &guitar.voice(hz(note as f32), 1.6, rate, track), 0.3, -0.2);
            }
        }
        if track.random_bool(if place % 2 == 0 { busy } else { 0.4 * busy }) {
            tune = (tune + pick(&[-2, -1, -1, 1, 1, 2], track)).clamp(5, 16);
            let note = degree(tonic + 12, MAJOR, tune);
            dry.add(at, &melody.voice(hz(note as f32), 0.9, rate, track), 0.45, 0.3);
        }
        if let Some(shaker) = shaker {
            let gain = if place % 2 == 1 { 0.1 } else { 0.05 };
            dry.add(at, &shaker.bright_voice(rate, track), gain, 0.5);
        }
    }
    bus.mix(&dry, 1.0);
    bus.mix(&room.wet(&dry), 0.3);
}
