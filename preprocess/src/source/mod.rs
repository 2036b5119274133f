//! Where tracks come from. A source's own tables enter, or the names of its directories; a list of [`TrackSource`], in the
//! order of track ids, leaves.
//!
//! Nothing here decodes an audio file or judges what is in it; of some files the first bytes are looked at.

pub mod audio_directory;
mod files;
pub mod fma;
pub mod folder;
pub mod gtzan;
pub mod magnatagatune;

use fma::{FmaError, Subset};
use folder::FolderError;
use gtzan::GtzanError;
use magnatagatune::MagnaTagATuneError;
use shared::dataset::Task;
use shared::dataset::manifest::RejectedRow;
use shared::dataset::split::Set;
use std::path::{Path, PathBuf};

/// The word for MagnaTagATune on the command line and in `dataset.json`.
pub const MAGNATAGATUNE: &str = "magnatagatune";

/// [`Source::subset`] where nothing narrower was asked for.
pub const ALL: &str = "all";

/// A track as its source describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackSource {
    /// The source's number for the track; unique in the source.
    pub track_id: u64,
    /// The audio file, relative to the audio directory, with `/` between names: `000/000123.mp3`.
    pub path: String,
    /// The genre or the tags that the source gives it, or those of them that were asked for.
    pub labels: Vec<String>,
    /// The source's number or name for the artist.
    pub artist: Option<String>,
    /// The source's number or name for the album.
    pub album: Option<String>,
    /// The set that the source's own split gives the track.
    pub official_split: Option<Set>,
}

/// Everything a source has for a build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The tracks that were asked for, in the order of their ids.
    pub tracks: Vec<TrackSource>,
    /// Tracks that are left out because they have none of the labels that were asked for, in the order of their ids.
    pub unlabelled: Vec<TrackSource>,
    /// Files that are none of the source's tracks, in the order of their paths, then directories that were not read.
    pub unlisted: Vec<RejectedRow>,
    /// What was passed over in the audio directory, in sentences.
    pub notes: Vec<String>,
}

/// A collection and the part of it that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The Free Music Archive data set.
    Fma {
        /// `tracks.csv`.
        table: PathBuf,
        /// The part of it.
        subset: Subset,
    },
    /// MagnaTagATune.
    MagnaTagATune {
        /// `annotations_final.csv`.
        annotations: PathBuf,
        /// The tags that count; none for all.
        tags: Vec<String>,
    },
    /// GTZAN.
    Gtzan,
    /// A directory per class.
    Folder,
}

/// A source that cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The Free Music Archive's.
    #[error(transparent)]
    Fma(#[from] FmaError),
    /// MagnaTagATune.
    #[error(transparent)]
    MagnaTagATune(#[from] MagnaTagATuneError),
    /// GTZAN.
    #[error(transparent)]
    Gtzan(#[from] GtzanError),
    /// Somebody's own directories.
    #[error(transparent)]
    Folder(#[from] FolderError),
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
    pub fn list(&self, audio: &Path) -> Result<Listing, SourceError> {
        Ok(match self {
            Self::Fma { table, subset } => fma::list(audio, table, *subset)?,
            Self::MagnaTagATune { annotations, tags } => magnatagatune::list(audio, annotations, tags)?,
            Self::Gtzan => gtzan::list(audio)?,
            Self::Folder => folder::list(audio)?,
        })
    }
}

/// What is wrong with a word as a label, if anything is.
fn label_problem(label: &str) -> Option<String> {
    label
        .contains('|')
        .then(|| format!("`{label}` contains `|`, which separates labels in the data set's tables"))
}
