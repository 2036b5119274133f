//! Eight ways of making music. Each takes chance in and fills a bus.
//!
//! They differ in tempo, rhythm, timbre, scale and register, and not in loudness, which [`super::master`] draws at
//! random. Within a genre every artist has a sound, and within an artist's work no two tracks are alike.

mod ambient;
mod baroque;
mod chiptune;
mod drum_and_bass;
mod dub;
mod folk;
mod gamelan;
mod techno;

use super::synth::bus::Bus;
use rand_pcg::Pcg64Mcg;

/// The chance behind a track. Every track of an artist begins with the same `artist` stream: what is drawn from it, in
/// the same order, is the artist's character.
#[derive(Clone, Debug)]
pub struct Dice {
    /// What the artist's tracks share.
    pub artist: Pcg64Mcg,
    /// What is the track's own.
    pub track: Pcg64Mcg,
}

/// A genre.
#[derive(Clone, Copy, Debug)]
pub struct Genre {
    /// Its name, as it stands in the metadata.
    pub name: &'static str,
    /// Plays a piece on a silent bus, filling it from beginning to end.
    pub compose: fn(&mut Dice, &mut Bus),
}

/// All genres, in alphabetical order.
pub const GENRES: [Genre; 8] = [
    Genre {
        name: "Ambient",
        compose: ambient::compose,
    },
    Genre {
        name: "Baroque",
        compose: baroque::compose,
    },
    Genre {
        name: "Chiptune",
        compose: chiptune::compose,
    },
    Genre {
        name: "Drum and Bass",
        compose: drum_and_bass::compose,
    },
    Genre {
        name: "Dub",
        compose: dub::compose,
    },
    Genre {
        name: "Folk",
        compose: folk::compose,
    },
    Genre {
        name: "Gamelan",
        compose: gamelan::compose,
    },
    Genre {
        name: "Techno",
        compose: techno::compose,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn dice(artist: u128, track: u128) -> Dice {
        Dice {
            artist: Pcg64Mcg::new(artist),
            track: Pcg64Mcg::new(track),
        }
    }

    fn play(genre: &Genre, rate: f32, mut dice: Dice) -> Bus {
        let mut bus = Bus::silent(rate, 6.0);
        (genre.compose)(&mut dice, &mut bus);
        bus
    }

    #[test]
    fn every_genre_sounds_throughout_at_every_rate() {
        for genre in &GENRES {
            for (rate, seed) in [(22_050.0, 1), (44_100.0, 2), (48_000.0, 3)] {
                let bus = play(genre, rate, dice(seed, seed + 10));
                for channel in [&bus.left, &bus.right] {
                    assert!(channel.iter().all(|sample| sample.is_finite()), "{}", genre.name);
                    for (second, samples) in channel.chunks_exact(rate as usize).enumerate() {
                        let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / rate;
                        assert!(power > 1e-6, "{} is silent in second {second}", genre.name);
                    }
                }
            }
        }
    }

    #[test]
    fn chance_alone_decides() {
        for genre in &GENRES {
            let first = play(genre, 22_050.0, dice(1, 1));
            assert_eq!(first, play(genre, 22_050.0, dice(1, 1)), "{}", genre.name);
            assert_ne!(first, play(genre, 22_050.0, dice(1, 2)), "{}", genre.name);
            assert_ne!(first, play(genre, 22_050.0, dice(2, 1)), "{}", genre.name);
        }
    }
}
