//! The feature settings that both programs use, and their fingerprint.

use crate::dsp::decibel::DecibelScale;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The formula between Hz and mel (librosa's `htk`, torchaudio's `mel_scale`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum MelScale {
    /// Linear below 1000 Hz, logarithmic above
    #[default]
    Slaney,
    /// 2595 log10(1 + Hz / 700)
    Htk,
}

/// Normalization of the mel filters (librosa's and torchaudio's `norm`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum MelNorm {
    /// Each filter has unit area in Hz
    #[default]
    Slaney,
    /// Each filter peaks at 1
    None,
}

/// Samples before the beginning and after the end of a signal in the centred STFT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum PadMode {
    /// Zeros
    #[default]
    Constant,
    /// The signal, mirrored at its ends
    Reflect,
}

/// The power that is 0 dB (librosa's `ref`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum DbReference {
    /// The clip's maximum
    #[default]
    Max,
    /// Power 1
    One,
}

/// Settings of the mel spectrogram. Written into `dataset.json`; the [fingerprint](Self::fingerprint) is checked
/// whenever a data set is opened.
///
/// The defaults are those of the comparison of 1-D and 2-D CNNs and CRNNs that this project reproduces: 44,100 Hz,
/// clips of 2^19 samples, a 4096-sample Hann window every 1024 samples, 128 Slaney mel bands. A clip is `[128, 512]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureConfig {
    /// Sample rate of every stored waveform, in Hz.
    pub sample_rate: u32,
    /// Samples in one clip, the input of a model.
    pub clip_samples: usize,
    /// Window and FFT length, in samples (librosa's `n_fft`).
    pub n_fft: usize,
    /// Samples between two frames (librosa's `hop_length`).
    pub hop_length: usize,
    /// Number of mel bands (librosa's `n_mels`).
    pub n_mels: usize,
    /// Lower edge of the first band, in Hz (librosa's `fmin`).
    pub f_min: f32,
    /// Upper edge of the last band, in Hz (librosa's `fmax`).
    pub f_max: f32,
    /// The mel scale of the bands.
    pub mel_scale: MelScale,
    /// The normalization of the bands.
    pub mel_norm: MelNorm,
    /// Padding of the centred STFT. A clip with [`PadMode::Reflect`] is computed from its samples, because its first and
    /// last frames are not those of the track.
    pub pad_mode: PadMode,
    /// What 0 dB is in a clip. Stored spectrograms have the reference 1.
    pub db_reference: DbReference,
    /// Decibels per factor of 10 in power, 10 or 20 (torchaudio's `multiplier`). Stored spectrograms have 10.
    pub db_multiplier: u32,
    /// Dynamic range in dB below a clip's maximum (librosa's `top_db`); `None` for all of it.
    pub top_db: Option<f32>,
    /// Whether a clip has the last frame of the centred STFT, half of whose window is past the clip's end, as in librosa
    /// and torchaudio. `clip_samples` then need not be a multiple of `hop_length`.
    pub final_frame: bool,
}

impl Default for FeatureConfig {
    fn default() -> Self {
        Self {
            sample_rate: 44_100,
            clip_samples: 1 << 19,
            n_fft: 4096,
            hop_length: 1024,
            n_mels: 128,
            f_min: 0.0,
            f_max: 22_050.0,
            mel_scale: MelScale::Slaney,
            mel_norm: MelNorm::Slaney,
            pad_mode: PadMode::Constant,
            db_reference: DbReference::Max,
            db_multiplier: 10,
            top_db: Some(80.0),
            final_frame: false,
        }
    }
}

/// Feature settings that are not valid.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("feature settings: {0}")]
pub struct InvalidFeatures(String);

impl FeatureConfig {
    /// Frames of one clip: `clip_samples / hop_length`. Without [`final_frame`](Self::final_frame), the last frame of the
    /// centred STFT is left out, because half of its window is past the end of the clip. So 2^19 samples give 512 frames.
    pub fn clip_frames(&self) -> usize {
        self.clip_samples / self.hop_length + usize::from(self.final_frame)
    }

    /// Hops that one clip covers, the last one maybe in part.
    pub fn clip_hops(&self) -> usize {
        self.clip_samples.div_ceil(self.hop_length)
    }

    /// How a clip's powers become decibels.
    pub fn decibel_scale(&self) -> DecibelScale {
        DecibelScale {
            reference: self.db_reference,
            multiplier: self.db_multiplier as f32,
            top_db: self.top_db,
        }
    }

    /// Decibels below the maximum that pictures show: `top_db`, or 80.
    pub fn drawn_db(&self) -> f32 {
        self.top_db.unwrap_or(80.0)
    }

    /// Frames of a track of `samples` samples, as librosa counts them for a centred STFT.
    pub fn track_frames(&self, samples: usize) -> usize {
        1 + samples / self.hop_length
    }

