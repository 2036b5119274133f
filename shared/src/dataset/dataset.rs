//! An open data set: its index and tables in memory, its shards memory-mapped.

use super::error::DatasetError;
use super::index::{DatasetIndex, Task};
use super::layout::{INDEX_FILE, TRACKS_FILE};
use super::manifest::TrackRow;
use super::shard::{MappedShard, MelView, ShardKind};
use super::tables::{own_file, read_tracks};
use crate::dsp::features::FeatureConfig;
use crate::runtime::file_error::FileError;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};

/// An open data set.
///
/// ```no_run
/// use shared::dataset::Dataset;
/// use std::path::Path;
///
/// let dataset = Dataset::open(Path::new("data/fma_small"))?;
/// for (position, row) in dataset.tracks().iter().enumerate() {
///     let (samples, mel) = (dataset.waveform(position), dataset.mel(position));
///     println!("{}: {} samples, {} frames", row.path, samples.len(), mel.frames);
/// }
/// # Ok::<(), shared::dataset::DatasetError>(())
/// ```
#[derive(Debug)]
pub struct Dataset {
    root: PathBuf,
    index: DatasetIndex,
    tracks: Vec<TrackRow>,
    by_id: HashMap<u64, usize>,
    classes: Vec<String>,
    class_places: HashMap<String, usize>,
    waveforms: Vec<MappedShard>,
    mels: Vec<MappedShard>,
}

impl Dataset {
    /// Opens the data set in `root`. Checks the index, the checksum of the table of tracks, the size and header of
    /// every shard, and that the shard in each track's row contains the track with the length in that row. Tensor bytes
    /// are checked only by `preprocess verify`.
    ///
    /// If the data set grows meanwhile, its old or its new state is opened, never a mixture.
    pub fn open(root: &Path) -> Result<Self, DatasetError> {
        consistently(root, |index| Self::open_as(root, index.clone()))
    }

    fn open_as(root: &Path, index: DatasetIndex) -> Result<Self, DatasetError> {
        let tracks = read_tracks(root, &index)?;
        if tracks.len() != index.kept {
            let detail = format!("it has {} tracks instead of {}", tracks.len(), index.kept);
            return Err(DatasetError::damaged(root.join(TRACKS_FILE), detail));
        }
        let by_id: HashMap<u64, usize> = tracks.iter().enumerate().map(|(at, row)| (row.track_id, at)).collect();
        if by_id.len() != tracks.len() {
            let detail = "two rows have the same track_id";
            return Err(DatasetError::damaged(root.join(TRACKS_FILE), detail));
        }
        let (waveforms, mels) = (
            map_shards(root, &index, ShardKind::Waveform)?,
            map_shards(root, &index, ShardKind::Mel)?,
        );
        let dataset = Self {
            root: root.to_owned(),
            tracks,
            by_id,
            classes: index.classes.clone(),
            class_places: places(&index.classes),
            index,
            waveforms,
            mels,
        };
        dataset.check_rows()?;
        Ok(dataset)
    }

