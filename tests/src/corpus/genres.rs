//! Eight synthetic genres. Each draws random numbers and fills a mix from beginning to end.
//!
//! They differ in tempo, rhythm, timbre, scale and register, but not in loudness, which [`Mix::master`] draws at
//! random. Within a genre every artist has its own sound, and no two tracks of an artist are the same.

use super::score::{BAR, DORIAN, Grid, HARMONIC_MINOR, LYDIAN, MAJOR, MINOR, PENTATONIC, PHRYGIAN, hz, pick};
use super::synth::{Mix, Partial, drum, harmonics, low_pass, noise, tone};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use std::array;
use std::f32::consts::{PI, TAU};

/// The random streams of a track. All tracks of an artist start with the same `artist` stream, so the numbers drawn
/// from it describe the artist's sound.
#[derive(Clone, Debug)]
pub struct Dice {
    pub artist: Pcg64Mcg,
    pub track: Pcg64Mcg,
}

/// A genre and its labels in other collections.
pub struct Genre {
    /// Its name in FMA's table.
    pub name: &'static str,
    pub play: fn(&mut Dice, &mut Mix),
    pub gtzan: &'static str,
    /// MagnaTagATune tags of all its tracks.
    pub always: &'static [&'static str],
    /// MagnaTagATune tags of every second track, at random.
    pub sometimes: &'static [&'static str],
}

/// All genres, in alphabetical order. Gamelan has no tag among MagnaTagATune's ten most frequent ones.
#[rustfmt::skip]
pub const GENRES: [Genre; 8] = [
    Genre { name: "Ambient", play: ambient, gtzan: "blues", always: &["ambient", "slow"], sometimes: &["electronic", "synth"] },
    Genre { name: "Baroque", play: baroque, gtzan: "classical", always: &["classical", "harpsichord"], sometimes: &["strings", "fast"] },
    Genre { name: "Chiptune", play: chiptune, gtzan: "pop", always: &["electronic", "synth"], sometimes: &["fast"] },
    Genre { name: "Drum and Bass", play: drum_and_bass, gtzan: "hiphop", always: &["drums", "fast", "beat"], sometimes: &["electronic"] },
    Genre { name: "Dub", play: dub, gtzan: "reggae", always: &["dub", "slow", "beat"], sometimes: &["drums"] },
    Genre { name: "Folk", play: folk, gtzan: "country", always: &["guitar", "folk"], sometimes: &["slow", "rock"] },
    Genre { name: "Gamelan", play: gamelan, gtzan: "jazz", always: &["world"], sometimes: &["oriental"] },
    Genre { name: "Techno", play: techno, gtzan: "disco", always: &["techno", "electronic", "drums", "fast"], sometimes: &["beat", "synth"] },
];

/// Slow chords in a very large room, without a beat.
fn ambient(Dice { artist, track }: &mut Dice, mix: &mut Mix) {
    let scale = pick(&[LYDIAN, DORIAN, MAJOR], artist);
    let root = artist.random_range(40..52) + pick(&[0, 0, 5, -2], track);
    let (detune, cutoff) = (artist.random_range(0.002..0.008), artist.random_range(350.0..1100.0));
    let (attack, spacing) = (artist.random_range(1.2..2.5), artist.random_range(3.5..6.0f32));
    let room = artist.random_range(4.0..9.0);
    let envelope = [attack, 1.2 * spacing, 1.5 * attack];
    let mut dry = mix.silence();
    // The first chord starts before the clip.
    let mut at = -track.random_range(attack..spacing);
    while at < dry.seconds() {
        let base = pick(&[0, 0, 1, 3, 4, 5, -2], track);
        for third in [-7, 0, 2, 4, 6] {
            let low = hz(root, scale, base + third);
            let saw = |hz: f32| harmonics(hz, 300.0, |number, hz| low_pass(hz, cutoff, 0.7) / number);
            let waves = [saw(low), saw(low * (1.0 + detune)), saw(low * (1.0 - detune))].concat();
            let pan = track.random_range(-0.8..0.8);
            dry.add(at, &tone(mix.rate, envelope, &waves), 0.1, pan);
        }
        at += spacing * track.random_range(0.8..1.1);
    }
    mix.mix_in_room(&dry, room, 1.5);
}

