//! Feature options of `preprocess build` and `preprocess extend`.

use clap::Args;
use shared::dsp::features::FeatureConfig;
use shared::runtime::outcome::UsageError;

/// Missing options are taken from the preset or data set, or else from [`FeatureConfig::default`].
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Features")]
pub struct FeatureArgs {
    /// Sample rate of the stored waveforms
    #[arg(long, value_name = "HZ")]
    pub sample_rate: Option<u32>,
    /// Clip length, a multiple of the hop length
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
    /// Dynamic range below a clip's maximum
    #[arg(long, value_name = "DB")]
    pub top_db: Option<f32>,
}

impl FeatureArgs {
    /// The feature settings, with missing ones taken from `base`.
    pub(super) fn resolve(&self, base: Option<&FeatureConfig>) -> Result<FeatureConfig, UsageError> {
        let base = base.cloned().unwrap_or_default();
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
            top_db: self.top_db.unwrap_or(base.top_db),
        };
        features.validate().map_err(|error| UsageError(error.to_string()))?;
        Ok(features)
    }
}