    /// Sixteen hexadecimal digits that change with any setting.
    pub fn fingerprint(&self) -> String {
        let json = serde_json::to_vec(self).expect("plain numbers always serialize");
        blake3::hash(&json).to_hex()[..16].to_string()
    }

    /// Checks that the settings are valid.
    pub fn validate(&self) -> Result<(), InvalidFeatures> {
        let fail = |message: String| Err(InvalidFeatures(message));
        if self.sample_rate == 0 {
            return fail("sample_rate must be above 0 Hz".into());
        }
        if self.n_fft < 2 || !self.n_fft.is_multiple_of(2) || self.n_fft > 1 << 20 {
            return fail(format!("n_fft must be even and between 2 and 2^20, not {}", self.n_fft));
        }
        if self.hop_length == 0 || self.hop_length > self.n_fft {
            return fail(format!(
                "hop_length must be between 1 and n_fft ({}), not {}",
                self.n_fft, self.hop_length
            ));
        }
        // At least n_fft samples are also enough for the reflection of n_fft / 2.
        if self.clip_samples < self.n_fft {
            return fail(format!(
                "clip_samples must be at least n_fft ({}), not {}",
                self.n_fft, self.clip_samples
            ));
        }
        if !self.final_frame && !self.clip_samples.is_multiple_of(self.hop_length) {
            return fail(format!(
                "clip_samples must be a multiple of hop_length ({}) unless final_frame is true, not {}",
                self.hop_length, self.clip_samples
            ));
        }
        if self.n_mels == 0 || self.n_mels > self.n_fft / 2 {
            return fail(format!("n_mels must be between 1 and n_fft / 2, not {}", self.n_mels));
        }
        let nyquist = self.sample_rate as f32 / 2.0;
        if !(self.f_min >= 0.0 && self.f_min < self.f_max && self.f_max <= nyquist) {
            return fail(format!(
                "0 <= f_min < f_max <= {nyquist} Hz must hold, not f_min {} and f_max {}",
                self.f_min, self.f_max
            ));
        }
        if ![10, 20].contains(&self.db_multiplier) {
            return fail(format!("db_multiplier must be 10 or 20, not {}", self.db_multiplier));
        }
        if let Some(top_db) = self.top_db.filter(|top_db| !(*top_db > 0.0 && top_db.is_finite())) {
            return fail(format!("top_db must be above 0 dB, not {top_db}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_clip_is_128_by_512() {
        let features = FeatureConfig::default();
        assert_eq!(features.validate(), Ok(()));
        assert_eq!((features.n_mels, features.clip_frames()), (128, 512));
        assert_eq!(features.track_frames(features.clip_samples), 513);
    }

    #[test]
    fn final_frame_counts_frames_like_librosa() {
        let features = FeatureConfig {
            clip_samples: 464_000,
            n_fft: 512,
            hop_length: 256,
            final_frame: true,
            ..FeatureConfig::default()
        };
        assert_eq!(features.validate(), Ok(()));
        assert_eq!((features.clip_frames(), features.clip_hops()), (1813, 1813));
        assert_eq!(features.track_frames(features.clip_samples), features.clip_frames());
    }

    type Change = fn(&mut FeatureConfig);

    fn changed(change: Change) -> FeatureConfig {
        let mut features = FeatureConfig::default();
        change(&mut features);
        features
    }

    #[test]
    fn fingerprint_changes_with_every_setting() {
        let changes: [Change; 15] = [
            |features| features.sample_rate = 22_050,
            |features| features.clip_samples = 1 << 18,
            |features| features.n_fft = 2048,
            |features| features.hop_length = 512,
            |features| features.n_mels = 64,
            |features| features.f_min = 20.0,
            |features| features.f_max = 16_000.0,
            |features| features.mel_scale = MelScale::Htk,
            |features| features.mel_norm = MelNorm::None,
            |features| features.pad_mode = PadMode::Reflect,
            |features| features.db_reference = DbReference::One,
            |features| features.db_multiplier = 20,
            |features| features.top_db = Some(60.0),
            |features| features.top_db = None,
            |features| features.final_frame = true,
        ];
        for other in changes.map(changed) {
            assert_ne!(other.fingerprint(), FeatureConfig::default().fingerprint(), "{other:?}");
        }
    }

    #[test]
    fn invalid_settings_are_refused_by_name() {
        let cases: [(Change, &str); 10] = [
            (|features| features.n_fft = 4095, "n_fft"),
            (|features| features.hop_length = 0, "hop_length"),
            (|features| features.clip_samples = 1000, "clip_samples"),
            (|features| features.f_max = 30_000.0, "f_max"),
            (|features| features.f_min = f32::NAN, "f_min"),
            (|features| features.clip_samples += 1, "a multiple of hop_length (1024)"),
            (|features| features.db_multiplier = 15, "db_multiplier"),
            (|features| features.top_db = Some(0.0), "top_db"),
            (|features| features.n_mels = 0, "n_mels"),
            (|features| features.sample_rate = 0, "sample_rate"),
        ];
        for (change, name) in cases {
            let error = changed(change).validate().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