/// A pipe organ in three voices: running notes over a walking pedal and the circle of fifths, in a church.
fn baroque(Dice { artist, track }: &mut Dice, mix: &mut Mix) {
    const CIRCLE: [i32; 8] = [0, 3, 6, 2, 5, 1, 4, 0];
    const STOPS: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0];
    let bpm = artist.random_range(70.0..108.0) * track.random_range(0.95..1.05);
    let grid = Grid::new(bpm, 4, 0.0, mix.seconds(), track);
    let scale = pick(&[MAJOR, HARMONIC_MINOR], artist);
    let root = artist.random_range(48..58) + pick(&[0, 0, 2, 5, -3], track);
    let levels = STOPS.map(|stop| artist.random_range(0.3..0.9) / stop);
    let room = artist.random_range(1.6..3.5);
    let motif: [i32; 8] = array::from_fn(|_| track.random_range(0..7));
    let first = track.random_range(0..8);
    let mut dry = mix.silence();
    for (step, at) in grid.steps() {
        let chord = CIRCLE[(first + step / 8) % 8];
        let mut play = |hz: f32, steps: f32, gain: f32, pan: f32| {
            let pipes: [_; 6] = array::from_fn(|stop| Partial::new(hz * STOPS[stop], levels[stop], 60.0));
            let voice = tone(mix.rate, [0.025, steps * grid.step, 0.05], &pipes);
            dry.add(at, &voice, gain, pan);
        };
        play(hz(root + 12, scale, chord + motif[step % 8]), 0.9, 0.3, 0.25);
        if step % 2 == 0 {
            let answer = motif[(step / 2 + 3) % 8] / 2 * 2;
            play(hz(root, scale, chord + answer), 1.9, 0.26, -0.25);
        }
        if step % 4 == 0 {
            let walk = if step % 8 == 0 { 0 } else { pick(&[2, 4, -3], track) };
            play(hz(root - 12, scale, chord + walk), 3.9, 0.42, 0.0);
        }
    }
    mix.mix_in_room(&dry, room, 1.0);
}

/// Pulse waves with very fast arpeggios as chords, a triangle wave as bass, noise as drums, no reverb.
fn chiptune(Dice { artist, track }: &mut Dice, mix: &mut Mix) {
    let bpm = artist.random_range(136.0..164.0) + track.random_range(-3.0..3.0);
    let grid = Grid::new(bpm, 4, 0.0, mix.seconds(), track);
    let (scale, root) = (
        pick(&[MAJOR, MINOR, HARMONIC_MINOR], artist),
        artist.random_range(45..57),
    );
    let (lead, chords) = (pick(&[0.125, 0.25, 0.5], artist), pick(&[0.125, 0.25], artist));
    // Game consoles advanced their arpeggios once per video frame.
    let arpeggio = pick(&[50.0, 60.0, 30.0, 25.0], artist);
    let busy = artist.random_range(0.45..0.8);
    let progression = pick(&[[0, 5, 6, 0], [0, 3, 4, 4], [0, 6, 5, 4], [0, 2, 5, 4]], track);
    let rhythm: [bool; BAR] = array::from_fn(|place| place % 8 == 0 || track.random_bool(busy));
    let rate = mix.rate;
    let drums = [2000.0, 9000.0, 3000.0, 9000.0].map(|centre| noise(rate, centre, 6000.0, 300.0 / centre, track));
    let pulse = |hz: f32, duty: f32, held: f32| {
        let wave = harmonics(hz, 60.0, |number, _| (PI * number * duty).sin() / number);
        tone(rate, [0.002, held, 0.01], &wave)
    };
    let mut tune = track.random_range(7..12);
    for (step, at) in grid.steps() {
        let (place, chord) = (step % BAR, progression[step / BAR % 4]);
        for turn in 0..(grid.step * arpeggio).round() as usize {
            let note = hz(root + 12, scale, chord + [0, 2, 4, 7][turn % 4]);
            let voice = pulse(note, chords, 0.9 / arpeggio);
            mix.add(at + turn as f32 / arpeggio, &voice, 0.16, 0.0);
        }
        if rhythm[place] {
            tune = (tune + pick(&[-2, -1, 0, 1, 2], track)).clamp(5, 14);
            let voice = pulse(hz(root + 12, scale, chord + tune), lead, grid.step);
            mix.add(at, &voice, 0.25, 0.0);
        }
        if place % 2 == 0 {
            let low = hz(root - 12, scale, chord + if place % 4 == 2 { 7 } else { 0 });
            let triangle = harmonics(low, 60.0, |number, _| (number % 2.0) / (number * number));
            let voice = tone(rate, [0.001, 1.7 * grid.step, 0.005], &triangle);
            mix.add(at, &voice, 0.5, 0.0);
            mix.add(at, &drums[place / 2 % 4], 0.2, 0.0);
        }
    }
}

