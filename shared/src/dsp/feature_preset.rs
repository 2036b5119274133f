//! The feature settings of published networks.

use crate::dsp::features::{DbReference, FeatureConfig, MelNorm, MelScale, PadMode};
use clap::ValueEnum;

/// Feature settings that published networks were trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FeaturePreset {
    /// The default settings: 44,100 Hz, 128 bands
    Paper1,
    /// Won et al. 2020, clips of 29 s: 16 kHz, 96 HTK bands
    Won,
    /// Won et al. 2020, clips of 3.7 s: 16 kHz, 128 HTK bands
    #[value(name = "won-128")]
    Won128,
    /// Choi et al. 2017: 12 kHz, 96 bands
    Choi,
    /// Dwivedi's CRNN and parallel CNN-RNN: 22,050 Hz, 128 bands
    Dwivedi,
    /// Kwon's CNN: as dwivedi with shorter clips
    Kwon,
    /// Dong 2018, clips of 3 s: 22,050 Hz, 64 bands
    Dong,
}

impl FeaturePreset {
    /// The settings.
    pub fn config(self) -> FeatureConfig {
        match self {
            Self::Paper1 => FeatureConfig::default(),
            // torchaudio's MelSpectrogram and AmplitudeToDB with their defaults.
            Self::Won => FeatureConfig {
                sample_rate: 16_000,
                clip_samples: 464_000,
                n_fft: 512,
                hop_length: 256,
                n_mels: 96,
                f_max: 8000.0,
                mel_scale: MelScale::Htk,
                mel_norm: MelNorm::None,
                pad_mode: PadMode::Reflect,
                db_reference: DbReference::One,
                top_db: None,
                final_frame: true,
                ..FeatureConfig::default()
            },
            Self::Won128 => FeatureConfig {
                clip_samples: 59_049,
                n_mels: 128,
                ..Self::Won.config()
            },
            // librosa's melspectrogram; the authors square the power once more before they take decibels.
            Self::Choi => FeatureConfig {
                sample_rate: 12_000,
                clip_samples: 349_440,
                n_fft: 512,
                hop_length: 256,
                n_mels: 96,
                f_max: 6000.0,
                pad_mode: PadMode::Reflect,
                db_reference: DbReference::One,
                db_multiplier: 20,
                final_frame: true,
                ..FeatureConfig::default()
            },
            // The first 640 frames of librosa's melspectrogram, without a final frame.
            Self::Dwivedi => FeatureConfig {
                sample_rate: 22_050,
                clip_samples: 655_360,
                n_fft: 2048,
                hop_length: 1024,
                n_mels: 128,
                f_max: 11_025.0,
                pad_mode: PadMode::Reflect,
                ..FeatureConfig::default()
            },
            // The first 400 frames.
            Self::Kwon => FeatureConfig {
                clip_samples: 409_600,
                ..Self::Dwivedi.config()
            },
            Self::Dong => FeatureConfig {
                sample_rate: 22_050,
                clip_samples: 65_536,
                n_fft: 512,
                hop_length: 256,
                n_mels: 64,
                f_max: 10_000.0,
                pad_mode: PadMode::Reflect,
                db_reference: DbReference::One,
                top_db: None,
                ..FeatureConfig::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_have_the_published_input_shapes() {
        let shapes = [
            (FeaturePreset::Paper1, [128, 512]),
            (FeaturePreset::Won, [96, 1813]),
            (FeaturePreset::Won128, [128, 231]),
            (FeaturePreset::Choi, [96, 1366]),
            (FeaturePreset::Dwivedi, [128, 640]),
            (FeaturePreset::Kwon, [128, 400]),
            (FeaturePreset::Dong, [64, 256]),
        ];
        assert_eq!(shapes.map(|(preset, _)| preset), FeaturePreset::value_variants());
        for (preset, shape) in shapes {
            let features = preset.config();
            assert_eq!(features.validate(), Ok(()), "{preset:?}");
            assert_eq!([features.n_mels, features.clip_frames()], shape, "{preset:?}");
        }
    }
}
