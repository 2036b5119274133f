//! Makes a music collection that needs no download: eight synthetic genres in the layout of the Free Music Archive,
//! MagnaTagATune or GTZAN.
//!
//! [`make_corpus`] writes audio files and tables as [`Layout`] describes them, and `metadata/damage.csv`, which lists
//! the files damaged on purpose. The same [`CorpusConfig`] gives the same bytes.

mod catalogue;
mod damage;
mod encode;
mod genres;
mod layout;
mod score;
mod synth;
mod tables;

pub use catalogue::{OfficialSplit, Track};
pub use damage::Damage;
pub use encode::mp3 as encode_mp3;
pub use layout::Layout;

use anyhow::{Context as _, bail, ensure};
use genres::{Dice, GENRES};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;
use rayon::prelude::*;
use std::fs;
use std::path::Path;
use synth::Mix;

pub const GENRE_COUNT: usize = GENRES.len();

/// Shortest and longest possible track, in seconds.
pub const SECONDS_RANGE: std::ops::RangeInclusive<f32> = 1.0..=600.0;

#[derive(Clone, Debug, PartialEq)]
pub struct CorpusConfig {
    pub tracks_per_genre: usize,
    /// Length of most tracks, in seconds; one in eight is up to twice as long. A model's clip takes 11.9 s.
    pub seconds: f32,
    /// Random seed.
    pub seed: u64,
    /// Each entry damages one file, as long as there are enough files.
    pub damage: Vec<Damage>,
    /// Collection whose layout is used.
    pub layout: Layout,
}

impl Default for CorpusConfig {
    fn default() -> Self {
        Self {
            tracks_per_genre: 30,
            seconds: 13.0,
            seed: 0,
            damage: Damage::USUAL.to_vec(),
            layout: Layout::Fma,
        }
    }
}

/// Makes the corpus in `out`, which must not exist. It is written under a temporary name and renamed once complete.
pub fn make_corpus(out: &Path, config: &CorpusConfig) -> anyhow::Result<Vec<Track>> {
    let tracks = catalogue::catalogue(config)?;
    ensure!(
        !out.exists(),
        "{} exists already; delete it or choose another directory",
        out.display()
    );
    let Some(name) = out.file_name() else {
        bail!("{} cannot be the corpus's directory; give it a name", out.display());
    };
    let mut partial_name = name.to_owned();
    partial_name.push(".partial");
    let partial = out.with_file_name(partial_name);
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| format!("could not delete {}", partial.display()))?;
    }
    tracks
        .par_iter()
        .with_max_len(1)
        .try_for_each(|track| write_track(&partial, track, config.seed))?;
    let metadata = partial.join("metadata");
    tables::write(&metadata, config.layout, &tracks)
        .with_context(|| format!("could not write a table in {}", metadata.display()))?;
    fs::rename(&partial, out).with_context(|| format!("could not make {}", out.display()))?;
    Ok(tracks)
}

fn write_track(root: &Path, track: &Track, seed: u64) -> anyhow::Result<()> {
    let file = encode::file(&play(track, seed), track);
    let mut file = file.with_context(|| format!("could not encode track {}", track.id))?;
    if let Some(damage) = track.damage {
        damage.apply(&mut file, &mut stream(seed, "damage", track.id));
    }
    let path = root.join(&track.path);
    let written = fs::create_dir_all(path.parent().unwrap_or(root)).and_then(|()| fs::write(&path, file));
    written.with_context(|| format!("could not write {}", path.display()))
}

fn play(track: &Track, seed: u64) -> Mix {
    let mut dice = Dice {
        artist: stream(seed, "artist", track.artist_id),
        track: stream(seed, "track", track.id),
    };
    let mut mix = Mix::silent(track.rate as f32, track.seconds);
    (GENRES[track.genre].play)(&mut dice, &mut mix);
    mix.master(&mut stream(seed, "master", track.id));
    mix
}

