//! Summary statistics of a data set, from its tables. No shard is opened.

use super::InspectError;
use super::distribution::Distribution;
use super::splits::{self, SplitOverview};
use crate::build::feature_sets::feature_sets;
use serde::Serialize;
use shared::audio::validate::ReasonCounts;
use shared::dataset::manifest::{Flag, TrackRow};
use shared::dataset::shard::ShardKind;
use shared::dataset::split;
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, DatasetError, DatasetIndex, SUMMARY_FILE, consistently};
use shared::dsp::features::FeatureConfig;
use shared::runtime::text::hours;
use std::collections::BTreeMap;
use std::path::Path;

/// Summary statistics of a data set.
#[derive(Clone, Debug)]
pub struct Overview {
    pub name: String,
    pub index: DatasetIndex,
    /// Kept tracks per class, in the order of the index. A track with several labels counts for each.
    pub classes: Vec<(String, usize)>,
    pub seconds: Option<Distribution>,
    pub files: SourceFiles,
    pub levels: Levels,
    /// Kept tracks per flag.
    pub flags: BTreeMap<Flag, usize>,
    /// Dropped tracks by reason code.
    pub reasons: ReasonCounts,
    pub sizes: Sizes,
    /// Other spectrograms of the same waveforms.
    pub feature_sets: Vec<FeatureSetOverview>,
    /// The splits, in alphabetical order.
    pub splits: Vec<SplitOverview>,
    /// The name in `splits/current`.
    pub current_split: Option<String>,
}

/// Properties of the audio files of the kept tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceFiles {
    /// Tracks per sample rate, in Hz.
    pub rates: BTreeMap<u32, usize>,
    /// Tracks per number of channels.
    pub channels: BTreeMap<u32, usize>,
    /// Tracks with frames that could not be decoded.
    pub damaged_tracks: usize,
    /// Total number of such frames.
    pub damaged_frames: u64,
}

/// Levels of the stored waveforms.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Levels {
    /// Root mean square of each track that is not all zeros, in dBFS.
    pub rms_dbfs: Option<Distribution>,
    /// Tracks that are all zeros.
    pub silent_tracks: usize,
    /// Tracks with samples that were cut to full scale.
    pub clipped_tracks: usize,
    /// Total number of such samples.
    pub clipped_samples: u64,
}

/// File sizes in bytes, from the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    pub waveforms: u64,
    pub mels: u64,
    pub summary: u64,
    /// The other files in the index.
    pub tables: u64,
}

impl Sizes {
    fn from_index(index: &DatasetIndex) -> Self {
        let shards = |kind| index.shards.iter().map(|shard| shard.file(kind).bytes).sum();
        let files = |summary: bool| {
            let own = index
                .files
                .iter()
                .filter(|(name, _)| (*name == SUMMARY_FILE) == summary);
            own.map(|(_, record)| record.bytes).sum()
        };
        Self {
            waveforms: shards(ShardKind::Waveform),
            mels: shards(ShardKind::Mel),
            summary: files(true),
            tables: files(false),
        }
    }

    pub fn total(&self) -> u64 {
        self.waveforms + self.mels + self.summary + self.tables
    }
}

/// Other spectrograms of a data set's waveforms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureSetOverview {
    pub name: String,
    #[serde(flatten)]
    pub state: FeatureSetState,
}

/// The contents of a feature set, or why it cannot be used.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FeatureSetState {
    Usable {
        features: FeatureConfig,
        /// [`FeatureConfig::fingerprint`] of them.
        fingerprint: String,
        tracks: usize,
        /// Bytes of its mel shards; its waveforms are the data set's own files.
        mels: u64,
    },
    Unusable {
        problem: String,
    },
}

impl Overview {
    /// Reads the tables; no shard is opened. A split or a feature set that cannot be read is included with its problem.
    pub fn read(root: &Path) -> Result<Self, InspectError> {
        consistently(root, |index| Self::read_as(root, index))
    }

    fn read_as(root: &Path, index: &DatasetIndex) -> Result<Self, InspectError> {
        let tracks = dataset::read_tracks(root, index)?;
        let mut reasons = ReasonCounts::new();
        for row in dataset::read_rejected(root, index)? {
            *reasons.entry(row.reason).or_default() += 1;
        }
        let rate = f64::from(index.features.sample_rate);
        let mut flags = BTreeMap::new();
        for flag in tracks.iter().flat_map(|row| &row.flags) {
            *flags.entry(*flag).or_default() += 1;
        }
        Ok(Self {
            name: name_of(root),
            classes: count_classes(&index.classes, &tracks),
            seconds: Distribution::from_values(tracks.iter().map(|row| row.samples as f64 / rate).collect()),
            files: SourceFiles::count(&tracks),
            levels: Levels::new(&tracks, &dataset::read_summary(root, index)?),
            flags,
            reasons,
            sizes: Sizes::from_index(index),
            feature_sets: read_feature_sets(root)?,
            splits: splits::read(root, index, &tracks)?,
            current_split: split::current(root)?,
            index: index.clone(),
        })
    }

