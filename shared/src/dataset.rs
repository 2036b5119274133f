//! A data set's index, `dataset.json`, and the [`Dataset`] that opens it and lends its tracks.
//!
//! A directory enters; checked rows and slices of memory-mapped shards leave. Splits lie beside, in
//! [`crate::split`]; who builds a data set, and from what, is not known here.

use crate::features::FeatureConfig;
use crate::manifest::{self, RejectedRow, TrackRow};
use crate::shard::{MappedShard, MelView, ShardError, ShardKind};
use crate::stats::{self, TrackSummary};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The version of the directory's layout that this code writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// The index's file name. It is written last: a directory without it is not a data set yet.
pub const INDEX_FILE: &str = "dataset.json";
/// The kept tracks' table.
pub const TRACKS_FILE: &str = "tracks.csv";
/// The dropped tracks' table.
pub const REJECTED_FILE: &str = "rejected.csv";
/// The per-track sums.
pub const SUMMARY_FILE: &str = "shards/summary.safetensors";

/// `dataset.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetIndex {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// BLAKE3 of this document with this field empty.
    pub checksum: String,
    /// Where the tracks came from.
    pub source: SourceRecord,
    /// How mel spectrograms were made.
    pub features: FeatureConfig,
    /// [`FeatureConfig::fingerprint`] of `features`.
    pub fingerprint: String,
    /// Whether a track has one label or any number of them. Left out where it has one, as in the first data sets.
    #[serde(default, skip_serializing_if = "Task::is_single_label")]
    pub task: Task,
    /// Class names in the order of a model's outputs.
    pub classes: Vec<String>,
    /// Kept tracks.
    pub kept: usize,
    /// Dropped tracks.
    pub rejected: usize,
    /// Samples of all kept tracks.
    pub samples: u64,
    /// Shard pairs, in the order of their numbers.
    pub shards: Vec<ShardRecord>,
    /// The other files the index vouches for, by path relative to the data set: [`TRACKS_FILE`], [`REJECTED_FILE`],
    /// [`SUMMARY_FILE`].
    pub files: BTreeMap<String, FileRecord>,
}

/// What is to be learnt of a track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Which one of the classes it belongs to.
    #[default]
    SingleLabel,
    /// Which of the classes, called tags then, hold of it; any number may.
    MultiLabel,
}

impl Task {
    fn is_single_label(&self) -> bool {
        *self == Self::SingleLabel
    }
}

/// Where a data set's tracks came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceRecord {
    /// The source's name: `fma`.
    pub name: String,
    /// The part of the source that was asked for: `small`, `guitar,techno`, `all`.
    pub subset: String,
    /// The preset that the build was checked against, if any.
    pub preset: Option<String>,
    /// What differed from the preset, as sentences.
    pub preset_differences: Vec<String>,
    /// The directory that the tracks' paths are relative to, as it was given.
    pub audio: String,
}

/// A waveform shard and the mel shard of the same tracks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardRecord {
    /// Tracks in each of the two.
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

/// Any other file.
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
    pub fn of(content: &[u8]) -> Self {
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

/// A data set that cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// There is no index: not a data set, or one that is still being built.
    #[error(
        "{} is not a data set: it has no {INDEX_FILE}; make it with `preprocess build`, or run the interrupted build \
         again to finish it", path.display()
    )]
    NotADataset {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("could not read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// Made by another version of the program.
    #[error(
        "{} has format version {found} and this program reads version {FORMAT_VERSION}; use the program that made it, \
         or build the data set again", path.display()
    )]
    Version {
        /// The index.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A file is not what the index says, or contradicts itself.
    #[error("{} is damaged: {detail}; `preprocess verify` names everything that is wrong", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A shard cannot be used.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

impl DatasetIndex {
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

    /// Reads the document that lies at `path`: its version, its checksum, its fingerprint.
    pub fn from_json(path: &Path, json: &[u8]) -> Result<Self, DatasetError> {
        #[derive(Deserialize)]
        struct VersionOnly {
            format_version: u64,
        }
        let damaged = |detail: String| DatasetError::Damaged {
            path: path.to_owned(),
            detail,
        };
        // The version first: a later one may have other fields.
        let version: VersionOnly = serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))?;
        if version.format_version != u64::from(FORMAT_VERSION) {
            return Err(DatasetError::Version {
                path: path.to_owned(),
                found: version.format_version,
            });
        }
        let index: Self = serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))?;
        if index.checksum != index.expected_checksum() {
            return Err(damaged("its content does not fit its own checksum".into()));
        }
        if index.fingerprint != index.features.fingerprint() {
            return Err(damaged("its feature settings do not fit their fingerprint".into()));
        }
        index.features.validate().map_err(|error| damaged(error.to_string()))?;
        Ok(index)
    }
}