/// A fast breakbeat with ghost notes over long, detuned, very low notes.
fn drum_and_bass(Dice { artist, track }: &mut Dice, mix: &mut Mix) {
    let bpm = artist.random_range(167.0..179.0) + track.random_range(-1.5..1.5);
    let grid = Grid::new(bpm, 4, artist.random_range(0.0..0.18), mix.seconds(), track);
    let rate = mix.rate;
    let kick = drum(rate, artist.random_range(55.0..75.0), 2.0, 0.18);
    let skin = drum(rate, artist.random_range(170.0..240.0), 0.6, 0.14);
    let wires = noise(rate, artist.random_range(2500.0..4800.0), 5000.0, 0.2, track);
    let hat = noise(rate, artist.random_range(8000.0..11_000.0), 6000.0, 0.05, track);
    let kicks = pick(&[[0, 10, 10], [0, 6, 10], [0, 2, 10], [0, 7, 11]], artist);
    let (scale, root) = (pick(&[MINOR, DORIAN], artist), artist.random_range(28..37));
    let (detune, cutoff) = (artist.random_range(0.006..0.02), artist.random_range(200.0..600.0));
    let ghosts = track.random_range(0.15..0.4);
    let mut drums = mix.silence();
    let mut next_bass = 0;
    for (step, at) in grid.steps() {
        let place = step % BAR;
        if kicks.contains(&place) {
            drums.add(at, &kick, 0.9, 0.0);
        }
        let ghost = place % 2 == 1 && track.random_bool(ghosts);
        if place % 8 == 4 || ghost {
            let gain = if ghost { 0.2 } else { 0.75 };
            drums.add(at, &skin, gain, 0.0);
            drums.add(at, &wires, 0.8 * gain, 0.0);
        }
        if place.is_multiple_of(2) || track.random_bool(0.35) {
            drums.add(at, &hat, track.random_range(0.12..0.3), 0.25);
        }
        if step == next_bass {
            let steps = pick(&[4, 6, 8, 8, 10, 16], track);
            let low = hz(root, scale, pick(&[0, 0, 0, 2, 3, 4, 6], track));
            let saw = |hz: f32| harmonics(hz, 60.0, |number, hz| low_pass(hz, cutoff, 1.4) / number);
            let waves = [saw(low * (1.0 + detune)), saw(low * (1.0 - detune))].concat();
            let envelope = [0.01, grid.step * (steps as f32 - 0.5), 0.05];
            mix.add(at, &tone(rate, envelope, &waves), 0.5, 0.0);
            next_bass += steps;
        }
    }
    mix.mix_in_room(&drums, 0.5, 0.2);
}