/// Random stream of item `number` of a kind, independent of all other streams.
fn stream(seed: u64, kind: &str, number: u32) -> Pcg64Mcg {
    let key = format!("{seed} {kind} {number}");
    let mut state = [0; 16];
    state.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
    Pcg64Mcg::from_seed(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Tree;

    fn config() -> CorpusConfig {
        CorpusConfig {
            tracks_per_genre: 1,
            seconds: 1.0,
            damage: vec![Damage::Empty, Damage::NotAudio],
            ..CorpusConfig::default()
        }
    }

    #[test]
    fn the_seed_decides_every_byte() {
        let root = tempfile::tempdir().unwrap();
        let make = |name: &str, seed: u64| {
            make_corpus(&root.path().join(name), &CorpusConfig { seed, ..config() }).unwrap();
            Tree::read(&root.path().join(name)).unwrap()
        };
        let first = make("first", 1);
        assert_eq!(first.paths().count(), GENRE_COUNT + 2);
        assert_eq!(first, make("again", 1));
        assert_ne!(first, make("other", 2));
    }

    #[test]
    fn each_layout_writes_its_file_formats_and_table() {
        let root = tempfile::tempdir().unwrap();
        for (layout, begins) in [
            (Layout::Fma, [b"\xff"; GENRE_COUNT]),
            (Layout::MagnaTagATune, [b"\xff"; GENRE_COUNT]),
            (Layout::Gtzan, [b".", b"R", b"R", b"R", b"R", b"R", b"R", b"R"]),
        ] {
            let out = root.path().join(layout.source());
            let config = CorpusConfig {
                damage: Vec::new(),
                layout,
                ..config()
            };
            let mut tracks = make_corpus(&out, &config).unwrap();
            tracks.sort_by(|first, second| first.path.cmp(&second.path));
            for (track, begin) in tracks.iter().zip(begins) {
                let file = fs::read(out.join(&track.path)).unwrap();
                assert!(file.starts_with(begin), "{track:?}");
            }
            if let Some(table) = layout.table() {
                let table = fs::read_to_string(out.join("metadata").join(table)).unwrap();
                assert!(table.lines().count() > GENRE_COUNT, "{table}");
            }
        }
    }

    #[test]
    fn existing_corpus_is_kept_and_interrupted_one_is_made_anew() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("corpus");
        let litter = root.path().join("corpus.partial/audio/000/000000.mp3");
        fs::create_dir_all(litter.parent().unwrap()).unwrap();
        fs::write(&litter, b"half").unwrap();
        make_corpus(&out, &config()).unwrap();
        assert!(!litter.exists() && !out.join("audio/000/000000.mp3").exists());
        let again = make_corpus(&out, &config()).unwrap_err().to_string();
        assert!(again.contains("exists already"), "{again}");
    }

    #[test]
    fn track_length_out_of_range_is_refused_before_writing() {
        let root = tempfile::tempdir().unwrap();
        for seconds in [0.0, -1.0, f32::NAN, 1e9] {
            let config = CorpusConfig { seconds, ..config() };
            let refused = make_corpus(&root.path().join("corpus"), &config)
                .unwrap_err()
                .to_string();
            assert!(refused.ends_with("choose between 1 and 600"), "{refused}");
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn mean_loudness_is_similar_in_all_genres() {
        // Mix::master draws the level of each track at random, so the means of the genres are close together.
        let mut means = Vec::new();
        for genre in 0..GENRE_COUNT {
            let levels: Vec<f32> = (0..12)
                .map(|number| {
                    let mut track = catalogue::catalogue(&config()).unwrap().remove(0);
                    (track.genre, track.id, track.seconds, track.rate) = (genre, number, 3.0, 22_050);
                    20.0 * play(&track, 3).rms().log10()
                })
                .collect();
            means.push(levels.iter().sum::<f32>() / 12.0);
        }
        let (low, high) = means.iter().fold((f32::MAX, f32::MIN), |(low, high), mean| {
            (low.min(*mean), high.max(*mean))
        });
        assert!(high - low < 6.0, "{means:?}");
    }
}
