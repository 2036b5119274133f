//! Paths, file formats and labels of a corpus in the layout of a well-known collection.

use super::catalogue::{OfficialSplit, Track};
use super::genres::GENRES;
use super::stream;
use clap::ValueEnum;
use rand::RngExt;

/// A well-known collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// The Free Music Archive: `audio/NNN/NNNNNN.mp3` in many formats, `metadata/tracks.csv`.
    Fma,
    /// MagnaTagATune: `audio/[0-f]/artist-album-01-title-0-29.mp3`, 16 kHz, mono, 32 kbit/s;
    /// `metadata/annotations_final.csv`.
    #[value(name = "magnatagatune")]
    MagnaTagATune,
    /// GTZAN: `genres/<genre>/<genre>.NNNNN.wav`, 22,050 Hz, mono, 16 bits, one of them `.au`; no table.
    Gtzan,
}

/// The tag columns of MagnaTagATune's table, among them its ten most frequent tags.
pub(super) const TAGS: &str = "world oriental harpsichord ambient guitar classical slow techno synth strings drums electronic \
                               beat folk rock fast piano dub";

/// GTZAN's genres in alphabetical order.
const GTZAN_GENRES: &str = "blues classical country disco hiphop jazz metal pop reggae rock";

impl Layout {
    /// The value of `--source`.
    pub fn source(self) -> &'static str {
        match self {
            Self::Fma => "fma",
            Self::MagnaTagATune => "magnatagatune",
            Self::Gtzan => "gtzan",
        }
    }

    /// The directory of audio files in the corpus.
    pub fn audio(self) -> &'static str {
        match self {
            Self::Fma | Self::MagnaTagATune => "audio",
            Self::Gtzan => "genres",
        }
    }

    /// The table of tracks in `metadata/`.
    pub fn table(self) -> Option<&'static str> {
        match self {
            Self::Fma => Some("tracks.csv"),
            Self::MagnaTagATune => Some("annotations_final.csv"),
            Self::Gtzan => None,
        }
    }

    /// The label of the track to damage first, if it is not random.
    pub(super) fn damaged_first(self) -> Option<&'static str> {
        (self == Self::Gtzan).then_some("jazz")
    }

    /// Sets the labels, formats and paths of the tracks, which are sorted by id.
    pub(super) fn arrange(self, tracks: &mut [Track], seed: u64) {
        let mut numbers = [0; GENRES.len()];
        for track in tracks {
            match self {
                Self::Fma => {
                    track.labels = vec![track.genre_name()];
                    track.path = format!("audio/{:03}/{:06}.mp3", track.id / 1000, track.id);
                }
                Self::MagnaTagATune => as_magnatagatune(track, seed),
                Self::Gtzan => as_gtzan(track, &mut numbers),
            }
        }
    }
}

fn as_magnatagatune(track: &mut Track, seed: u64) {
    (track.rate, track.channels, track.kbps) = (16_000, 1, 32);
    let mut rng = stream(seed, "tags", track.id);
    let genre = &GENRES[track.genre];
    let sometimes = genre.sometimes.iter().filter(|_| rng.random_bool(0.5));
    track.labels = genre.always.iter().chain(sometimes).copied().collect();
    let directory = match track.split {
        OfficialSplit::Training => format!("{:x}", track.artist_id % 12),
        OfficialSplit::Validation => "c".to_owned(),
        OfficialSplit::Test => ["d", "e", "f"][track.artist_id as usize % 3].to_owned(),
    };
    let slug = |name: &str| name.to_lowercase().replace(' ', "_");
    track.path = format!(
        "audio/{directory}/{}-volume_{}_{}-01-{}_{}-0-{:.0}.mp3",
        slug(&track.artist_name),
        track.artist_id,
        1 + track.id % 2,
        slug(&track.title),
        track.id,
        track.seconds
    );
}

fn as_gtzan(track: &mut Track, numbers: &mut [u32; GENRES.len()]) {
    (track.rate, track.channels) = (22_050, 1);
    let name = GENRES[track.genre].gtzan;
    let place = GTZAN_GENRES.split(' ').position(|genre| genre == name);
    let place = place.expect("every genre has a GTZAN name");
    let number = numbers[track.genre];
    numbers[track.genre] += 1;
    let extension = if (name, number) == ("blues", 0) { "au" } else { "wav" };
    track.id = 1000 * place as u32 + number;
    track.labels = vec![name];
    track.path = format!("genres/{name}/{name}.{number:05}.{extension}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_all_genres_are_columns_of_the_table() {
        for tag in GENRES
            .iter()
            .flat_map(|genre| genre.always.iter().chain(genre.sometimes))
        {
            assert!(TAGS.split(' ').any(|column| column == *tag), "{tag}");
        }
    }
}
