//! A collection of music that needs no download: eight synthetic genres, laid out as the Free Music Archive's, as
//! MagnaTagATune or as GTZAN.
//!
//! A [`CorpusConfig`] enters; audio files and tables as [`Layout`] describes them and `metadata/damage.csv`, which names the
//! files that were damaged on purpose, leave. The same configuration gives the same bytes. Nothing here knows of the
//! programs that will read them.

mod catalogue;
mod damage;
mod encode;
mod genres;
mod layout;
mod master;
mod synth;
mod tables;
mod theory;

pub use catalogue::{OfficialSplit, Track};
pub use damage::Damage;
pub use encode::{EncodeError, mp3 as encode_mp3};
pub use layout::Layout;

use genres::{Dice, GENRES};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;
use rayon::prelude::*;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use synth::bus::Bus;

/// Number of genres.
pub const GENRE_COUNT: usize = GENRES.len();

/// Shortest and longest track that can be asked for, in seconds.
pub const SECONDS_RANGE: std::ops::RangeInclusive<f32> = 1.0..=600.0;

/// What to make.
#[derive(Clone, Debug, PartialEq)]
pub struct CorpusConfig {
    /// Tracks of each genre.
    pub tracks_per_genre: usize,
    /// Length of most tracks, in seconds; one in eight is up to twice as long. A model's clip takes 11.9 s.
    pub seconds: f32,
    /// What everything random is a function of.
    pub seed: u64,
    /// What to do to how many files; each entry damages one.
    pub damage: Vec<Damage>,
    /// Whose collection it looks like.
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

/// A corpus that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// There is something already.
    #[error("{} exists already; delete it or choose another directory", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// The directory cannot be named.
    #[error("{} cannot be the corpus's directory; give it a name", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// A length out of range.
    #[error("tracks of {actual} seconds cannot be made; choose between {} and {}", SECONDS_RANGE.start(), SECONDS_RANGE.end())]
    Seconds {
        /// The length that was asked for.
        actual: f32,
    },
    /// More damage than files.
    #[error("{damaged} files cannot be damaged where there are only {tracks}; make more tracks or damage fewer")]
    TooMuchDamage {
        /// Files to damage.
        damaged: usize,
        /// Files there would be.
        tracks: usize,
    },
    /// The encoder refused.
    #[error("could not encode track {track_id}: {source}")]
    Encode {
        /// The track.
        track_id: u32,
        /// What the encoder answered.
        r#source: EncodeError,
    },
    /// The operating system refused.
    #[error("could not write {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system answered.
        r#source: io::Error,
    },
}

/// Makes the corpus in `out`, which must not exist: it gets its name once it is complete.
pub fn make_corpus(out: &Path, config: &CorpusConfig) -> Result<Vec<Track>, CorpusError> {
    let tracks = catalogue::catalogue(config)?;
    if out.exists() {
        return Err(CorpusError::Exists { path: out.to_owned() });
    }
    let Some(name) = out.file_name() else {
        return Err(CorpusError::NoName { path: out.to_owned() });
    };
    let mut partial_name = name.to_owned();
    partial_name.push(".partial");
    let partial = out.with_file_name(partial_name);
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(failed(&partial))?;
    }
    for track in &tracks {
        let path = partial.join(&track.path);
        let directory = path.parent().unwrap_or(&partial);
        fs::create_dir_all(directory).map_err(failed(directory))?;
    }
    tracks
        .par_iter()
        .with_max_len(1)
        .try_for_each(|track| write_track(&partial, track, config.seed))?;
    tables::write(&partial.join("metadata"), config.layout, &tracks)?;
    fs::rename(&partial, out).map_err(failed(out))?;
    Ok(tracks)
}

fn write_track(root: &Path, track: &Track, seed: u64) -> Result<(), CorpusError> {
    let mut file = encode::file(&play(track, seed), track).map_err(|source| CorpusError::Encode {
        track_id: track.id,
        source,
    })?;
    if let Some(damage) = track.damage {
        damage.inflict(&mut file, &mut stream(seed, "damage", track.id));
    }
    let path = root.join(&track.path);
    fs::write(&path, file).map_err(failed(&path))
}

fn play(track: &Track, seed: u64) -> Bus {
    let mut dice = Dice {
        artist: stream(seed, "artist", track.artist_id),
        track: stream(seed, "track", track.id),
    };
    let mut bus = Bus::silent(track.rate as f32, track.seconds);
    (GENRES[track.genre].compose)(&mut dice, &mut bus);
    master::master(&mut bus, &mut stream(seed, "master", track.id));
    bus
}

