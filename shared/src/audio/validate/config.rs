//! What a track must have, and whether it has it.

use super::rejection::Rejection;
use crate::dsp::PCM_FULL_SCALE;
use serde::{Deserialize, Serialize};

/// What a track must have. Saved in `build.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidateConfig {
    /// Fewest samples after resampling. Default 2^19, one clip: a model cannot see less.
    pub min_samples: u64,
    /// Most samples after resampling, so memory stays bounded. Default 15 minutes at 44,100 Hz.
    pub max_samples: u64,
    /// Least share of a file's frames that must decode, from 0 to 1. Default 0.9: FMA's clips were cut out of longer
    /// streams, so a first frame or two may lack its bits, and a scratch of some seconds does not spoil a track;
    /// a file that lost a tenth was cut short by its download.
    pub min_decoded_share: f64,
    /// A track whose highest peak does not exceed this is silent. Default -90 dBFS, one step of 16 bits.
    pub silent_peak_dbfs: f64,
    /// A track whose root mean square is below this is flagged as near-silent. Default -60 dBFS, some 45 dB below what
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

    /// Evaluates a track whose file decoded to so many samples with this [`peak`](super::peak).
    pub fn evaluate(&self, decoding: &Decoding, samples: usize, peak: u16) -> Result<(), Rejection> {
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

    /// Whether a track that is kept is nearly silent by its root mean square.
    pub fn is_near_silent(&self, rms_dbfs: f64) -> bool {
        rms_dbfs < self.near_silent_rms_dbfs
    }
}

fn full_scale_db() -> f64 {
    20.0 * f64::from(PCM_FULL_SCALE).log10()
}

#[cfg(test)]
impl Decoding {
    /// Of a file of 1148 frames without any fault.
    pub(super) fn whole() -> Self {
        Self {
            decoded_frames: 1148,
            expected_frames: 1148,
            decoded_share: 1.0,
            non_finite_samples: 0,
            channels_cancel: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(decoding: Decoding, samples: usize, peak: u16) -> &'static str {
        ValidateConfig::default()
            .evaluate(&decoding, samples, peak)
            .map_or_else(|rejection| rejection.code(), |()| "kept")
    }

    const LOUD: u16 = 9000;

    #[test]
    fn each_threshold_is_met_from_both_sides() {
        assert_eq!(code(Decoding::whole(), 1 << 19, LOUD), "kept");
        assert_eq!(code(Decoding::whole(), (1 << 19) - 1, LOUD), "too_short");
        let share = |decoded_share| Decoding {
            decoded_share,
            ..Decoding::whole()
        };
        assert_eq!(code(share(0.9), 1 << 19, LOUD), "kept");
        assert_eq!(code(share(0.899), 1 << 19, LOUD), "low_decoded_share");
        let not_finite = Decoding {
            non_finite_samples: 1,
            ..Decoding::whole()
        };
        assert_eq!(code(not_finite, 1 << 19, LOUD), "non_finite");
        assert_eq!(code(Decoding::whole(), 1 << 19, 1), "silent");
        assert_eq!(code(Decoding::whole(), 1 << 19, 2), "kept");
    }

    #[test]
    fn the_sentence_says_how_low_the_share_is() {
        let rejection = ValidateConfig::default()
            .evaluate(
                &Decoding {
                    decoded_frames: 57,
                    decoded_share: 57.0 / 1148.0,
                    ..Decoding::whole()
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
    fn a_silent_track_whose_channels_cancel_is_told_apart() {
        let cancelling = Decoding {
            channels_cancel: true,
            ..Decoding::whole()
        };
        let sentence = |decoding| {
            ValidateConfig::default()
                .evaluate(&decoding, 1 << 19, 0)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            sentence(Decoding::whole()),
            "it is silent: no sample exceeds 0 of 32768"
        );
        assert_eq!(
            sentence(cancelling),
            "it is silent: no sample exceeds 0 of 32768, because its channels cancel each other when they are mixed down"
        );
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
}
