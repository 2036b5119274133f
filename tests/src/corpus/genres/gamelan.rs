//! Gamelan: two interlocking parts on bronze bars tuned in beating pairs, a slow core melody, and gongs.

use super::Dice;
use crate::corpus::synth::bell::Bell;
use crate::corpus::synth::bus::Bus;
use crate::corpus::synth::space::Room;
use crate::corpus::theory::{Grid, pick};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

const STEPS_PER_CYCLE: usize = 16;
/// Cents above the lowest bar: five nearly equal steps, or a selection from seven unequal ones. No two orchestras agree,
/// so an artist moves each by some cents.
const SLENDRO: [f32; 5] = [0.0, 231.0, 474.0, 717.0, 955.0];
const PELOG: [f32; 5] = [0.0, 120.0, 270.0, 670.0, 785.0];

pub(super) fn compose(dice: &mut Dice, bus: &mut Bus) {
    let (artist, track) = (&mut dice.artist, &mut dice.track);
    let bpm = artist.random_range(78.0..150.0) * track.random_range(0.95..1.05);
    let grid = Grid::new(bpm, 4, STEPS_PER_CYCLE, bus.seconds(), track);
    let orchestra = Orchestra::new(artist);
    let room = Room {
        ring: artist.random_range(0.8..2.0),
        damping: 6000.0,
    };
    // The core melody moves a step at a time; the two parts share its ornament, one playing where the other rests.
    let mut place = track.random_range(3..8);
    let core: Vec<i32> = (0..STEPS_PER_CYCLE / 4)
        .map(|_| {
            place = (place + pick(&[-2, -1, -1, 1, 1, 2], track)).clamp(2, 9);
            place
        })
        .collect();
    let figure = pick(&[[0, 1, 2, 1], [2, 1, 0, 1], [0, 2, 1, 2], [1, 0, 1, 2]], track);
    let density = track.random_range(0.75..1.0);

    let mut dry = bus.sibling();
    for step in grid.steps() {
        let (at, within) = (grid.at(step), step % STEPS_PER_CYCLE);
        let melody = core[within / 4];
        if within.is_multiple_of(4) {
            orchestra.strike(&mut dry, &orchestra.low, at, melody, 0, 1.6, 0.5, 0.0);
        }
        if track.random_bool(density) {
            let bar = melody + figure[step % 4];
            let (pan, gain) = if step.is_multiple_of(2) {
                (-0.5, 0.34)
            } else {
                (0.5, 0.3)
            };
            let gain = gain * track.random_range(0.7..1.1);
            orchestra.strike(&mut dry, &orchestra.high, at, bar, 1, 0.55, gain, pan);
        }
        match within {
            0 => dry.add(at, &orchestra.gong.voice(orchestra.gong_pitch, 4.0, dry.rate), 0.7, 0.0),
            8 => dry.add(
                at,
                &orchestra.gong.voice(1.6 * orchestra.gong_pitch, 2.0, dry.rate),
                0.4,
                0.1,
            ),
            _ => {}
        }
    }
    bus.mix(&dry, 1.0);
    bus.mix(&room.wet(&dry), 0.3);
}

/// An artist's instruments.
struct Orchestra {
    lowest: f32,
    cents: [f32; 5],
    beating: f32,
    high: Bell,
    low: Bell,
    gong: Bell,
    gong_pitch: f32,
}

impl Orchestra {
    fn new(artist: &mut Pcg64Mcg) -> Self {
        let tuning = if artist.random_bool(0.5) { SLENDRO } else { PELOG };
        Self {
            lowest: artist.random_range(130.0..190.0),
            cents: tuning.map(|cents| cents + artist.random_range(-18.0..18.0)),
            beating: artist.random_range(3.0..9.0),
            high: Bell {
                ratio: artist.random_range(2.6..3.7),
                index: artist.random_range(0.8..2.2),
                ring: artist.random_range(0.7..1.6),
            },
            low: Bell {
                ratio: artist.random_range(2.1..2.9),
                index: artist.random_range(0.4..1.2),
                ring: artist.random_range(2.0..3.5),
            },
            gong: Bell {
                ratio: artist.random_range(1.35..1.6),
                index: artist.random_range(1.0..2.5),
                ring: 4.0,
            },
            gong_pitch: artist.random_range(55.0..85.0),
        }
    }

    fn pitch(&self, bar: i32, octave: i32) -> f32 {
        let within = usize::try_from(bar.rem_euclid(5)).expect("a remainder is not negative");
        self.lowest * ((bar.div_euclid(5) + octave) as f32 + self.cents[within] / 1200.0).exp2()
    }

    /// Strikes a bar and its twin, which is tuned a few Hz higher so that the two beat.
    #[expect(
        clippy::too_many_arguments,
        reason = "what is struck, when, which bar, and how: all differ per stroke"
    )]
    fn strike(&self, bus: &mut Bus, bell: &Bell, at: f32, bar: i32, octave: i32, seconds: f32, gain: f32, pan: f32) {
        let pitch = self.pitch(bar, octave);
        for twin in [pitch, pitch + self.beating] {
            let mut voice = bell.voice(twin, seconds, bus.rate);
            // The other hand damps the bar.
            let damped = voice.len() / 5;
            let begin = voice.len() - damped;
            for (index, sample) in voice[begin..].iter_mut().enumerate() {
                *sample *= 1.0 - index as f32 / damped as f32;
            }
            bus.add(at, &voice, 0.5 * gain, pan);
        }
    }
}