    pub fn hours(&self) -> f64 {
        hours(self.index.samples, self.index.features.sample_rate)
    }
}

/// The last component of a path; `.` is resolved first.
fn name_of(path: &Path) -> String {
    let absolute = path.canonicalize();
    let path = absolute.as_deref().unwrap_or(path);
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn count_classes(classes: &[String], tracks: &[TrackRow]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for label in tracks.iter().flat_map(|row| &row.labels) {
        *counts.entry(label).or_default() += 1;
    }
    let count = |class: &String| counts.get(class.as_str()).copied().unwrap_or(0);
    classes.iter().map(|class| (class.clone(), count(class))).collect()
}

impl SourceFiles {
    fn count(tracks: &[TrackRow]) -> Self {
        let mut files = Self::default();
        for row in tracks {
            *files.rates.entry(row.source_rate).or_default() += 1;
            *files.channels.entry(row.source_channels).or_default() += 1;
            files.damaged_tracks += usize::from(row.bad_frames > 0);
            files.damaged_frames = files.damaged_frames.saturating_add(row.bad_frames);
        }
        files
    }
}

impl Levels {
    fn new(tracks: &[TrackRow], summary: &[TrackSummary]) -> Self {
        let (audible, silent): (Vec<f64>, Vec<f64>) = summary
            .iter()
            .map(TrackSummary::rms_dbfs)
            .partition(|rms| rms.is_finite());
        Self {
            rms_dbfs: Distribution::from_values(audible),
            silent_tracks: silent.len(),
            clipped_tracks: tracks.iter().filter(|row| row.clipped_samples > 0).count(),
            clipped_samples: tracks
                .iter()
                .map(|row| row.clipped_samples)
                .fold(0, u64::saturating_add),
        }
    }
}

fn read_feature_sets(root: &Path) -> Result<Vec<FeatureSetOverview>, InspectError> {
    let paths = feature_sets(root).map_err(DatasetError::from)?;
    let overview = |path: std::path::PathBuf| FeatureSetOverview {
        name: name_of(&path),
        state: match dataset::Dataset::read_index(&path) {
            Ok(index) => FeatureSetState::Usable {
                tracks: index.kept,
                mels: Sizes::from_index(&index).mels,
                features: index.features,
                fingerprint: index.fingerprint,
            },
            Err(error) => FeatureSetState::Unusable {
                problem: error.to_string(),
            },
        },
    };
    Ok(paths.into_iter().map(overview).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{mixed, three_tracks, tone};

    #[test]
    fn counts_are_read_from_the_tables() {
        let mut collection = three_tracks();
        collection.track(7, "Folk", b"").track(8, "Rock", &tone(5, 190));
        collection.build("out").unwrap();
        let overview = Overview::read(&collection.out("out")).unwrap();
        assert_eq!(overview.name, "out");
        assert_eq!(overview.classes, [("Folk".to_owned(), 2), ("Rock".to_owned(), 2)]);
        assert_eq!(overview.reasons, ReasonCounts::from([("empty_file".into(), 1)]));
        let seconds = overview.seconds.unwrap();
        assert_eq!((seconds.count, seconds.min), (4, 4.0 * 1152.0 / 44_100.0));
        assert_eq!(overview.files.rates, BTreeMap::from([(44_100, 4)]));
        assert_eq!(overview.files.channels, BTreeMap::from([(1, 4)]));
        // Tracks 5 and 8 have the same samples.
        assert_eq!(overview.flags, BTreeMap::from([(Flag::Duplicate, 1)]));
        assert_eq!(overview.levels.rms_dbfs.unwrap().count, 4);
        assert_eq!((overview.splits, overview.current_split), (Vec::new(), None));
        let on_disk = |name: &str| {
            std::fs::metadata(collection.out("out").join("shards").join(name))
                .unwrap()
                .len()
        };
        assert_eq!(overview.sizes.waveforms, on_disk("waveform-00000.safetensors"));
        assert_eq!(overview.sizes.mels, on_disk("mel-00000.safetensors"));
        assert_eq!(overview.sizes.summary, on_disk("summary.safetensors"));
    }

    #[test]
    fn damaged_frames_are_counted() {
        let collection = mixed();
        collection.build("out").unwrap();
        let overview = Overview::read(&collection.out("out")).unwrap();
        assert!(overview.files.damaged_tracks > 0);
        assert!(overview.files.damaged_frames >= overview.files.damaged_tracks as u64);
        assert_eq!(overview.reasons.values().sum::<usize>(), overview.index.rejected);
    }
}