/// Slow, with drums on the third beat, an off-beat organ, a heavy bass line and echoes.
fn dub(Dice { artist, track }: &mut Dice, mix: &mut Mix) {
    let bpm = artist.random_range(64.0..80.0) + track.random_range(-1.5..1.5);
    let grid = Grid::new(bpm, 4, artist.random_range(0.0..0.3), mix.seconds(), track);
    let rate = mix.rate;
    let (scale, root) = (pick(&[MINOR, DORIAN], artist), artist.random_range(33..42));
    let kick = drum(rate, artist.random_range(48.0..62.0), 1.5, 0.25);
    let rim = noise(rate, artist.random_range(1500.0..2600.0), 600.0, 0.1, track);
    let hat = noise(rate, artist.random_range(6000.0..9000.0), 5000.0, 0.06, track);
    let (organ, stab) = (artist.random_range(1200.0..3000.0), artist.random_range(0.09..0.17));
    let (echo, tape) = (artist.random_range(2.0..5.0), artist.random_range(1500.0..3000.0));
    // The organ plays once or twice between two beats, depending on the artist.
    let double = artist.random_bool(0.4);
    let progression = pick(&[[0, 3, 0, 3], [0, 6, 0, 6], [0, 0, 3, 4], [0, 4, 0, 4]], track);
    let riff: [i32; BAR / 2] = array::from_fn(|_| pick(&[0, 0, 1, 2, 3, -1, -2], track));
    let rests: [bool; BAR / 2] = array::from_fn(|place| place > 0 && track.random_bool(0.5));
    let square = |hz: f32, cutoff: f32, held: f32| {
        let wave = harmonics(hz, 60.0, |number, hz| {
            (number % 2.0) * low_pass(hz, cutoff, 0.8) / number
        });
        tone(rate, [0.008, held, 0.05], &wave)
    };
    let mut sent = mix.silence();
    for (step, at) in grid.steps() {
        let (place, chord) = (step % BAR, progression[step / BAR % 4]);
        if place == 8 {
            mix.add(at, &kick, 0.8, 0.0);
            sent.add(at, &rim, pick(&[0.3, 0.6], track), 0.4);
        }
        if place % 2 == 0 {
            mix.add(at, &hat, pick(&[0.0, 0.07, 0.13], track), 0.3);
            if !rests[place / 2] {
                let low = hz(root, scale, chord) * hz(69, PENTATONIC, riff[place / 2]) / 440.0;
                mix.add(at, &square(low, 180.0, 1.7 * grid.step), 0.5, 0.0);
            }
        }
        if place % 8 == 4 || double && place % 8 == 6 {
            for third in [0, 2, 4] {
                let voice = square(hz(root + 24, scale, chord + third), organ, stab);
                sent.add(at, &voice, 0.2, -0.3);
            }
        }
    }
    mix.mix(&sent.reflections(&[3.0 * grid.step], echo, tape), 0.6);
    mix.mix_in_room(&sent, 1.8, 0.3);
}

/// A fingerpicked guitar in major: alternating bass, a melody above it, sometimes a shaker.
fn folk(Dice { artist, track }: &mut Dice, mix: &mut Mix) {
    let bpm = artist.random_range(86.0..124.0) + track.random_range(-4.0..4.0);
    let grid = Grid::new(bpm, 2, artist.random_range(0.0..0.2), mix.seconds(), track);
    let rate = mix.rate;
    let (pluck, brightness) = (artist.random_range(0.12..0.4), artist.random_range(1500.0..4000.0));
    let (ring, tonic) = (artist.random_range(2.0..5.0), artist.random_range(40..48));
    let per_bar = pick(&[6, 8, 8], artist);
    let (busy, shakes) = (artist.random_range(0.3..0.8), pick(&[0.0, 0.0, 0.06], artist));
    let room = artist.random_range(0.4..1.1);
    let shaker = noise(rate, 7000.0, 4000.0, 0.07, track);
    let progression = pick(
        &[[0, 3, 4, 0], [0, 4, 5, 3], [0, 5, 3, 4], [0, 0, 3, 4], [3, 0, 4, 0]],
        track,
    );
    // The order in which thumb and fingers play the notes of a chord.
    let fingers: [i32; 8] = array::from_fn(|_| pick(&[0, 2, 4, 2, 4], track));
    // A plucked string lacks the harmonics with a node at the plucked position.
    let string = |hz: f32, held: f32| {
        let level = |number: f32, hz: f32| 2.0 * (PI * number * pluck).sin() * low_pass(hz, brightness, 0.7) / number;
        tone(rate, [0.002, held, 0.03], &harmonics(hz, ring, level))
    };
    let mut dry = mix.silence();
    let mut tune = 7 + track.random_range(0..5);
    for (step, at) in grid.steps() {
        let at = at + track.random_range(0.0..0.008);
        let (place, chord) = (step % per_bar, progression[step / per_bar % 4]);
        let note = match place {
            0 => hz(tonic, MAJOR, chord),
            4 => hz(tonic, MAJOR, chord - 3),
            _ => hz(tonic + 12, MAJOR, chord + fingers[place]),
        };
        dry.add(at, &string(note, 1.3), track.random_range(0.35..0.6), -0.2);
        if track.random_bool(if place % 2 == 0 { busy } else { 0.4 * busy }) {
            tune = (tune + pick(&[-2, -1, -1, 1, 1, 2], track)).clamp(5, 16);
            dry.add(at, &string(hz(tonic + 12, MAJOR, tune), 0.9), 0.45, 0.3);
        }
        dry.add(at, &shaker, shakes, 0.5);
    }
    mix.mix_in_room(&dry, room, 0.3);
}

