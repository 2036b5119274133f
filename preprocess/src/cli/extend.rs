//! Arguments of `preprocess extend`.

use super::features::FeatureArgs;
use super::jobs::jobs;
use super::split::name;
use crate::extend::ExtendConfig;
use clap::{Args, ValueEnum};
use shared::dsp::features::FeatureConfig;
use shared::runtime::outcome::UsageError;
use std::num::NonZeroUsize;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = r"Examples:
  # Compute spectrograms with 64 mel bands and train on them
  preprocess extend data/fma_small --feature mel --n-mels 64 --n-fft 2048
  train fit --data data/fma_small/features/mel-64-2048-1024 ...

Options that are not given are those of the data set. No audio files are read.
The result is a data set that shares the waveforms and splits of the original.
To add tracks that the original has gained, run the same command again.";

#[derive(Debug, Args)]
pub struct ExtendArgs {
    /// Data set to extend
    pub dataset: PathBuf,
    /// Feature to compute
    #[arg(long, value_name = "NAME", value_enum)]
    pub feature: FeatureName,
    /// Name of the result [default: mel-MELS-FFT-HOP]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub features: FeatureArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FeatureName {
    /// Mel spectrograms in dB
    Mel,
}

impl ExtendArgs {
    /// The complete configuration, for a data set with the feature settings `base`.
    pub fn resolve(self, base: &FeatureConfig) -> Result<ExtendConfig, UsageError> {
        let FeatureName::Mel = self.feature;
        Ok(ExtendConfig {
            features: self.features.resolve(Some(base))?,
            dataset: self.dataset,
            name: self.name,
            jobs: jobs(self.jobs),
        })
    }
}