/// An open data set: its index and tables in memory, its shards mapped.
#[derive(Debug)]
pub struct Dataset {
    root: PathBuf,
    index: DatasetIndex,
    tracks: Vec<TrackRow>,
    by_id: HashMap<u64, usize>,
    waveforms: Vec<MappedShard>,
    mels: Vec<MappedShard>,
}

impl Dataset {
    /// Opens the data set in `root`: checks the index, the table of tracks against its checksum, the size and header
    /// of every shard, and that each track stands in the shard its row names, at its length. Tensor bytes are checked
    /// by `preprocess verify`, not here.
    pub fn open(root: &Path) -> Result<Self, DatasetError> {
        let index = Self::read_index(root)?;
        let table = read_recorded(root, &index, TRACKS_FILE)?;
        let damaged = |file: &str, detail: String| DatasetError::Damaged {
            path: root.join(file),
            detail,
        };
        let tracks: Vec<TrackRow> =
            manifest::from_csv(&table).map_err(|error| damaged(TRACKS_FILE, error.to_string()))?;
        if tracks.len() != index.kept {
            let detail = format!("it has {} tracks and should have {}", tracks.len(), index.kept);
            return Err(damaged(TRACKS_FILE, detail));
        }
        let by_id: HashMap<u64, usize> = tracks.iter().enumerate().map(|(at, row)| (row.track_id, at)).collect();
        if by_id.len() != tracks.len() {
            return Err(damaged(TRACKS_FILE, "two rows have the same track_id".into()));
        }
        let open = |kind: ShardKind| -> Result<Vec<MappedShard>, ShardError> {
            let records = index.shards.iter().enumerate();
            records
                .map(|(number, record)| MappedShard::open(&root.join(kind.path(number)), kind, record.file(kind).bytes))
                .collect()
        };
        let (waveforms, mels) = (open(ShardKind::Waveform)?, open(ShardKind::Mel)?);
        let dataset = Self {
            root: root.to_owned(),
            index,
            tracks,
            by_id,
            waveforms,
            mels,
        };
        dataset.check_rows()?;
        Ok(dataset)
    }

