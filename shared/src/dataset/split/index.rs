//! `split.json`: how a split was made, its numbers of tracks, and the checksums of its lists.

use super::error::SplitError;
use super::files::{SPLIT_FILE, own_file, read};
use super::set::Set;
use crate::dataset::FileRecord;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The version of a split's files that this code writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// `split.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitIndex {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// BLAKE3 of this document with this field empty. Filled in by [`Split::write`](super::Split::write).
    pub checksum: String,
    /// The directory's name.
    pub name: String,
    /// The checksum of the data set that was split.
    pub dataset: String,
    /// How tracks were divided: `random`, `stratified`, `grouped`, `official`, or `file` if a file does not say.
    pub strategy: String,
    /// The grouping of tracks, for `grouped`: `artist`, `artist-album`, `recording`.
    pub group_by: Option<String>,
    /// Requested fractions of train, val and test, which sum to 1. `None` for `official` and for folds.
    pub ratios: Option<[f64; 3]>,
    /// The seed of the division. `None` for `official`.
    pub seed: Option<u64>,
    /// The fold that this split is, if it is one of k-fold cross-validation.
    pub fold: Option<Fold>,
    /// Number of tracks per set and class.
    pub counts: BTreeMap<Set, BTreeMap<String, usize>>,
    /// Artists, albums and recordings in more than one set.
    pub leaks: LeakAudit,
    /// The other files of the directory.
    pub files: BTreeMap<String, FileRecord>,
}

/// Artists, albums and recordings in more than one set. They let a model recognise tracks instead of generalise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakAudit {
    /// Artists with tracks in two sets or more.
    pub artists: Vec<Leak>,
    /// Albums with tracks in two sets or more.
    pub albums: Vec<Leak>,
    /// Recordings with tracks in two sets or more.
    pub recordings: Vec<Leak>,
    /// Number of tracks whose artist is unknown; `artists` does not cover them.
    pub unknown_artists: usize,
    /// Number of tracks whose album is unknown; `albums` does not cover them.
    pub unknown_albums: usize,
}

/// An artist, album or recording in more than one set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// The artist, the album, or for a recording the lowest id of its tracks.
    pub name: String,
    /// Its tracks in each set.
    pub tracks: BTreeMap<Set, Vec<u64>>,
}

/// Which fold a split is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// The name of the set of folds.
    pub name: String,
    /// The fold's number, from 1 on.
    pub number: usize,
    /// The number of folds.
    pub of: usize,
}

impl Fold {
    /// The name of the split that is this fold.
    pub fn split_name(&self) -> String {
        format!("{}-{}", self.name, self.number)
    }

    /// All folds of the set, in the order of their numbers.
    pub fn all(&self) -> impl Iterator<Item = Self> + '_ {
        (1..=self.of).map(|number| Self { number, ..self.clone() })
    }
}

impl SplitIndex {
    /// The value that `checksum` must have.
    pub(super) fn expected_checksum(&self) -> String {
        let without = Self {
            checksum: String::new(),
            ..self.clone()
        };
        let json = serde_json::to_vec(&without).expect("plain data always serializes");
        blake3::hash(&json).to_hex().to_string()
    }
}

/// Reads `split.json` of the split in `root`/`below`; its other files are not read.
pub(super) fn read_split_index(root: &Path, below: &Path) -> Result<SplitIndex, SplitError> {
    let path = own_file(root, &below.join(SPLIT_FILE))?;
    let split: SplitIndex = serde_json::from_slice(&read(&path)?).map_err(|error| SplitError::damaged(&path, error))?;
    if split.format_version != FORMAT_VERSION {
        let detail = format!(
            "it has version {} and this program reads {FORMAT_VERSION}",
            split.format_version
        );
        return Err(SplitError::damaged(&path, detail));
    }
    if split.checksum != split.expected_checksum() {
        return Err(SplitError::damaged(&path, "its content does not match its checksum"));
    }
    Ok(split)
}
