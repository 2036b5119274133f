//! Damages files in five ways that occur in real collections.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// No bytes at all.
    Empty,
    /// The first twentieth of the file.
    Short,
    /// A web page under the name of an MP3.
    NotAudio,
    /// The same number of bytes without any sync word.
    NoFrames,
    /// Noise over 2 kB in the middle. Most of the file can still be decoded.
    Scratched,
}

impl Damage {
    /// Default damage of a corpus.
    pub const USUAL: [Self; 7] = [
        Self::Empty,
        Self::Short,
        Self::Short,
        Self::NotAudio,
        Self::NoFrames,
        Self::Scratched,
        Self::Scratched,
    ];

    /// The word in `damage.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Short => "short",
            Self::NotAudio => "not_audio",
            Self::NoFrames => "no_frames",
            Self::Scratched => "scratched",
        }
    }

    pub(super) fn apply(self, file: &mut Vec<u8>, rng: &mut Pcg64Mcg) {
        match self {
            Self::Empty => file.clear(),
            Self::Short => file.truncate(file.len() / 20),
            Self::NotAudio => *file = b"<html><body>404 Not Found</body></html>\n".repeat(50),
            // A sync word begins with 255.
            Self::NoFrames => file.iter_mut().for_each(|byte| *byte = rng.random_range(0..200)),
            Self::Scratched => {
                let middle = file.len() / 2;
                let end = file.len().min(middle + 2048);
                rng.fill(&mut file[middle..end]);
            }
        }
    }
}
