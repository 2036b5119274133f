//! Which clips of a track are evaluated.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

/// Far more clips than help: the limit catches typing errors.
const MOST: usize = 1024;

/// Which clips of a track are evaluated. A track's probabilities are the mean over its clips.
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
        match text.parse() {
            _ if text == "all" => Ok(Self::All),
            Ok(count) if (1..=MOST).contains(&count) => Ok(NonZeroUsize::new(count).map_or(Self::All, Self::Spread)),
            _ => Err(format!("give all, or a number of clips from 1 to {MOST}")),
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

/// As in files: a word or a number.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Count(u64),
    Word(String),
}

impl TryFrom<Written> for EvalClips {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Count(count) => count.to_string().parse(),
            Written::Word(word) => word.parse(),
        }
    }
}

impl From<EvalClips> for Written {
    fn from(clips: EvalClips) -> Self {
        match clips {
            EvalClips::All => Self::Word(clips.to_string()),
            EvalClips::Spread(count) => Self::Count(count.get() as u64),
        }
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
        let error = toml::from_str::<File>("clips = 0").unwrap_err().to_string();
        assert!(error.contains("from 1 to 1024"), "{error}");
    }
}