/// Two interlocking parts on bronze bars tuned in beating pairs, a slow core melody, and gongs.
fn gamelan(Dice { artist, track }: &mut Dice, mix: &mut Mix) {
    // Cents above the lowest bar: five nearly equal steps, or five of seven unequal steps.
    const TUNINGS: [[f32; 5]; 2] = [[0.0, 231.0, 474.0, 717.0, 955.0], [0.0, 120.0, 270.0, 670.0, 785.0]];
    let bpm = artist.random_range(78.0..150.0) * track.random_range(0.95..1.05);
    let grid = Grid::new(bpm, 4, 0.0, mix.seconds(), track);
    // Every orchestra has its own tuning.
    let cents = pick(&TUNINGS, artist).map(|cents| cents + artist.random_range(-18.0..18.0));
    let (lowest, beating) = (artist.random_range(130.0..190.0), artist.random_range(3.0..9.0));
    let (gong, room) = (artist.random_range(55.0..85.0), artist.random_range(0.8..2.0));
    // Approximate overtones of a bar with two free ends.
    let overtones = [1.0, 2.76, 5.4, 8.93].map(|ratio| ratio * artist.random_range(0.95..1.05));
    let rate = mix.rate;
    let bar = |hz: f32, held: f32, ring: f32| {
        let twin = |hz: f32| overtones.map(|ratio| Partial::new(hz * ratio, 0.5 / ratio, ring / ratio));
        tone(rate, [0.002, held, 0.1], &[twin(hz), twin(hz + beating)].concat())
    };
    let pitch = |place: i32| {
        let octave = place.div_euclid(5) as f32;
        lowest * (octave + cents[place.rem_euclid(5) as usize] / 1200.0).exp2()
    };
    let core: [i32; 4] = array::from_fn(|_| track.random_range(2..9));
    let motif = pick(&[[0, 1, 2, 1], [2, 1, 0, 1], [0, 2, 1, 2], [1, 0, 1, 2]], track);
    let density = track.random_range(0.75..1.0);
    let mut dry = mix.silence();
    for (step, at) in grid.steps() {
        let melody = core[step % BAR / 4];
        if step % 4 == 0 {
            dry.add(at, &bar(pitch(melody), 1.6, 3.0), 0.5, 0.0);
        }
        if track.random_bool(density) {
            let voice = bar(pitch(melody + 5 + motif[step % 4]), 0.5, 1.5);
            dry.add(at, &voice, 0.35, if step % 2 == 0 { -0.5 } else { 0.5 });
        }
        if step % 8 == 0 {
            let hz = if step % BAR == 0 { gong } else { 1.6 * gong };
            dry.add(at, &bar(hz, 3.0, 4.0), 0.7, 0.0);
        }
    }
    mix.mix_in_room(&dry, room, 0.3);
}

