//! The index of a data set, `dataset.json`: the source of its tracks, its contents, and the checksums of its files.

use super::error::DatasetError;
use super::layout::FORMAT_VERSION;
use super::shard::ShardKind;
use crate::dsp::features::FeatureConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// `dataset.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetIndex {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// BLAKE3 of this document with this field empty.
    pub checksum: String,
    /// The source of the tracks.
    pub source: SourceRecord,
    /// Settings of the mel spectrograms.
    pub features: FeatureConfig,
    /// [`FeatureConfig::fingerprint`] of `features`.
    pub fingerprint: String,
    /// Single-label or multi-label. Left out if single-label.
    #[serde(default, skip_serializing_if = "Task::is_single_label")]
    pub task: Task,
    /// Class names in the order of a model's outputs.
    pub classes: Vec<String>,
    /// Number of kept tracks.
    pub kept: usize,
    /// Number of dropped tracks.
    pub rejected: usize,
    /// Number of samples of all kept tracks.
    pub samples: u64,
    /// Shard pairs, in the order of their numbers.
    pub shards: Vec<ShardRecord>,
    /// The other files with a checksum, by path relative to the data set: [`TRACKS_FILE`](super::TRACKS_FILE),
    /// [`REJECTED_FILE`](super::REJECTED_FILE), [`SUMMARY_FILE`](super::SUMMARY_FILE).
    pub files: BTreeMap<String, FileRecord>,
    /// If this is a feature set of another data set: the checksum of that data set, which has the waveforms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waveforms_of: Option<String>,
    /// Checksums of the data sets that this one grew from, oldest first. It has all their tracks, unchanged, so splits
    /// made for them remain valid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
}

/// The task that a model learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Each track has exactly one class.
    #[default]
    SingleLabel,
    /// Each track has any number of tags.
    MultiLabel,
}

impl Task {
    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleLabel => "single-label",
            Self::MultiLabel => "multi-label",
        }
    }

    fn is_single_label(&self) -> bool {
        *self == Self::SingleLabel
    }
}

/// The source of a data set's tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceRecord {
    /// Name of the source: `fma`.
    pub name: String,
    /// The requested part of the source: `small`, `guitar,techno`, `all`.
    pub subset: String,
    /// The preset that the build was checked against, if any.
    pub preset: Option<String>,
    /// Differences from the preset, as sentences.
    pub preset_differences: Vec<String>,
    /// The audio directory as it was given; the tracks' paths are relative to it.
    pub audio: String,
    /// `2/4` if this is the second of four parts to be merged; `None` if it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}

/// A waveform shard and the mel shard of the same tracks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardRecord {
    /// Number of tracks in each of the two.
    pub tracks: usize,
    /// The waveform shard.
    pub waveform: ShardFileRecord,
    /// The mel shard.
    pub mel: ShardFileRecord,
}

/// One shard file. Its tensors' checksums are in `tracks.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardFileRecord {
    /// Size of the whole file.
    pub bytes: u64,
    /// BLAKE3 of everything before the tensor data.
    pub header_blake3: String,
}

/// A file that is not a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of its bytes.
    pub blake3: String,
}

impl FileRecord {
    /// The record of a file with this content.
    pub fn from_content(content: &[u8]) -> Self {
        Self {
            bytes: content.len() as u64,
            blake3: blake3::hash(content).to_hex().to_string(),
        }
    }
}

impl ShardRecord {
    /// The file of one kind.
    pub fn file(&self, kind: ShardKind) -> &ShardFileRecord {
        match kind {
            ShardKind::Waveform => &self.waveform,
            ShardKind::Mel => &self.mel,
        }
    }
}

impl DatasetIndex {
    /// Whether something made for the data set with this checksum is valid for this one.
    pub fn covers(&self, checksum: &str) -> bool {
        self.checksum == checksum || self.earlier.iter().any(|earlier| earlier == checksum)
    }

    /// The document, with its checksum filled in.
    pub fn to_json(&self) -> Vec<u8> {
        let with_checksum = Self {
            checksum: self.expected_checksum(),
            ..self.clone()
        };
        let mut json = serde_json::to_vec_pretty(&with_checksum).expect("plain data always serializes");
        json.push(b'\n');
        json
    }

    fn expected_checksum(&self) -> String {
        let without = Self {
            checksum: String::new(),
            ..self.clone()
        };
        let json = serde_json::to_vec(&without).expect("plain data always serializes");
        blake3::hash(&json).to_hex().to_string()
    }

    /// Parses `dataset.json` and checks its version, checksum and fingerprint. Errors name the file `path`.
    pub fn from_json(path: &Path, json: &[u8]) -> Result<Self, DatasetError> {
        #[derive(Deserialize)]
        struct VersionOnly {
            format_version: u64,
        }
        let damaged = |detail: &str| DatasetError::damaged(path, detail);
        // Check the version first: a later one may have other fields.
        let version: VersionOnly = serde_json::from_slice(json).map_err(|error| DatasetError::damaged(path, error))?;
        if version.format_version != u64::from(FORMAT_VERSION) {
            return Err(DatasetError::Version {
                path: path.to_owned(),
                found: version.format_version,
            });
        }
        let index: Self = serde_json::from_slice(json).map_err(|error| DatasetError::damaged(path, error))?;
        if index.checksum != index.expected_checksum() {
            return Err(damaged("its content does not match its checksum"));
        }
        if index.fingerprint != index.features.fingerprint() {
            return Err(damaged("its feature settings do not match their fingerprint"));
        }
        index
            .features
            .validate()
            .map_err(|error| DatasetError::damaged(path, error))?;
        Ok(index)
    }
}
