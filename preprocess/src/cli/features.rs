//! Feature options of `preprocess build` and `preprocess extend`.

use clap::Args;
use shared::dsp::feature_preset::FeaturePreset;
use shared::dsp::features::{DbReference, FeatureConfig, MelNorm, MelScale, PadMode};
use shared::runtime::outcome::UsageError;

/// Missing options are taken from the preset or data set, or else from [`FeatureConfig::default`].
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Features")]
pub struct FeatureArgs {
    /// Use the features of published networks; other options override them
    #[arg(long = "features", value_name = "PRESET", value_enum)]
    pub feature_preset: Option<FeaturePreset>,
    /// Sample rate of the stored waveforms
    #[arg(long, value_name = "HZ")]
    pub sample_rate: Option<u32>,
    /// Clip length; a multiple of the hop length without the final frame
    #[arg(long, value_name = "N")]
    pub clip_samples: Option<usize>,
    /// FFT and window length in samples
    #[arg(long, value_name = "N")]
    pub n_fft: Option<usize>,
    /// Samples between STFT frames
    #[arg(long, value_name = "N")]
    pub hop_length: Option<usize>,
    /// Number of mel bands
    #[arg(long, value_name = "N")]
    pub n_mels: Option<usize>,
    /// Lowest frequency
    #[arg(long, value_name = "HZ")]
    pub f_min: Option<f32>,
    /// Highest frequency [default: half the sample rate]
    #[arg(long, value_name = "HZ")]
    pub f_max: Option<f32>,
    /// Mel scale
    #[arg(long, value_name = "NAME", value_enum)]
    pub mel_scale: Option<MelScale>,
    /// Normalization of the mel filters
    #[arg(long, value_name = "NAME", value_enum)]
    pub mel_norm: Option<MelNorm>,
    /// Padding at the ends of a clip or track: zeros or reflection
    #[arg(long, value_name = "NAME", value_enum)]
    pub pad_mode: Option<PadMode>,
    /// Power that is 0 dB: the clip's maximum or 1
    #[arg(long, value_name = "NAME", value_enum)]
    pub db_reference: Option<DbReference>,
    /// Decibels per factor of 10 in power: 10 or 20
    #[arg(long, value_name = "N")]
    pub db_multiplier: Option<u32>,
    /// Dynamic range below a clip's maximum, or none for all of it
    #[arg(long, value_name = "DB", value_parser = top_db)]
    pub top_db: Option<TopDb>,
    /// Whether a clip has the last frame of the centred STFT
    #[arg(long, value_name = "BOOL")]
    pub final_frame: Option<bool>,
}

/// A dynamic range; `None` is all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopDb(Option<f32>);

fn top_db(text: &str) -> Result<TopDb, String> {
    match text {
        "none" => Ok(TopDb(None)),
        number => {
            (number.parse().map(|number| TopDb(Some(number)))).map_err(|_| "give a number of decibels, or none".into())
        }
    }
}

impl FeatureArgs {
    /// The feature settings, with missing ones taken from `--features`, or else from `base`.
    pub(super) fn resolve(&self, base: Option<&FeatureConfig>) -> Result<FeatureConfig, UsageError> {
        let preset = self.feature_preset.map(FeaturePreset::config);
        let base = preset.or_else(|| base.cloned()).unwrap_or_default();
        let sample_rate = self.sample_rate.unwrap_or(base.sample_rate);
        // `base.f_max` does not apply to another sample rate.
        let f_max = if sample_rate == base.sample_rate {
            base.f_max
        } else {
            sample_rate as f32 / 2.0
        };
        let features = FeatureConfig {
            sample_rate,
            clip_samples: self.clip_samples.unwrap_or(base.clip_samples),
            n_fft: self.n_fft.unwrap_or(base.n_fft),
            hop_length: self.hop_length.unwrap_or(base.hop_length),
            n_mels: self.n_mels.unwrap_or(base.n_mels),
            f_min: self.f_min.unwrap_or(base.f_min),
            f_max: self.f_max.unwrap_or(f_max),
            mel_scale: self.mel_scale.unwrap_or(base.mel_scale),
            mel_norm: self.mel_norm.unwrap_or(base.mel_norm),
            pad_mode: self.pad_mode.unwrap_or(base.pad_mode),
            db_reference: self.db_reference.unwrap_or(base.db_reference),
            db_multiplier: self.db_multiplier.unwrap_or(base.db_multiplier),
            top_db: self.top_db.map_or(base.top_db, |top_db| top_db.0),
            final_frame: self.final_frame.unwrap_or(base.final_frame),
        };
        features.validate().map_err(|error| UsageError(error.to_string()))?;
        Ok(features)
    }
}
