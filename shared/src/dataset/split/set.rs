//! The three sets, and the rows of their lists.

use crate::dataset::manifest::Columns;
use serde::{Deserialize, Serialize};

/// The three sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Set {
    /// The model is trained on it.
    Train,
    /// The best epoch is chosen on it.
    Val,
    /// The final metrics are computed on it.
    Test,
}

impl Set {
    /// All three, in the order of the ratios.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// The word in file names and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }

    /// The set of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// The list's file name.
    pub fn file(self) -> String {
        format!("{}.csv", self.name())
    }
}

/// A track in a set. Field names are the column names of `train.csv`, `val.csv`, `test.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRow {
    /// The track.
    pub track_id: u64,
    /// Its labels, so a reader needs no other file. Joined by `|`.
    #[serde(with = "crate::dataset::manifest::joined")]
    pub labels: Vec<String>,
}

impl Columns for SplitRow {
    const COLUMNS: &'static [&'static str] = &["track_id", "labels"];
}