    /// Reads and checks `dataset.json` alone.
    pub fn read_index(root: &Path) -> Result<DatasetIndex, DatasetError> {
        let path = root.join(INDEX_FILE);
        match fs::read(&path) {
            Ok(json) => DatasetIndex::from_json(&path, &json),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(DatasetError::NotADataset { path: root.to_owned() })
            }
            Err(source) => Err(DatasetError::Io { path, source }),
        }
    }

    /// Every row must be borne out by the shards, so that lending a track later cannot fail.
    fn check_rows(&self) -> Result<(), DatasetError> {
        let damaged = |file: PathBuf, detail: String| DatasetError::Damaged {
            path: self.root.join(file),
            detail,
        };
        for row in &self.tracks {
            let id = row.track_id;
            let (Some(waveforms), Some(mels)) = (self.waveforms.get(row.shard), self.mels.get(row.shard)) else {
                let detail = format!("track {id} is said to be in shard {}, which does not exist", row.shard);
                return Err(damaged(TRACKS_FILE.into(), detail));
            };
            if waveforms
                .waveform(id)
                .is_none_or(|samples| samples.len() as u64 != row.samples)
            {
                let detail = format!("it does not hold track {id} with {} samples", row.samples);
                return Err(damaged(ShardKind::Waveform.path(row.shard), detail));
            }
            let (n_mels, frames) = (
                self.index.features.n_mels,
                self.index.features.track_frames(row.samples as usize),
            );
            if mels
                .mel(id)
                .is_none_or(|mel| (mel.n_mels, mel.frames) != (n_mels, frames))
            {
                let detail = format!("it does not hold track {id} with the shape [{n_mels}, {frames}]");
                return Err(damaged(ShardKind::Mel.path(row.shard), detail));
            }
            if let Some(label) = row.labels.iter().find(|label| !self.index.classes.contains(label)) {
                let detail = format!("track {id} has the label `{label}`, which {INDEX_FILE} does not list");
                return Err(damaged(TRACKS_FILE.into(), detail));
            }
        }
        Ok(())
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The index.
    pub fn index(&self) -> &DatasetIndex {
        &self.index
    }

    /// How mel spectrograms were made.
    pub fn features(&self) -> &FeatureConfig {
        &self.index.features
    }

    /// Class names in the order of a model's outputs.
    pub fn classes(&self) -> &[String] {
        &self.index.classes
    }

    /// Whether a track has one label or any number of them.
    pub fn task(&self) -> Task {
        self.index.task
    }

    /// The kept tracks in the order of their ids; positions in this slice are what the other methods take.
    pub fn tracks(&self) -> &[TrackRow] {
        &self.tracks
    }

    /// The position of a track in [`Self::tracks`].
    pub fn position(&self, track_id: u64) -> Option<usize> {
        self.by_id.get(&track_id).copied()
    }

    /// The class of a track that has exactly one label.
    pub fn class(&self, position: usize) -> Option<usize> {
        match self.tracks[position].labels.as_slice() {
            [label] => self.index.classes.iter().position(|class| class == label),
            _ => None,
        }
    }

    /// The classes of a track's labels, in the order of its row.
    pub fn tags(&self, position: usize) -> impl Iterator<Item = usize> {
        let labels = self.tracks[position].labels.iter();
        labels.filter_map(|label| self.index.classes.iter().position(|class| class == label))
    }

    /// A track's samples: mono PCM at [`FeatureConfig::sample_rate`].
    pub fn waveform(&self, position: usize) -> &[i16] {
        let row = &self.tracks[position];
        self.waveforms[row.shard]
            .waveform(row.track_id)
            .expect("checked when the data set was opened")
    }

    /// A track's mel spectrogram in dB, reference 1.0.
    pub fn mel(&self, position: usize) -> MelView<'_> {
        let row = &self.tracks[position];
        self.mels[row.shard]
            .mel(row.track_id)
            .expect("checked when the data set was opened")
    }

    /// Copies all shards of a kind into this program's memory.
    pub fn load(&mut self, kind: ShardKind) -> io::Result<()> {
        let shards = match kind {
            ShardKind::Waveform => &mut self.waveforms,
            ShardKind::Mel => &mut self.mels,
        };
        shards.iter_mut().try_for_each(MappedShard::load)
    }

    /// A mapped shard.
    pub fn shard(&self, kind: ShardKind, number: usize) -> &MappedShard {
        match kind {
            ShardKind::Waveform => &self.waveforms[number],
            ShardKind::Mel => &self.mels[number],
        }
    }
}

/// Reads a file that the index vouches for, and checks it.
pub fn read_recorded(root: &Path, index: &DatasetIndex, file: &str) -> Result<Vec<u8>, DatasetError> {
    let path = root.join(file);
    let damaged = |detail: &str| DatasetError::Damaged {
        path: path.clone(),
        detail: detail.into(),
    };
    let record = index
        .files
        .get(file)
        .ok_or_else(|| damaged("the index does not list it"))?;
    let content = fs::read(&path).map_err(|source| DatasetError::Io {
        path: path.clone(),
        source,
    })?;
    if FileRecord::of(&content) != *record {
        return Err(damaged("its content does not fit the checksum in the index"));
    }
    Ok(content)
}

/// The kept tracks' table alone, checked; no shard is touched.
pub fn read_tracks(root: &Path, index: &DatasetIndex) -> Result<Vec<TrackRow>, DatasetError> {
    read_table(root, index, TRACKS_FILE)
}

/// The dropped tracks' table, checked.
pub fn read_rejected(root: &Path, index: &DatasetIndex) -> Result<Vec<RejectedRow>, DatasetError> {
    read_table(root, index, REJECTED_FILE)
}

fn read_table<Row>(root: &Path, index: &DatasetIndex, file: &str) -> Result<Vec<Row>, DatasetError>
where
    Row: for<'de> Deserialize<'de> + manifest::Columns,
{
    manifest::from_csv(&read_recorded(root, index, file)?).map_err(|error| DatasetError::Damaged {
        path: root.join(file),
        detail: error.to_string(),
    })
}