    /// Reads and checks `dataset.json` only.
    pub fn read_index(root: &Path) -> Result<DatasetIndex, DatasetError> {
        let path = root.join(INDEX_FILE);
        match fs::read(&path) {
            Ok(json) => DatasetIndex::from_json(&path, &json),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(DatasetError::NotADataset { path: root.to_owned() })
            }
            Err(error) => Err(FileError::at(path)(error).into()),
        }
    }

    /// Checks every row against the shards, so [`Self::waveform`] and [`Self::mel`] cannot fail later.
    fn check_rows(&self) -> Result<(), DatasetError> {
        let damaged = |file: PathBuf, detail: String| DatasetError::damaged(self.root.join(file), detail);
        for row in &self.tracks {
            let id = row.track_id;
            let (Some(waveforms), Some(mels)) = (self.waveforms.get(row.shard), self.mels.get(row.shard)) else {
                let detail = format!("track {id} names shard {}, which does not exist", row.shard);
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
            if let Some(label) = row.labels.iter().find(|label| !self.class_places.contains_key(*label)) {
                let detail = format!("track {id} has the label `{label}`, which {INDEX_FILE} does not list");
                return Err(damaged(TRACKS_FILE.into(), detail));
            }
        }
        Ok(())
    }

    /// The directory of the data set.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The index.
    pub fn index(&self) -> &DatasetIndex {
        &self.index
    }

    /// Settings of the mel spectrograms.
    pub fn features(&self) -> &FeatureConfig {
        &self.index.features
    }

    /// Class names in the order of a model's outputs.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Puts the classes into the order of `classes`, the outputs of a network that was trained elsewhere.
    ///
    /// # Errors
    /// If they are not the same classes.
    pub fn reorder_classes(&mut self, classes: &[String]) -> Result<(), ClassDifference> {
        self.check_classes(classes)?;
        match self.classes.iter().find(|class| !classes.contains(class)) {
            Some(additional) => Err(ClassDifference::Additional(additional.clone())),
            None => self.select_classes(classes),
        }
    }

    /// Keeps only these classes, in this order: those of a run that began before the data set gained others. Tracks of
    /// other classes then have none.
    ///
    /// # Errors
    /// If the data set lacks one of them.
    pub fn select_classes(&mut self, classes: &[String]) -> Result<(), ClassDifference> {
        self.check_classes(classes)?;
        self.classes = classes.to_vec();
        self.class_places = places(classes);
        Ok(())
    }

    fn check_classes(&self, classes: &[String]) -> Result<(), ClassDifference> {
        match classes.iter().find(|class| !self.class_places.contains_key(*class)) {
            Some(missing) => Err(ClassDifference::Missing(missing.clone())),
            None => Ok(()),
        }
    }

    /// Single-label or multi-label.
    pub fn task(&self) -> Task {
        self.index.task
    }

    /// The kept tracks, sorted by id. The other methods take positions in this slice.
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
            [label] => self.class_places.get(label).copied(),
            _ => None,
        }
    }

    /// The classes of a track's labels, in the order of its row.
    pub fn tags(&self, position: usize) -> impl Iterator<Item = usize> {
        let labels = self.tracks[position].labels.iter();
        labels.filter_map(|label| self.class_places.get(label).copied())
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
        self.shards_mut(kind).iter_mut().try_for_each(MappedShard::load)
    }

    /// Reads the shards of a kind from copies from now on. Below `directory`, the copies have the same paths as in the
    /// data set. Checks the same as [`Self::open`]; on failure nothing has changed.
    pub fn relocate(&mut self, kind: ShardKind, directory: &Path) -> Result<(), DatasetError> {
        let copies = map_shards(directory, &self.index, kind)?;
        let before = mem::replace(self.shards_mut(kind), copies);
        let checked = self.check_rows();
        if checked.is_err() {
            *self.shards_mut(kind) = before;
        }
        checked
    }

    fn shards_mut(&mut self, kind: ShardKind) -> &mut Vec<MappedShard> {
        match kind {
            ShardKind::Waveform => &mut self.waveforms,
            ShardKind::Mel => &mut self.mels,
        }
    }

    /// A mapped shard.
    pub fn shard(&self, kind: ShardKind, number: usize) -> &MappedShard {
        match kind {
            ShardKind::Waveform => &self.waveforms[number],
            ShardKind::Mel => &self.mels[number],
        }
    }
}

/// The first difference between the classes of a data set and those of a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClassDifference {
    /// The data set lacks a class of the network.
    #[error("the data set does not have `{0}`")]
    Missing(String),
    /// The network lacks a class of the data set.
    #[error("only the data set has `{0}`")]
    Additional(String),
}

/// The position of each class. If a name occurs twice, the first counts.
fn places(classes: &[String]) -> HashMap<String, usize> {
    let places = classes.iter().enumerate().rev();
    places.map(|(at, class)| (class.clone(), at)).collect()
}

fn map_shards(root: &Path, index: &DatasetIndex, kind: ShardKind) -> Result<Vec<MappedShard>, DatasetError> {
    let records = index.shards.iter().enumerate();
    records
        .map(|(number, record)| {
            let path = own_file(root, &kind.path(number))?;
            Ok(MappedShard::open(&path, kind, record.file(kind).bytes)?)
        })
        .collect()
}

/// Reads the index, then calls `read`, which reads more of the data set. If `read` fails and the index has been
/// replaced meanwhile, starts again.
pub fn consistently<T, E: From<DatasetError>>(
    root: &Path,
    read: impl Fn(&DatasetIndex) -> Result<T, E>,
) -> Result<T, E> {
    let mut index = Dataset::read_index(root)?;
    loop {
        let outcome = read(&index);
        if outcome.is_ok() {
            return outcome;
        }
        match Dataset::read_index(root) {
            Ok(now) if now.checksum != index.checksum => index = now,
            _ => return outcome,
        }
    }
}
