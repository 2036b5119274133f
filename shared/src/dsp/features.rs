//! The feature settings that both programs use, and their fingerprint.

use serde::{Deserialize, Serialize};

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
    /// Number of mel bands (librosa's `n_mels`), Slaney scale and area norm.
    pub n_mels: usize,
    /// Lower edge of the first band, in Hz (librosa's `fmin`).
    pub f_min: f32,
    /// Upper edge of the last band, in Hz (librosa's `fmax`).
    pub f_max: f32,
    /// Dynamic range in dB below a clip's maximum (librosa's `top_db`).
    pub top_db: f32,
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
            top_db: 80.0,
        }
    }
}

/// Feature settings that are not valid.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("feature settings: {0}")]
pub struct InvalidFeatures(String);

impl FeatureConfig {
    /// Frames of one clip: `clip_samples / hop_length`. The last frame of the centred STFT is left out, because half of
    /// its window is past the end of the clip. So 2^19 samples give 512 frames.
    pub fn clip_frames(&self) -> usize {
        self.clip_samples / self.hop_length
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
        if self.clip_samples < self.n_fft || !self.clip_samples.is_multiple_of(self.hop_length) {
            return fail(format!(
                "clip_samples must be a multiple of hop_length ({}) and at least n_fft ({}), not {}",
                self.hop_length, self.n_fft, self.clip_samples
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
        if !(self.top_db > 0.0 && self.top_db.is_finite()) {
            return fail(format!("top_db must be above 0 dB, not {}", self.top_db));
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

    type Change = fn(&mut FeatureConfig);

    fn changed(change: Change) -> FeatureConfig {
        let mut features = FeatureConfig::default();
        change(&mut features);
        features
    }

    #[test]
    fn fingerprint_changes_with_every_setting() {
        let changes: [Change; 8] = [
            |features| features.sample_rate = 22_050,
            |features| features.clip_samples = 1 << 18,
            |features| features.n_fft = 2048,
            |features| features.hop_length = 512,
            |features| features.n_mels = 64,
            |features| features.f_min = 20.0,
            |features| features.f_max = 16_000.0,
            |features| features.top_db = 60.0,
        ];
        for other in changes.map(changed) {
            assert_ne!(other.fingerprint(), FeatureConfig::default().fingerprint(), "{other:?}");
        }
    }

    #[test]
    fn invalid_settings_are_refused_by_name() {
        let cases: [(Change, &str); 8] = [
            (|features| features.n_fft = 4095, "n_fft"),
            (|features| features.hop_length = 0, "hop_length"),
            (|features| features.clip_samples = 1000, "clip_samples"),
            (|features| features.f_max = 30_000.0, "f_max"),
            (|features| features.f_min = f32::NAN, "f_min"),
            (|features| features.top_db = 0.0, "top_db"),
            (|features| features.n_mels = 0, "n_mels"),
            (|features| features.sample_rate = 0, "sample_rate"),
        ];
        for (change, name) in cases {
            let error = changed(change).validate().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