/// The per-track sums, checked, in the order of [`read_tracks`].
pub fn read_summary(root: &Path, index: &DatasetIndex) -> Result<Vec<TrackSummary>, DatasetError> {
    let content = read_recorded(root, index, SUMMARY_FILE)?;
    stats::summary_from_bytes(&content, index.features.n_mels).map_err(|error| DatasetError::Damaged {
        path: root.join(SUMMARY_FILE),
        detail: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::ShardWriter;
    use half::f16;
    use tempfile::TempDir;

    /// A complete data set of three short tracks.
    fn tiny() -> TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("shards")).unwrap();
        let features = FeatureConfig {
            n_mels: 4,
            ..FeatureConfig::default()
        };
        let path = |kind: ShardKind| root.path().join(kind.path(0));
        let mut waveforms = ShardWriter::create(&path(ShardKind::Waveform), ShardKind::Waveform).unwrap();
        let mut mels = ShardWriter::create(&path(ShardKind::Mel), ShardKind::Mel).unwrap();
        let (mut rows, mut sums) = (Vec::new(), Vec::new());
        for (id, label, samples) in [(5, "Folk", 2048usize), (9, "Rock", 1024), (12, "Folk", 1500)] {
            let pcm: Vec<i16> = (0..samples).map(|at| (at * id) as i16).collect();
            let mel = vec![f16::from_f32(-3.5); 4 * features.track_frames(samples)];
            waveforms.push_waveform(id as u64, &pcm).unwrap();
            mels.push_mel(id as u64, 4, &mel).unwrap();
            sums.push(TrackSummary::new(id as u64, &pcm, &mel, &features));
            rows.push(TrackRow {
                track_id: id as u64,
                labels: vec![label.into()],
                artist: String::new(),
                album: String::new(),
                official_split: String::new(),
                path: format!("000/{id:06}.mp3"),
                samples: samples as u64,
                source_rate: 44_100,
                source_channels: 2,
                bad_frames: 0,
                clipped_samples: 0,
                flags: Vec::new(),
                shard: 0,
                waveform_blake3: String::new(),
                mel_blake3: String::new(),
            });
        }
        let (waveform, mel) = (waveforms.finish().unwrap(), mels.finish().unwrap());
        let contents = [
            (TRACKS_FILE, manifest::to_csv(&rows)),
            (REJECTED_FILE, manifest::to_csv::<RejectedRow>(&[])),
            (SUMMARY_FILE, stats::summary_to_bytes(&sums, 4)),
        ];
        let record = |finished: crate::shard::FinishedShard| ShardFileRecord {
            bytes: finished.bytes,
            header_blake3: finished.header_blake3,
        };
        let index = DatasetIndex {
            format_version: FORMAT_VERSION,
            checksum: String::new(),
            source: SourceRecord {
                name: "fma".into(),
                subset: "small".into(),
                preset: None,
                preset_differences: Vec::new(),
                audio: "audio".into(),
            },
            fingerprint: features.fingerprint(),
            features,
            task: Task::default(),
            classes: vec!["Folk".into(), "Rock".into()],
            kept: 3,
            rejected: 0,
            samples: 4572,
            shards: vec![ShardRecord {
                tracks: 3,
                waveform: record(waveform),
                mel: record(mel),
            }],
            files: contents
                .iter()
                .map(|(name, content)| ((*name).into(), FileRecord::of(content)))
                .collect(),
        };
        for (name, content) in contents {
            fs::write(root.path().join(name), content).unwrap();
        }
        fs::write(root.path().join(INDEX_FILE), index.to_json()).unwrap();
        root
    }

    #[test]
    fn tracks_are_lent_as_they_were_written() {
        let root = tiny();
        let dataset = Dataset::open(root.path()).unwrap();
        assert_eq!(dataset.tracks().len(), 3);
        let rock = dataset.position(9).unwrap();
        assert_eq!((dataset.class(rock), dataset.position(10)), (Some(1), None));
        assert_eq!(dataset.tags(rock).collect::<Vec<_>>(), [1]);
        assert_eq!(dataset.task(), Task::SingleLabel);
        assert_eq!(dataset.waveform(rock)[..4], [0, 9, 18, 27]);
        assert_eq!((dataset.mel(rock).n_mels, dataset.mel(rock).frames), (4, 2));
        assert_eq!(read_summary(root.path(), dataset.index()).unwrap()[1].samples, 1024);
    }

    #[test]
    fn the_index_survives_a_round_trip_and_no_change() {
        let root = tiny();
        let path = root.path().join(INDEX_FILE);
        let json = fs::read(&path).unwrap();
        let index = DatasetIndex::from_json(&path, &json).unwrap();
        assert_eq!(index.to_json(), json);
        for at in 0..json.len() {
            let mut changed = json.clone();
            changed[at] ^= 1;
            // White space may change without a change of meaning; anything else is refused.
            if let Ok(read) = DatasetIndex::from_json(&path, &changed) {
                assert_eq!(read, index, "byte {at}");
            }
        }
    }

    #[test]
    fn several_labels_are_several_classes() {
        let root = tiny();
        let mut index = Dataset::read_index(root.path()).unwrap();
        let mut rows = read_tracks(root.path(), &index).unwrap();
        rows[1].labels = vec!["Rock".into(), "Folk".into()];
        rows[2].labels.clear();
        let table = manifest::to_csv(&rows);
        index.task = Task::MultiLabel;
        index.files.insert(TRACKS_FILE.into(), FileRecord::of(&table));
        fs::write(root.path().join(TRACKS_FILE), table).unwrap();
        fs::write(root.path().join(INDEX_FILE), index.to_json()).unwrap();
        let dataset = Dataset::open(root.path()).unwrap();
        assert_eq!(dataset.task(), Task::MultiLabel);
        let tags = |position| dataset.tags(position).collect::<Vec<_>>();
        assert_eq!((tags(0), tags(1), tags(2)), (vec![0], vec![1, 0], vec![]));
        assert_eq!((dataset.class(1), dataset.class(2)), (None, None));
    }

    #[test]
    fn an_index_without_a_task_is_of_one_label_and_keeps_its_checksum() {
        let root = tiny();
        let json = fs::read_to_string(root.path().join(INDEX_FILE)).unwrap();
        assert!(!json.contains("\"task\""));
        let index = DatasetIndex::from_json(Path::new(INDEX_FILE), json.as_bytes()).unwrap();
        assert_eq!(index.task, Task::SingleLabel);
        let tagged = DatasetIndex {
            task: Task::MultiLabel,
            ..index
        };
        let json = String::from_utf8(tagged.to_json()).unwrap();
        assert!(json.contains("\"task\": \"multi-label\""), "{json}");
        let read = DatasetIndex::from_json(Path::new(INDEX_FILE), json.as_bytes()).unwrap();
        assert_eq!(read.task, Task::MultiLabel);
    }

    #[test]
    fn each_damage_is_refused_with_the_file_named() {
        type Damage = fn(&mut Vec<u8>);
        let cases: [(&str, Damage); 4] = [
            (INDEX_FILE, |bytes| bytes.truncate(20)),
            (TRACKS_FILE, |bytes| bytes[100] ^= 1),
            ("shards/waveform-00000.safetensors", |bytes| {
                bytes.truncate(bytes.len() - 2)
            }),
            ("shards/mel-00000.safetensors", |bytes| bytes[20] ^= 1),
        ];
        for (file, damage) in cases {
            let root = tiny();
            let path = root.path().join(file);
            let mut bytes = fs::read(&path).unwrap();
            damage(&mut bytes);
            fs::write(&path, bytes).unwrap();
            let message = Dataset::open(root.path()).unwrap_err().to_string();
            assert!(message.contains(file), "{message} should name {file}");
        }
    }

    #[test]
    fn another_version_and_no_index_are_told_apart() {
        let root = tiny();
        let path = root.path().join(INDEX_FILE);
        fs::write(&path, r#"{"format_version": 7, "unknown": true}"#).unwrap();
        assert!(matches!(
            Dataset::open(root.path()),
            Err(DatasetError::Version { found: 7, .. })
        ));
        fs::remove_file(&path).unwrap();
        assert!(matches!(
            Dataset::open(root.path()),
            Err(DatasetError::NotADataset { .. })
        ));
    }
}
