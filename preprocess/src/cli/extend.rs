//! `preprocess extend`: its arguments.

use super::features::FeatureArgs;
use super::jobs::jobs;
use crate::extend::ExtendConfig;
use clap::{Args, ValueEnum};
use shared::dsp::features::FeatureConfig;
use shared::runtime::outcome::UsageError;
use std::num::NonZeroUsize;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = "\
Examples:
  preprocess extend data/fma_small --feature mel --n-mels 64 --n-fft 2048
  train fit --data data/fma_small/features/mel-64-2048-1024 ...

Reads no audio files. The feature set is a data set of its own, whose waveforms take no room; splits are carried
over, those that are made later too. After a data set has grown, the same command adds its new tracks.";

/// `preprocess extend`, as typed.
#[derive(Debug, Args)]
pub struct ExtendArgs {
    /// The data set
    pub dataset: PathBuf,
    /// What is made of its waveforms
    #[arg(long, value_enum)]
    pub feature: FeatureName,
    /// The feature set's name [default: mel-BANDS-WINDOW-HOP]
    #[arg(long)]
    pub name: Option<String>,
    /// How mel spectrograms are made
    #[command(flatten)]
    pub features: FeatureArgs,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// Features, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FeatureName {
    /// Mel spectrograms in dB
    Mel,
}

impl ExtendArgs {
    /// A complete configuration for a data set that has the features `own`.
    pub fn resolve(self, own: &FeatureConfig) -> Result<ExtendConfig, UsageError> {
        let FeatureName::Mel = self.feature;
        Ok(ExtendConfig {
            features: self.features.resolve(Some(own))?,
            dataset: self.dataset,
            name: self.name,
            jobs: jobs(self.jobs),
        })
    }
}
