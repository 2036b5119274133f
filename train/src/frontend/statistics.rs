//! Statistics of whole tracks that a network can take.

use serde::{Deserialize, Serialize};
use shared::dataset::statistics::{CHROMA_STATISTICS, MFCC_STATISTICS};

/// A set of statistics in the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum StatisticsKind {
    /// Statistics of 20 MFCCs, 140 values.
    Mfcc,
    /// Statistics of 12 chroma bins, 84 values.
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
