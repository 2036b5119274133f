//! Chooses the artists, tracks and ids of a corpus before any audio is made.

use super::damage::Damage;
use super::genres::GENRES;
use super::{CorpusConfig, SECONDS_RANGE, stream};
use anyhow::ensure;
use rand::RngExt;
use rand::seq::SliceRandom;

/// The set that the collection assigns to an artist's tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OfficialSplit {
    Training,
    Validation,
    Test,
}

impl OfficialSplit {
    /// The word in `tracks.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// A track of the corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Track id; ids have gaps, as in FMA.
    pub id: u32,
    /// Index into [`GENRES`].
    pub genre: usize,
    pub artist_id: u32,
    pub artist_name: String,
    pub title: String,
    /// The official set of its artist.
    pub split: OfficialSplit,
    /// Sample rate of the file, in Hz.
    pub rate: u32,
    /// Channels of the file.
    pub channels: u8,
    /// Bit rate of the file, in kbit/s.
    pub kbps: u32,
    /// Length in seconds.
    pub seconds: f32,
    /// How its file is damaged.
    pub damage: Option<Damage>,
    /// Its labels in the collection: one genre, or several tags.
    pub labels: Vec<&'static str>,
    /// Path of its file relative to the corpus, with `/` between names.
    pub path: String,
}

impl Track {
    pub fn genre_name(&self) -> &'static str {
        GENRES[self.genre].name
    }
}

/// Maximum number of tracks of one artist.
const MAX_PER_ARTIST: usize = 4;
/// Fraction of artists in the official validation set, and in the test set.
const HELD_OUT: f32 = 0.1;
/// Maximum gap between two track ids.
const MAX_ID_GAP: u32 = 40;
const FIRST_WORDS: [&str; 16] = [
    "Amber", "Silent", "Paper", "Northern", "Glass", "Copper", "Distant", "Velvet", "Salt", "Hollow", "Early",
    "Marble", "Winter", "Lantern", "Quiet", "Granite",
];
const SECOND_WORDS: [&str; 16] = [
    "Harbour", "Orchard", "Signal", "Meridian", "Foxes", "Parade", "Almanac", "Tides", "Avenue", "Engine", "Gardens",
    "Letters", "Compass", "Thunder", "Mosaic", "Ferry",
];

/// All tracks of a corpus, by ascending id.
pub(super) fn catalogue(config: &CorpusConfig) -> anyhow::Result<Vec<Track>> {
    ensure!(
        SECONDS_RANGE.contains(&config.seconds),
        "tracks cannot be {} seconds long; choose between {} and {}",
        config.seconds,
        SECONDS_RANGE.start(),
        SECONDS_RANGE.end()
    );
    let mut tracks = Vec::new();
    let mut artists = 0;
    for genre in 0..GENRES.len() {
        let sizes = artist_sizes(config, genre);
        for (within, &size) in sizes.iter().enumerate() {
            artists += 1;
            for _ in 0..size {
                tracks.push(Track {
                    id: 0,
                    genre,
                    artist_id: artists,
                    artist_name: artist_name(artists),
                    title: String::new(),
                    split: official_split(within, sizes.len()),
                    rate: 44_100,
                    channels: 2,
                    kbps: 0,
                    seconds: config.seconds,
                    damage: None,
                    labels: Vec::new(),
                    path: String::new(),
                });
            }
        }
    }
    let mut rng = stream(config.seed, "catalogue", 0);
    tracks.shuffle(&mut rng);
    let mut id = 0;
    for (place, track) in tracks.iter_mut().enumerate() {
        id += rng.random_range(1..=MAX_ID_GAP);
        track.id = id;
        track.title = format!(
            "{} {}",
            FIRST_WORDS[rng.random_range(0..FIRST_WORDS.len())],
            SECOND_WORDS[rng.random_range(0..SECOND_WORDS.len())]
        );
        // A larger fraction of unusual files than in FMA, so a small corpus has some of each.
        track.rate = match place % 20 {
            3 | 13 => 48_000,
            7 => 22_050,
            _ => 44_100,
        };
        track.channels = if place % 12 == 5 { 1 } else { 2 };
        track.kbps = if track.rate == 22_050 {
            64
        } else {
            [128, 192, 256, 320][rng.random_range(0..4)]
        };
        if rng.random_bool(0.125) {
            track.seconds *= rng.random_range(1.0..2.0);
        }
    }
    let mut places: Vec<usize> = (0..tracks.len()).collect();
    places.shuffle(&mut rng);
    config.layout.arrange(&mut tracks, config.seed);
    if let Some(first) = config.layout.damaged_first()
        && let Some(at) = places.iter().position(|&place| tracks[place].labels == [first])
    {
        places.swap(0, at);
    }
    for (place, damage) in places.into_iter().zip(&config.damage) {
        tracks[place].damage = Some(*damage);
    }
    tracks.sort_by_key(|track| track.id);
    Ok(tracks)
}