/// A bass drum on every beat, hi-hats between them, and a resonant sawtooth line in sixteenths.
fn techno(Dice { artist, track }: &mut Dice, mix: &mut Mix) {
    let bpm = artist.random_range(123.0..134.0) + track.random_range(-1.5..1.5);
    let grid = Grid::new(bpm, 4, 0.0, mix.seconds(), track);
    let rate = mix.rate;
    let fall = artist.random_range(3.0..6.0);
    let kick = drum(rate, artist.random_range(43.0..56.0), fall, 0.35);
    let hat = artist.random_range(7000.0..9500.0);
    let (open, closed) = (
        noise(rate, hat, 6000.0, 0.15, track),
        noise(rate, hat, 6000.0, 0.04, track),
    );
    let clap = noise(rate, artist.random_range(1100.0..1800.0), 1000.0, 0.25, track);
    let claps = pick(&[0.0, 0.4, 0.4], artist);
    let (scale, root) = (pick(&[MINOR, PHRYGIAN], artist), artist.random_range(33..42));
    let (quality, cutoff) = (artist.random_range(3.0..9.0), artist.random_range(500.0..1400.0));
    let room = artist.random_range(0.4..1.2);
    let sweep = track.random_range(2.0..6.0) * BAR as f32;
    let degrees: [i32; BAR] = array::from_fn(|_| pick(&[0, 0, 0, 1, 2, 4, 6, 7, 14], track));
    let rests: [bool; BAR] = array::from_fn(|_| track.random_bool(0.22));
    let mut dry = mix.silence();
    for (step, at) in grid.steps() {
        let place = step % BAR;
        match place % 4 {
            0 => mix.add(at, &kick, 0.95, 0.0),
            2 => mix.add(at, &open, 0.3, 0.1),
            _ => mix.add(at, &closed, pick(&[0.0, 0.1, 0.15], track), -0.2),
        }
        if place % 8 == 4 {
            dry.add(at, &clap, claps, 0.0);
        }
        if !rests[place] {
            // The filter opens and closes over several bars.
            let opened = cutoff * (1.1 - 1.1 * (step as f32 / sweep * TAU).cos()).exp2();
            let level = |number: f32, hz: f32| low_pass(hz, opened, quality) / number;
            let saw = harmonics(hz(root, scale, degrees[place]), 1.5, level);
            let voice = tone(rate, [0.003, 0.8 * grid.step, 0.03], &saw);
            dry.add(at, &voice, 0.4, 0.15);
        }
    }
    mix.mix(&dry.reflections(&[3.0 * grid.step], 2.0, 3000.0), 0.25);
    mix.mix_in_room(&dry, room, 0.25);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(genre: &Genre, rate: f32, artist: u128, track: u128) -> Mix {
        let mut mix = Mix::silent(rate, 6.0);
        let mut dice = Dice {
            artist: Pcg64Mcg::new(artist),
            track: Pcg64Mcg::new(track),
        };
        (genre.play)(&mut dice, &mut mix);
        mix
    }

    #[test]
    fn every_genre_is_audible_throughout_at_every_sample_rate() {
        for genre in &GENRES {
            for (rate, seed) in [(22_050.0, 1), (44_100.0, 2), (48_000.0, 3)] {
                for channel in play(genre, rate, seed, seed + 10).channels {
                    for (second, samples) in channel.chunks_exact(rate as usize).enumerate() {
                        let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / rate;
                        assert!(
                            power.is_finite() && power > 1e-6,
                            "{}: {power} in second {second}",
                            genre.name
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn audio_depends_only_on_the_random_streams_of_artist_and_track() {
        for genre in &GENRES {
            let first = play(genre, 22_050.0, 1, 1);
            assert_eq!(first, play(genre, 22_050.0, 1, 1), "{}", genre.name);
            assert_ne!(first, play(genre, 22_050.0, 1, 2), "{}", genre.name);
            assert_ne!(first, play(genre, 22_050.0, 2, 1), "{}", genre.name);
        }
    }
}
