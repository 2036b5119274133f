//! How many clips of a track are trained on and evaluated.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

/// Far more clips than help: the limit catches typing errors.
const MOST: usize = 1024;

/// The clips of a track that an epoch trains on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum TrainClips {
    /// So many clips at random positions.
    Random(NonZeroUsize),
    /// As many clips at random positions as fit into the track.
    All,
    /// Adjacent clips at fixed positions, and one that ends at the track's end.
    Grid,
}

impl TrainClips {
    /// `count` clips at random positions, at least one.
    pub fn random(count: usize) -> Self {
        Self::Random(NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN))
    }
}

impl Default for TrainClips {
    fn default() -> Self {
        Self::random(1)
    }
}

impl FromStr for TrainClips {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "grid" => Ok(Self::Grid),
            _ => count(text)
                .map(Self::Random)
                .ok_or_else(|| format!("give a number of clips from 1 to {MOST}, all, or grid")),
        }
    }
}

impl fmt::Display for TrainClips {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(count) => count.fmt(formatter),
            Self::All => formatter.write_str("all"),
            Self::Grid => formatter.write_str("grid"),
        }
    }
}

/// The clips of a track that are evaluated. A track's probabilities are the mean over its clips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum EvalClips {
    /// Adjacent clips from the track's start, and one that ends at its end.
    #[default]
    All,
    /// So many clips at equal distances, the first at the track's start and the last at its end; one: from the middle.
    Spread(NonZeroUsize),
}

impl EvalClips {
    /// One clip from the middle.
    pub const MIDDLE: Self = Self::Spread(NonZeroUsize::MIN);
}

impl FromStr for EvalClips {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => count(text)
                .map(Self::Spread)
                .ok_or_else(|| format!("give all, or a number of clips from 1 to {MOST}")),
        }
    }
}

impl fmt::Display for EvalClips {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("all"),
            Self::Spread(count) => count.fmt(formatter),
        }
    }
}

fn count(text: &str) -> Option<NonZeroUsize> {
    text.parse().ok().filter(|count: &NonZeroUsize| count.get() <= MOST)
}

/// As in files: a word or a number.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Count(u64),
    Word(String),
}

impl Written {
    fn new(text: String) -> Self {
        text.parse().map_or(Self::Word(text), Self::Count)
    }

    fn text(self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Word(word) => word,
        }
    }
}

impl TryFrom<Written> for EvalClips {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        written.text().parse()
    }
}

impl TryFrom<Written> for TrainClips {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        written.text().parse()
    }
}

impl From<EvalClips> for Written {
    fn from(clips: EvalClips) -> Self {
        Self::new(clips.to_string())
    }
}

impl From<TrainClips> for Written {
    fn from(clips: TrainClips) -> Self {
        Self::new(clips.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_are_all_or_a_number_in_flags_and_in_files() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct File {
            clips: EvalClips,
        }
        let file = |clips: EvalClips| toml::to_string(&File { clips }).unwrap();
        for (text, clips, written) in [
            ("all", EvalClips::All, "clips = \"all\"\n"),
            ("1", EvalClips::MIDDLE, "clips = 1\n"),
            ("16", EvalClips::Spread(NonZeroUsize::new(16).unwrap()), "clips = 16\n"),
        ] {
            assert_eq!(text.parse(), Ok(clips));
            assert_eq!(clips.to_string(), text);
            assert_eq!(file(clips), written);
            for typed in [written, &format!("clips = \"{text}\"")] {
                assert_eq!(toml::from_str::<File>(typed).unwrap(), File { clips });
            }
        }
        for text in ["", "0", "-1", "1.5", "1025", "middle"] {
            let error = text.parse::<EvalClips>().unwrap_err();
            assert_eq!(error, "give all, or a number of clips from 1 to 1024", "{text}");
        }
        let three = NonZeroUsize::new(3).map(TrainClips::Random).unwrap();
        for (text, clips) in [("3", three), ("all", TrainClips::All), ("grid", TrainClips::Grid)] {
            assert_eq!(text.parse(), Ok(clips));
            assert_eq!(clips.to_string(), text);
        }
        assert_eq!(TrainClips::default().to_string(), "1");
        let error = "one".parse::<TrainClips>().unwrap_err();
        assert_eq!(error, "give a number of clips from 1 to 1024, all, or grid");
        let error = toml::from_str::<File>("clips = 0").unwrap_err().to_string();
        assert!(error.contains("from 1 to 1024"), "{error}");
    }
}
