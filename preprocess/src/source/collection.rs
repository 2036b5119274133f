//! The sources by name. Each lists its tracks in a module of its own.

use super::fma::{self, Subset};
use super::listing::{Listing, TrackSource};
use super::{csv_table, folder, gtzan, magnatagatune};
use anyhow::ensure;
use shared::dataset::Task;
use std::path::{Path, PathBuf};

/// The name of MagnaTagATune on the command line and in `dataset.json`.
pub const MAGNATAGATUNE: &str = "magnatagatune";

/// [`Source::subset`] if no smaller subset is requested.
pub const ALL: &str = "all";

/// A collection and the requested subset of it.
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
        /// The requested tags; empty for all.
        tags: Vec<String>,
    },
    Gtzan,
    /// A directory per class.
    Folder,
    /// A table of one's own.
    Csv {
        table: PathBuf,
    },
}

impl Source {
    /// The name on the command line and in `dataset.json`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fma { .. } => "fma",
            Self::MagnaTagATune { .. } => MAGNATAGATUNE,
            Self::Gtzan => "gtzan",
            Self::Folder => "folder",
            Self::Csv { .. } => "csv",
        }
    }

    /// The table that lists the tracks, if the source has one.
    pub fn table(&self) -> Option<&Path> {
        match self {
            Self::Fma { table, .. } | Self::Csv { table } => Some(table),
            Self::MagnaTagATune { annotations, .. } => Some(annotations),
            Self::Gtzan | Self::Folder => None,
        }
    }

    /// The requested subset, as in `dataset.json`: `small`, `guitar,techno`, `all`.
    pub fn subset(&self) -> String {
        match self {
            Self::Fma { subset, .. } => subset.name().into(),
            Self::MagnaTagATune { tags, .. } if !tags.is_empty() => tags.join(","),
            Self::MagnaTagATune { .. } | Self::Gtzan | Self::Folder | Self::Csv { .. } => ALL.into(),
        }
    }

    /// Whether the audio files' tags name the artists and albums that the source does not name. The tags of known
    /// collections may contradict their tables, so they are not used.
    pub fn uses_file_tags(&self) -> bool {
        match self {
            Self::Folder | Self::Csv { .. } => true,
            Self::Fma { .. } | Self::MagnaTagATune { .. } | Self::Gtzan => false,
        }
    }

    /// The task of a data set of all `tracks` of the source.
    pub fn task(&self, tracks: &[TrackSource]) -> Task {
        match self {
            Self::MagnaTagATune { .. } => Task::MultiLabel,
            Self::Csv { .. } if tracks.iter().any(|track| track.labels.len() > 1) => Task::MultiLabel,
            Self::Csv { .. } | Self::Fma { .. } | Self::Gtzan | Self::Folder => Task::SingleLabel,
        }
    }

    /// Lists the tracks, and the audio files below `audio` that are not tracks.
    pub fn list(&self, audio: &Path) -> anyhow::Result<Listing> {
        let expected = match self {
            Self::Fma { .. } => "the one that holds 000/000002.mp3 and so on",
            Self::MagnaTagATune { .. } => "the one that holds the directories 0 to f",
            Self::Gtzan => "the one that holds blues/blues.00000.wav, or .au, and so on",
            Self::Folder => "one that holds a directory for each class",
            Self::Csv { .. } => "the one that the paths of the table are relative to",
        };
        ensure!(
            audio.is_dir(),
            "--audio {} is not a directory; give {expected}",
            audio.display()
        );
        match self {
            Self::Fma { table, subset } => fma::list(audio, table, *subset),
            Self::MagnaTagATune { annotations, tags } => magnatagatune::list(audio, annotations, tags),
            Self::Gtzan => gtzan::list(audio),
            Self::Folder => folder::list(audio),
            Self::Csv { table } => csv_table::list(audio, table),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_audio_directory_is_refused() {
        for source in [Source::Gtzan, Source::Folder] {
            let error = source.list(Path::new("absent")).unwrap_err().to_string();
            assert!(error.starts_with("--audio absent is not a directory; give"), "{error}");
        }
    }
}
