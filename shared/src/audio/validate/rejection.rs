//! Why a track is not in the data set.

use crate::dataset::manifest::RejectedRow;
use std::fmt;
use std::io;

/// Why a track is not in the data set. [`Self::code`] is for programs, `Display` for people.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// Listed, but not there.
    #[error("the file does not exist")]
    MissingFile,
    /// Zero bytes.
    #[error("the file is empty")]
    EmptyFile,
    /// Something else under an audio file's name.
    #[error("the file is {0}, not audio in a format that can be read")]
    NotAudio(&'static str),
    /// Binary data in which no audio could be found or decoded.
    #[error("nothing in the file can be decoded as audio")]
    NoFrames,
    /// A sample rate, channel count or codec that this program does not take.
    #[error("{0}")]
    UnsupportedFormat(String),
    /// Too many frames are missing or damaged.
    #[error(
        "{:.1} % of the audio decodes ({decoded} of {expected} frames), and {:.1} % are asked for", 100.0 * share,
        100.0 * minimum
    )]
    LowDecodedShare {
        /// Frames that decoded.
        decoded: u64,
        /// Frames there should be.
        expected: u64,
        /// The first as a share of the second.
        share: f64,
        /// [`min_decoded_share`](super::ValidateConfig::min_decoded_share).
        minimum: f64,
    },
    /// Less than one clip.
    #[error("it has {samples} samples after resampling, and {minimum} are needed")]
    TooShort {
        /// Samples after resampling.
        samples: u64,
        /// [`min_samples`](super::ValidateConfig::min_samples).
        minimum: u64,
    },
    /// More than memory is set aside for.
    #[error("it has more than {maximum} samples after resampling, the most that a track may have")]
    TooLong {
        /// [`max_samples`](super::ValidateConfig::max_samples).
        maximum: u64,
    },
    /// No sound at all.
    #[error(
        "it is silent: no sample exceeds {peak} of 32768{}",
        if *channels_cancel { ", because its channels cancel each other when they are mixed down" } else { "" }
    )]
    Silent {
        /// The highest absolute sample.
        peak: u16,
        /// `Decoding::channels_cancel`.
        channels_cancel: bool,
    },
    /// Infinities, NaN or absurdly large numbers out of the decoder.
    #[error("{samples} decoded samples are not finite numbers")]
    NonFinite {
        /// How many.
        samples: u64,
    },
    /// The source gives no label, or none of those that were asked for.
    #[error("the source gives it none of the wanted labels")]
    Unlabelled,
    /// The source's tables, or its names and places of files, do not know the file.
    #[error("the file is none of the tracks that the source lists")]
    Unlisted,
    /// The decoder broke down over the file.
    #[error("the decoder broke down over the file: {message}")]
    DecoderPanic {
        /// What it said.
        message: String,
    },
    /// The decoder came to no end.
    #[error("the decoder came to no end: {detail}")]
    DecoderStalled {
        /// What it did instead.
        detail: String,
    },
    /// The path leads out of the audio directory.
    #[error("{detail}; only files inside the audio directory are read")]
    Outside {
        /// The path or the link, and where it leads.
        detail: String,
    },
    /// A directory that cannot be listed.
    #[error("the directory could not be read, so none of its files is in the data set: {message}")]
    UnreadableDirectory {
        /// What the operating system answered.
        message: String,
    },
    /// A file name that no table can hold.
    #[error("the file's name is not UTF-8, as the names in a data set's tables are; rename it")]
    BadName,
    /// The operating system could not read the file.
    #[error("the file could not be read: {message}")]
    IoError {
        /// What it answered.
        message: String,
    },
    /// The same samples as a track with a lower id; with `--drop duplicates`.
    #[error("its samples are those of track {of}")]
    Duplicate {
        /// The track that stays.
        of: u64,
    },
    /// All but inaudible; with `--drop near-silent`.
    #[error("it is nearly silent: its root mean square is {rms_dbfs:.1} dBFS")]
    NearSilent {
        /// Root mean square over the track, relative to full scale.
        rms_dbfs: f64,
    },
}

impl Rejection {
    /// The reason's code in `rejected.csv`. Codes never change their meaning.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingFile => "missing_file",
            Self::EmptyFile => "empty_file",
            Self::NotAudio(_) => "not_audio",
            Self::NoFrames => "no_frames",
            Self::UnsupportedFormat(_) => "unsupported_format",
            Self::LowDecodedShare { .. } => "low_decoded_share",
            Self::TooShort { .. } => "too_short",
            Self::TooLong { .. } => "too_long",
            Self::Silent { .. } => "silent",
            Self::NonFinite { .. } => "non_finite",
            Self::Unlabelled => "unlabelled",
            Self::Unlisted => "unlisted",
            Self::DecoderPanic { .. } => "decoder_panic",
            Self::DecoderStalled { .. } => "decoder_stalled",
            Self::Outside { .. } => "outside",
            Self::UnreadableDirectory { .. } => "unreadable_directory",
            Self::BadName => "bad_name",
            Self::IoError { .. } => "io_error",
            Self::Duplicate { .. } => "duplicate",
            Self::NearSilent { .. } => "near_silent",
        }
    }

    /// The row of `rejected.csv` for a track, or for a file that is not a track.
    pub fn row(&self, track_id: impl Into<Option<u64>>, path: &str) -> RejectedRow {
        RejectedRow {
            track_id: track_id.into(),
            path: path.to_owned(),
            reason: self.code().into(),
            detail: self.to_string(),
        }
    }
}

impl From<io::Error> for Rejection {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::MissingFile,
            _ => Self::IoError {
                message: error.to_string(),
            },
        }
    }
}

/// Counts per reason code, in the order of codes, for summaries.
pub type ReasonCounts = std::collections::BTreeMap<String, usize>;

/// `3 too_short, 1 empty_file`: most frequent first.
pub fn describe_reasons(counts: &ReasonCounts) -> impl fmt::Display + use<> {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let words: Vec<String> = sorted.iter().map(|(code, count)| format!("{count} {code}")).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_reason_comes_first() {
        let counts = [("empty_file", 1), ("too_short", 3)].map(|(code, count)| (code.to_owned(), count));
        assert_eq!(
            describe_reasons(&counts.into()).to_string(),
            "3 too_short, 1 empty_file"
        );
    }
}
