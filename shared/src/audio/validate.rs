//! Whether a track is fit for a data set. What was found out about it enters; nothing, or a [`Rejection`] with its code
//! and its sentence, leaves.
//!
//! No file is read here. Thresholds are in [`ValidateConfig`], which is saved with the data set.

use crate::dataset::manifest::{Flag, RejectedRow};
use crate::dsp::PCM_FULL_SCALE;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a track must have. Saved in `build.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidateConfig {
    /// Fewest samples after resampling. Default 2^19, one clip: a model cannot see less.
    pub min_samples: u64,
    /// Most samples after resampling, so that memory stays bounded. Default 15 minutes at 44,100 Hz.
    pub max_samples: u64,
    /// Least share of a file's frames that must decode, from 0 to 1. Default 0.9: FMA's clips were cut out of longer
    /// streams, so that a first frame or two may lack its bits, and a scratch of some seconds does not spoil a track;
    /// a file that lost a tenth was cut short by its download.
    pub min_decoded_share: f64,
    /// A track whose highest peak does not exceed this is silent. Default -90 dBFS, one step of 16 bits.
    pub silent_peak_dbfs: f64,
    /// A track whose root mean square lies below this is flagged as near-silent. Default -60 dBFS, some 45 dB below what
    /// music is mastered to, and where a loudspeaker at an ordinary volume is no louder than the room.
    pub near_silent_rms_dbfs: f64,
}

impl Default for ValidateConfig {
    fn default() -> Self {
        Self {
            min_samples: 1 << 19,
            max_samples: 15 * 60 * 44_100,
            min_decoded_share: 0.9,
            silent_peak_dbfs: -90.0,
            near_silent_rms_dbfs: -60.0,
        }
    }
}

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
        /// [`ValidateConfig::min_decoded_share`].
        minimum: f64,
    },
    /// Less than one clip.
    #[error("it has {samples} samples after resampling, and {minimum} are needed")]
    TooShort {
        /// Samples after resampling.
        samples: u64,
        /// [`ValidateConfig::min_samples`].
        minimum: u64,
    },
    /// More than memory is set aside for.
    #[error("it has more than {maximum} samples after resampling, the most that a track may have")]
    TooLong {
        /// [`ValidateConfig::max_samples`].
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
        /// [`Decoding::channels_cancel`].
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
}

impl Rejection {
    /// The row of `rejected.csv` that says it of a track, or of a file that is none.
    pub fn row(&self, track_id: impl Into<Option<u64>>, path: &str) -> RejectedRow {
        RejectedRow {
            track_id: track_id.into(),
            path: path.to_owned(),
            reason: self.code().into(),
            detail: self.to_string(),
        }
    }
}

/// The highest absolute value among 16-bit samples, at most 32768.
pub fn peak(samples: &[i16]) -> u16 {
    let range = samples.iter().fold((0, 0), |(least, most): (i16, i16), &sample| {
        (least.min(sample), most.max(sample))
    });
    range.0.unsigned_abs().max(range.1.unsigned_abs())
}

fn full_scale_db() -> f64 {
    20.0 * f64::from(PCM_FULL_SCALE).log10()
}

/// What decoding a whole file showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decoding {
    /// Frames that decoded.
    pub decoded_frames: u64,
    /// Frames there should be, as the file says or as its size suggests.
    pub expected_frames: u64,
    /// The first as a share of the second, from 0 to 1.
    pub decoded_share: f64,
    /// Decoded samples that are infinite, NaN, or absurdly large.
    pub non_finite_samples: u64,
    /// Whether the channels cancel each other when they are mixed down: less than a hundredth of their energy is left.
    pub channels_cancel: bool,
}

impl ValidateConfig {
    /// Settings that mean nothing, as a sentence.
    pub fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.min_decoded_share) {
            return Err(format!(
                "the least decoded share must be between 0 and 1, not {}",
                self.min_decoded_share
            ));
        }
        Ok(())
    }

    /// Judges a track whose file decoded to so many samples with this [`peak`].
    pub fn judge(&self, decoding: &Decoding, samples: usize, peak: u16) -> Result<(), Rejection> {
        if decoding.decoded_share < self.min_decoded_share {
            return Err(Rejection::LowDecodedShare {
                decoded: decoding.decoded_frames,
                expected: decoding.expected_frames,
                share: decoding.decoded_share,
                minimum: self.min_decoded_share,
            });
        }
        if (samples as u64) < self.min_samples {
            return Err(Rejection::TooShort {
                samples: samples as u64,
                minimum: self.min_samples,
            });
        }
        if decoding.non_finite_samples > 0 {
            return Err(Rejection::NonFinite {
                samples: decoding.non_finite_samples,
            });
        }
        // Rounded, because a level in dBFS is meant to name a whole number of 16-bit steps.
        let silent_peak = 10f64.powf((self.silent_peak_dbfs + full_scale_db()) / 20.0).round();
        if f64::from(peak) <= silent_peak {
            return Err(Rejection::Silent {
                peak,
                channels_cancel: decoding.channels_cancel,
            });
        }
        Ok(())
    }

    /// Whether a track that is kept is nearly silent, judged by its root mean square.
    pub fn is_near_silent(&self, rms_dbfs: f64) -> bool {
        rms_dbfs < self.near_silent_rms_dbfs
    }
}

/// What is odd about a track although it is kept: whether its channels cancel, its samples are constant or are clipped.
pub fn flags(decoding: &Decoding, samples: &[i16], clipped: u64) -> Vec<Flag> {
    let is_clipped = clipped.saturating_mul(100) > samples.len() as u64;
    [
        (decoding.channels_cancel, Flag::CancellingChannels),
        (is_constant(samples), Flag::Constant),
        (is_clipped, Flag::Clipped),
    ]
    .into_iter()
    .filter_map(|(is_so, flag)| is_so.then_some(flag))
    .collect()
}

/// Whether 99 % of the samples are within two steps of the one in the middle, which is not silent: a constant voltage, with
/// the noise of dither and the ends that a resampler rounds.
fn is_constant(samples: &[i16]) -> bool {
    const STEPS: i16 = 2;
    let value = samples.get(samples.len() / 2).copied().unwrap_or(0);
    let range = value.saturating_sub(STEPS)..=value.saturating_add(STEPS);
    if range.contains(&0) {
        return false;
    }
    // Two comparisons without a branch, counted in blocks that a small counter holds and without checks for overflow, run
    // in vector registers.
    let count = |count: u16, &sample: &i16| {
        let (below, above) = (sample < *range.start(), sample > *range.end());
        count.wrapping_add(u16::from(below | above))
    };
    let others: usize = samples
        .chunks(1 << 14)
        .map(|block| usize::from(block.iter().fold(0, count)))
        .sum();
    others * 100 <= samples.len()
}

/// The sample rates and channel counts that are taken: what music is recorded with, and nothing that a broken header can
/// make of it.
pub fn check_format(rate: Option<u32>, channels: usize) -> Result<u32, Rejection> {
    const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;
    let rate = rate.unwrap_or(0);
    if !RATES.contains(&rate) {
        return Err(Rejection::UnsupportedFormat(format!(
            "its sample rate is {rate} Hz, and {} to {} Hz are supported",
            RATES.start(),
            RATES.end()
        )));
    }
    if !(1..=8).contains(&channels) {
        return Err(Rejection::UnsupportedFormat(format!(
            "it has {channels} channels, and one to eight are supported"
        )));
    }
    Ok(rate)
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

    fn decoding() -> Decoding {
        Decoding {
            decoded_frames: 1148,
            expected_frames: 1148,
            decoded_share: 1.0,
            non_finite_samples: 0,
            channels_cancel: false,
        }
    }

    fn code(decoding: Decoding, samples: usize, peak: u16) -> &'static str {
        ValidateConfig::default()
            .judge(&decoding, samples, peak)
            .map_or_else(|rejection| rejection.code(), |()| "kept")
    }

    const LOUD: u16 = 9000;

    #[test]
    fn each_threshold_is_met_from_both_sides() {
        assert_eq!(code(decoding(), 1 << 19, LOUD), "kept");
        assert_eq!(code(decoding(), (1 << 19) - 1, LOUD), "too_short");
        let share = |decoded_share| Decoding {
            decoded_share,
            ..decoding()
        };
        assert_eq!(code(share(0.9), 1 << 19, LOUD), "kept");
        assert_eq!(code(share(0.899), 1 << 19, LOUD), "low_decoded_share");
        let not_finite = Decoding {
            non_finite_samples: 1,
            ..decoding()
        };
        assert_eq!(code(not_finite, 1 << 19, LOUD), "non_finite");
        assert_eq!(code(decoding(), 1 << 19, 1), "silent");
        assert_eq!(code(decoding(), 1 << 19, 2), "kept");
    }

    #[test]
    fn the_sentence_says_how_low_the_share_is() {
        let rejection = ValidateConfig::default()
            .judge(
                &Decoding {
                    decoded_frames: 57,
                    decoded_share: 57.0 / 1148.0,
                    ..decoding()
                },
                1 << 19,
                LOUD,
            )
            .unwrap_err();
        assert_eq!(
            rejection.to_string(),
            "5.0 % of the audio decodes (57 of 1148 frames), and 90.0 % are asked for"
        );
    }

    #[test]
    fn the_peak_is_the_greater_of_both_sides() {
        assert_eq!(peak(&[]), 0);
        assert_eq!(peak(&[3, -7, 2]), 7);
        assert_eq!(peak(&[5, i16::MIN, 5]), 32_768);
    }

    #[test]
    fn a_track_is_flagged_as_constant_or_clipped_at_one_percent() {
        let tone = |at: usize| (9000.0 * (at as f64 / 20.0).sin()) as i16;
        let with_constant = |constant: usize, value: i16| -> Vec<i16> {
            let sample = |at: usize| {
                if at < constant {
                    value + (at % 3) as i16
                } else {
                    tone(at)
                }
            };
            // The constant part is in the middle.
            let mut samples: Vec<i16> = (0..100_000).map(sample).collect();
            samples.rotate_right((100_000 - constant) / 2);
            samples
        };
        let flagged = |samples: &[i16], clipped| flags(&decoding(), samples, clipped);
        assert_eq!(flagged(&with_constant(99_100, 5000), 0), [Flag::Constant]);
        assert_eq!(flagged(&with_constant(99_100, -3000), 0), [Flag::Constant]);
        assert_eq!(flagged(&with_constant(99_100, 0), 0), []);
        assert_eq!(flagged(&with_constant(98_000, 5000), 0), []);
        assert_eq!(flagged(&[i16::MIN; 3], 3), [Flag::Constant, Flag::Clipped]);
        let music = with_constant(0, 0);
        assert_eq!(flagged(&music, 1000), []);
        assert_eq!(flagged(&music, 1001), [Flag::Clipped]);
        let cancelling = Decoding {
            channels_cancel: true,
            ..decoding()
        };
        assert_eq!(flags(&cancelling, &music, 0), [Flag::CancellingChannels]);
        assert_eq!(flags(&decoding(), &[], 0), []);
    }

    #[test]
    fn a_silent_track_whose_channels_cancel_is_told_apart() {
        let cancelling = Decoding {
            channels_cancel: true,
            ..decoding()
        };
        let sentence = |decoding| {
            ValidateConfig::default()
                .judge(&decoding, 1 << 19, 0)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(sentence(decoding()), "it is silent: no sample exceeds 0 of 32768");
        assert_eq!(
            sentence(cancelling),
            "it is silent: no sample exceeds 0 of 32768, because its channels cancel each other when they are mixed down"
        );
    }

    #[test]
    fn absurd_formats_get_a_reason() {
        assert_eq!(check_format(Some(44_100), 2), Ok(44_100));
        assert_eq!(check_format(Some(192_000), 8), Ok(192_000));
        for (rate, channels) in [
            (None, 2),
            (Some(0), 2),
            (Some(384_000), 1),
            (Some(44_100), 0),
            (Some(44_100), 9),
        ] {
            assert_eq!(check_format(rate, channels).unwrap_err().code(), "unsupported_format");
        }
    }

    #[test]
    fn a_share_outside_zero_to_one_is_refused() {
        for share in [-0.1, 1.1, f64::NAN] {
            let config = ValidateConfig {
                min_decoded_share: share,
                ..ValidateConfig::default()
            };
            assert!(config.check().is_err());
        }
    }

    #[test]
    fn the_most_frequent_reason_comes_first() {
        let counts = [("empty_file", 1), ("too_short", 3)].map(|(code, count)| (code.to_owned(), count));
        assert_eq!(
            describe_reasons(&counts.into()).to_string(),
            "3 too_short, 1 empty_file"
        );
    }
}
