//! The sources, by name: each lists its tracks in a file of its own.

use super::fma::{self, Subset};
use super::listing::Listing;
use super::{folder, gtzan, magnatagatune};
use anyhow::ensure;
use shared::dataset::Task;
use std::path::{Path, PathBuf};

/// The word for MagnaTagATune on the command line and in `dataset.json`.
pub const MAGNATAGATUNE: &str = "magnatagatune";

/// [`Source::subset`] where nothing narrower was asked for.
pub const ALL: &str = "all";

/// A collection and the part of it that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Fma {
        /// `tracks.csv`.
        table: PathBuf,
        subset: Subset,
    },
    MagnaTagATune {
        /// `annotations_final.csv`.
        annotations: PathBuf,
        /// The tags that count; none for all.
        tags: Vec<String>,
    },
    Gtzan,
    /// A directory per class.
    Folder,
}

impl Source {
    /// The word on the command line and in `dataset.json`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fma { .. } => "fma",
            Self::MagnaTagATune { .. } => MAGNATAGATUNE,
            Self::Gtzan => "gtzan",
            Self::Folder => "folder",
        }
    }

    /// The table that lists the tracks, of a source that has one.
    pub fn table(&self) -> Option<&Path> {
        match self {
            Self::Fma { table, .. } => Some(table),
            Self::MagnaTagATune { annotations, .. } => Some(annotations),
            Self::Gtzan | Self::Folder => None,
        }
    }

    /// The part of the source that was asked for, as `dataset.json` names it: `small`, `guitar,techno`, `all`.
    pub fn subset(&self) -> String {
        match self {
            Self::Fma { subset, .. } => subset.name().into(),
            Self::MagnaTagATune { tags, .. } if !tags.is_empty() => tags.join(","),
            Self::MagnaTagATune { .. } | Self::Gtzan | Self::Folder => ALL.into(),
        }
    }

    /// Whether its labels exclude each other.
    pub fn task(&self) -> Task {
        match self {
            Self::MagnaTagATune { .. } => Task::MultiLabel,
            Self::Fma { .. } | Self::Gtzan | Self::Folder => Task::SingleLabel,
        }
    }

    /// Lists the tracks, and the audio files below `audio` that are none of them.
    pub fn list(&self, audio: &Path) -> anyhow::Result<Listing> {
        let asked_for = match self {
            Self::Fma { .. } => "the one that holds 000/000002.mp3 and so on",
            Self::MagnaTagATune { .. } => "the one that holds the directories 0 to f",
            Self::Gtzan => "the one that holds blues/blues.00000.wav, or .au, and so on",
            Self::Folder => "one that holds a directory for each class",
        };
        ensure!(
            audio.is_dir(),
            "{} is not a directory; give {asked_for}",
            audio.display()
        );
        match self {
            Self::Fma { table, subset } => fma::list(audio, table, *subset),
            Self::MagnaTagATune { annotations, tags } => magnatagatune::list(audio, annotations, tags),
            Self::Gtzan => gtzan::list(audio),
            Self::Folder => folder::list(audio),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_audio_directory_is_refused() {
        for source in [Source::Gtzan, Source::Folder] {
            let error = source.list(Path::new("absent")).unwrap_err().to_string();
            assert!(error.starts_with("absent is not a directory; give"), "{error}");
        }
    }
}
