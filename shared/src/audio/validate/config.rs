//! The requirements on a track, and the check of a decoded file against them.

use super::rejection::Rejection;
use crate::dsp::PCM_FULL_SCALE;
use serde::{Deserialize, Serialize};

/// Requirements on a track. Saved in `build.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidateConfig {
    /// Minimum samples after resampling. Default 2^19, one clip, which a model needs.
    pub min_samples: u64,
    /// Maximum samples after resampling, which bounds memory. Default 15 minutes at 44,100 Hz.
    pub max_samples: u64,
    /// Minimum fraction of a file's frames that must decode, from 0 to 1. Default 0.9: FMA's clips were cut out of
    /// longer streams, so the first frames may not decode, and some damaged seconds do not spoil a track. A file that
    /// lost a tenth is an incomplete download.
    pub min_decoded_share: f64,
    /// A track whose highest peak does not exceed this is silent. Default -90 dBFS, one step of 16 bits.
    pub silent_peak_dbfs: f64,
    /// A track whose root mean square is below this is flagged as near-silent. Default -60 dBFS, some 45 dB below the
    /// usual level of mastered music: at ordinary volume it is no louder than the noise of the room.
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

/// Statistics of decoding a whole file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decoding {
    /// Frames that decoded.
    pub decoded_frames: u64,
    /// Frames that the file should have, by its header or estimated from its size.
    pub expected_frames: u64,
    /// `decoded_frames / expected_frames`, from 0 to 1.
    pub decoded_share: f64,
    /// Decoded samples that are infinite, NaN or implausibly large.
    pub non_finite_samples: u64,
    /// Whether the channels cancel each other when they are mixed down: less than a hundredth of their energy is left.
    pub channels_cancel: bool,
}

impl ValidateConfig {
    /// Returns a message if a setting is out of range.
    pub fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.min_decoded_share) {
            return Err(format!(
                "the decoded share must be between 0 and 1, not {}",
                self.min_decoded_share
            ));
        }
        Ok(())
    }

    /// Returns a rejection if a decoded file with this many samples and this [`peak`](super::peak) fails a requirement.
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
        // Rounded, because -90 dBFS means one 16-bit step, not 1.04.
        let silent_peak = 10f64.powf((self.silent_peak_dbfs + full_scale_db()) / 20.0).round();
        if f64::from(peak) <= silent_peak {
            return Err(Rejection::Silent {
                peak,
                channels_cancel: decoding.channels_cancel,
            });
        }
        Ok(())
    }

    /// Whether a track with this root mean square is nearly silent.
    pub fn is_near_silent(&self, rms_dbfs: f64) -> bool {
        rms_dbfs < self.near_silent_rms_dbfs
    }
}

fn full_scale_db() -> f64 {
    20.0 * f64::from(PCM_FULL_SCALE).log10()
}

#[cfg(test)]
impl Decoding {
    /// An undamaged file of 1148 frames.
    pub(super) fn undamaged() -> Self {
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
    fn each_threshold_separates_kept_from_rejected() {
        assert_eq!(code(Decoding::undamaged(), 1 << 19, LOUD), "kept");
        assert_eq!(code(Decoding::undamaged(), (1 << 19) - 1, LOUD), "too_short");
        let share = |decoded_share| Decoding {
            decoded_share,
            ..Decoding::undamaged()
        };
        assert_eq!(code(share(0.9), 1 << 19, LOUD), "kept");
        assert_eq!(code(share(0.899), 1 << 19, LOUD), "low_decoded_share");
        let not_finite = Decoding {
            non_finite_samples: 1,
            ..Decoding::undamaged()
        };
        assert_eq!(code(not_finite, 1 << 19, LOUD), "non_finite");
        assert_eq!(code(Decoding::undamaged(), 1 << 19, 1), "silent");
        assert_eq!(code(Decoding::undamaged(), 1 << 19, 2), "kept");
    }

    #[test]
    fn message_states_the_decoded_share() {
        let rejection = ValidateConfig::default()
            .evaluate(
                &Decoding {
                    decoded_frames: 57,
                    decoded_share: 57.0 / 1148.0,
                    ..Decoding::undamaged()
                },
                1 << 19,
                LOUD,
            )
            .unwrap_err();
        assert_eq!(
            rejection.to_string(),
            "only 5.0 % of the audio decodes (57 of 1148 frames), less than the required 90.0 %"
        );
    }

    #[test]
    fn message_for_a_silent_track_mentions_cancelling_channels() {
        let cancelling = Decoding {
            channels_cancel: true,
            ..Decoding::undamaged()
        };
        let message = |decoding| {
            ValidateConfig::default()
                .evaluate(&decoding, 1 << 19, 0)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            message(Decoding::undamaged()),
            "it is silent: no sample exceeds 0 of 32768"
        );
        assert_eq!(
            message(cancelling),
            "it is silent: no sample exceeds 0 of 32768, because its channels cancel each other when they are mixed down"
        );
    }

    #[test]
    fn decoded_share_outside_zero_to_one_is_refused() {
        for share in [-0.1, 1.1, f64::NAN] {
            let config = ValidateConfig {
                min_decoded_share: share,
                ..ValidateConfig::default()
            };
            assert!(config.check().is_err());
        }
    }
}
