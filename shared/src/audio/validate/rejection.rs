//! Reasons why a track is not in the data set.

use crate::dataset::manifest::RejectedRow;
use std::fmt;
use std::io;

/// Why a track is not in the data set. [`Self::code`] is for programs, `Display` for people.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// The source lists the file, but it does not exist.
    #[error("the file does not exist")]
    MissingFile,
    /// Zero bytes.
    #[error("the file is empty")]
    EmptyFile,
    /// Another kind of file under an audio file's name.
    #[error("the file is {0}, not audio in a supported format")]
    NotAudio(&'static str),
    /// Binary data without audio that could be found or decoded.
    #[error("nothing in the file can be decoded as audio")]
    NoFrames,
    /// An unsupported sample rate, channel count or codec.
    #[error("{0}")]
    UnsupportedFormat(String),
    /// Too many frames are missing or damaged.
    #[error(
        "only {:.1} % of the audio decodes ({decoded} of {expected} frames), less than the required {:.1} %",
        100.0 * share, 100.0 * minimum
    )]
    LowDecodedShare {
        /// Frames that decoded.
        decoded: u64,
        /// Frames that the file should have.
        expected: u64,
        /// `decoded / expected`.
        share: f64,
        /// [`min_decoded_share`](super::ValidateConfig::min_decoded_share).
        minimum: f64,
    },
    /// Shorter than the minimum, by default one clip.
    #[error("it has {samples} samples after resampling, fewer than the minimum of {minimum}")]
    TooShort {
        /// Samples after resampling.
        samples: u64,
        /// [`min_samples`](super::ValidateConfig::min_samples).
        minimum: u64,
    },
    /// Longer than the maximum, which bounds memory.
    #[error("it has more than {maximum} samples after resampling, the maximum")]
    TooLong {
        /// [`max_samples`](super::ValidateConfig::max_samples).
        maximum: u64,
    },
    /// No sample exceeds the silent peak.
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
    /// The decoder returned infinite, NaN or implausibly large samples.
    #[error("{samples} decoded samples are not finite numbers")]
    NonFinite {
        /// Number of such samples.
        samples: u64,
    },
    /// The source gives no label, or none of the requested ones.
    #[error("the track has no label, or none of the requested labels")]
    Unlabelled,
    /// The source's tables or naming scheme do not include the file.
    #[error("the source does not list this file")]
    Unlisted,
    /// The decoder panicked.
    #[error("the decoder panicked: {message}")]
    DecoderPanic {
        /// The panic message.
        message: String,
    },
    /// The decoder made no progress, or read more than any valid file needs.
    #[error("the decoder stalled: {detail}")]
    DecoderStalled {
        /// How it stalled.
        detail: String,
    },
    /// The path leads out of the audio directory.
    #[error("{detail}; only files inside the audio directory are read")]
    Outside {
        /// The path or the link, and its target.
        detail: String,
    },
    /// A directory that cannot be listed.
    #[error("the directory could not be read, so its files are not in the data set: {message}")]
    UnreadableDirectory {
        /// The error of the operating system.
        message: String,
    },
    /// A file name that cannot be written to a CSV table.
    #[error("the file name is not valid UTF-8; rename the file")]
    BadName,
    /// The operating system could not read the file.
    #[error("the file could not be read: {message}")]
    IoError {
        /// The error of the operating system.
        message: String,
    },
    /// The same samples as a track with a lower id, dropped because of `--drop duplicates`.
    #[error("its samples are identical to those of track {of}")]
    Duplicate {
        /// Id of the track that is kept.
        of: u64,
    },
    /// Nearly inaudible, dropped because of `--drop near-silent`.
    #[error("it is nearly silent: its root mean square is {rms_dbfs:.1} dBFS")]
    NearSilent {
        /// Root mean square over the track, relative to full scale.
        rms_dbfs: f64,
    },
}

impl Rejection {
    /// The code in column `reason` of `rejected.csv`. Codes never change their meaning.
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

    /// The row of `rejected.csv` for a track, or for a file without a track id.
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

/// Number of rejections per reason code.
pub type ReasonCounts = std::collections::BTreeMap<String, usize>;

/// Lists the counts, most frequent first: `3 too_short, 1 empty_file`.
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
    fn most_frequent_reason_comes_first() {
        let counts = [("empty_file", 1), ("too_short", 3)].map(|(code, count)| (code.to_owned(), count));
        assert_eq!(
            describe_reasons(&counts.into()).to_string(),
            "3 too_short, 1 empty_file"
        );
    }
}