/// The random stream of one thing of one kind, unrelated to all others.
fn stream(seed: u64, kind: &str, number: u32) -> Pcg64Mcg {
    let key = format!("{seed} {kind} {number}");
    let mut state = [0; 16];
    state.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
    Pcg64Mcg::from_seed(state)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> CorpusError + use<> {
    let path = path.to_owned();
    |source| CorpusError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> CorpusConfig {
        CorpusConfig {
            tracks_per_genre: 1,
            seconds: 1.0,
            damage: vec![Damage::Empty, Damage::NotAudio],
            ..CorpusConfig::default()
        }
    }

    fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut waiting = vec![root.to_owned()];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                } else {
                    found.push((path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn the_seed_decides_every_byte() {
        let root = tempfile::tempdir().unwrap();
        let make = |name: &str, seed: u64| {
            make_corpus(&root.path().join(name), &CorpusConfig { seed, ..config() }).unwrap();
            files(&root.path().join(name))
        };
        let first = make("first", 1);
        assert_eq!(first.len(), GENRE_COUNT + 2);
        assert_eq!(first, make("again", 1));
        assert_ne!(first, make("other", 2));
    }

    #[test]
    fn each_layout_has_its_files_and_its_tables() {
        let root = tempfile::tempdir().unwrap();
        let make = |layout: Layout| {
            let out = root.path().join(format!("{layout:?}"));
            let config = CorpusConfig {
                damage: vec![Damage::NoFrames],
                layout,
                ..config()
            };
            let tracks = make_corpus(&out, &config).unwrap();
            let files = files(&out);
            for track in &tracks {
                assert!(
                    files.iter().any(|(path, _)| path == Path::new(&track.path)),
                    "{track:?}"
                );
            }
            (tracks, files)
        };
        let (clips, files) = make(Layout::MagnaTagATune);
        let table = &files
            .iter()
            .find(|(path, _)| path.ends_with("annotations_final.csv"))
            .unwrap()
            .1;
        let table = String::from_utf8(table.clone()).unwrap();
        assert!(table.starts_with("\"clip_id\"\t\""), "{table}");
        assert_eq!(table.lines().count(), 1 + GENRE_COUNT);
        assert!(
            clips
                .iter()
                .all(|clip| (clip.rate, clip.channels, clip.kbps) == (16_000, 1, 32))
        );
        let (tracks, files) = make(Layout::Gtzan);
        let sun_audio = files.iter().filter(|(_, content)| content.starts_with(b".snd"));
        let wave = files.iter().filter(|(_, content)| content.starts_with(b"RIFF"));
        assert_eq!((sun_audio.count(), wave.count()), (1, GENRE_COUNT - 2));
        let damaged: Vec<_> = tracks.iter().filter(|track| track.damage.is_some()).collect();
        assert_eq!(
            (damaged.len(), damaged[0].path.as_str()),
            (1, "genres/jazz/jazz.00000.wav")
        );
        assert_eq!(damaged[0].id, 5000);
    }

    #[test]
    fn nothing_is_overwritten_and_what_was_interrupted_is_begun_anew() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("corpus");
        let litter = root.path().join("corpus.partial/audio/000/000000.mp3");
        fs::create_dir_all(litter.parent().unwrap()).unwrap();
        fs::write(&litter, b"half").unwrap();
        make_corpus(&out, &config()).unwrap();
        assert!(!litter.exists() && !out.join("audio/000/000000.mp3").exists());
        assert!(matches!(make_corpus(&out, &config()), Err(CorpusError::Exists { .. })));
    }

    #[test]
    fn what_cannot_be_made_is_refused_before_anything_is_written() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("corpus");
        let greedy = CorpusConfig {
            damage: vec![Damage::Empty; 9],
            ..config()
        };
        assert!(matches!(
            make_corpus(&out, &greedy),
            Err(CorpusError::TooMuchDamage { damaged: 9, tracks: 8 })
        ));
        for seconds in [0.0, -1.0, f32::NAN, 1e9] {
            let config = CorpusConfig { seconds, ..config() };
            assert!(matches!(make_corpus(&out, &config), Err(CorpusError::Seconds { .. })));
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn loudness_says_little_about_the_genre() {
        // The spread between tracks of one genre is what master::LEVEL draws; the genres' means lie well within it.
        let mut means = Vec::new();
        for genre in 0..GENRE_COUNT {
            let levels: Vec<f32> = (0..12)
                .map(|number| {
                    let mut track = catalogue::catalogue(&config()).unwrap().remove(0);
                    (track.genre, track.id, track.seconds, track.rate) = (genre, number, 3.0, 22_050);
                    let bus = play(&track, 3);
                    let power = bus.left.iter().map(|sample| sample * sample).sum::<f32>() / bus.left.len() as f32;
                    10.0 * power.log10()
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
