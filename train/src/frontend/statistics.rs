//! Which statistics of whole tracks a network takes.

use serde::{Deserialize, Serialize};
use shared::dataset::statistics::{CHROMA_STATISTICS, MFCC_STATISTICS};

/// Statistics of whole tracks that the data set keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum StatisticsKind {
    /// Moments of 20 MFCC, 140 values.
    Mfcc,
    /// Moments of 12 chroma, 84 values.
    Chroma,
}

impl StatisticsKind {
    pub fn values(self) -> usize {
        match self {
            Self::Mfcc => MFCC_STATISTICS,
            Self::Chroma => CHROMA_STATISTICS,
        }
    }
}