/// Number of tracks of each artist of a genre.
fn artist_sizes(config: &CorpusConfig, genre: usize) -> Vec<usize> {
    let mut rng = stream(config.seed, "artists", genre as u32);
    let mut sizes = Vec::new();
    let mut left = config.tracks_per_genre;
    while left > 0 {
        let size = rng.random_range(1..=MAX_PER_ARTIST).min(left);
        sizes.push(size);
        left -= size;
    }
    sizes
}

/// Artists are random already, so the first ones of a genre can be held out.
fn official_split(artist: usize, artists: usize) -> OfficialSplit {
    let held_out = ((HELD_OUT * artists as f32).round() as usize).max(1);
    if artists <= 2 * held_out {
        OfficialSplit::Training
    } else if artist < held_out {
        OfficialSplit::Test
    } else if artist < 2 * held_out {
        OfficialSplit::Validation
    } else {
        OfficialSplit::Training
    }
}

/// Two words that do not depend on the genre, and a number once all word pairs are used.
fn artist_name(number: u32) -> String {
    let number = number as usize;
    let second = (number + number / FIRST_WORDS.len()) % SECOND_WORDS.len();
    let name = format!("{} {}", FIRST_WORDS[number % FIRST_WORDS.len()], SECOND_WORDS[second]);
    match number / (FIRST_WORDS.len() * SECOND_WORDS.len()) {
        0 => name,
        generation => format!("{name} {}", generation + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    fn tracks() -> Vec<Track> {
        catalogue(&CorpusConfig::default()).unwrap()
    }

    #[test]
    fn genres_are_balanced_and_ids_ascend_with_gaps() {
        let tracks = tracks();
        assert_eq!(tracks.len(), 8 * 30);
        for genre in 0..8 {
            assert_eq!(tracks.iter().filter(|track| track.genre == genre).count(), 30);
        }
        assert!(tracks.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert!(tracks.windows(2).any(|pair| pair[0].id + 1 < pair[1].id));
    }

    #[test]
    fn each_artist_has_one_name_one_genre_and_one_set() {
        let mut known = HashMap::new();
        for track in tracks() {
            let facts = (track.artist_name.clone(), track.genre, track.split);
            assert_eq!(*known.entry(track.artist_id).or_insert_with(|| facts.clone()), facts);
        }
        let names: HashSet<_> = known.values().map(|facts| &facts.0).collect();
        assert_eq!(names.len(), known.len());
        assert_eq!((1..=1000).map(artist_name).collect::<HashSet<_>>().len(), 1000);
    }

    #[test]
    fn every_genre_is_in_every_official_set() {
        let seen: HashSet<_> = tracks().iter().map(|track| (track.genre, track.split)).collect();
        assert_eq!(seen.len(), 8 * 3);
    }

    #[test]
    fn small_corpus_has_unusual_and_damaged_files() {
        let tracks = catalogue(&CorpusConfig {
            tracks_per_genre: 2,
            ..CorpusConfig::default()
        })
        .unwrap();
        let count = |test: &dyn Fn(&&Track) -> bool| tracks.iter().filter(test).count();
        assert_eq!(count(&|track| track.rate == 48_000), 2);
        assert_eq!(count(&|track| track.rate == 22_050), 1);
        assert_eq!(count(&|track| track.channels == 1), 1);
        assert_eq!(count(&|track| track.damage.is_some()), 7);
    }
}
