//! Rebuilds damaged shards.
//!
//! A shard is rebuilt in a separate directory from its intact tensors and, for the others, from the audio files. It
//! replaces the damaged shard only if every checksum matches.

use super::report::Problem;
use crate::build::ordered::{self, Bounds};
use crate::build::shard_writer::file_record;
use crate::build::threads::PerThread;
use crate::source::AudioDirectory;
use anyhow::{anyhow, bail, ensure};
use half::f16;
use shared::audio::extract::Extractor;
use shared::audio::validate::ValidateConfig;
use shared::dataset::integrity::{recorded_blake3, rows_by_shard};
use shared::dataset::manifest::TrackRow;
use shared::dataset::shard::{MappedShard, ShardKind, ShardWriter};
use shared::dataset::{self, Dataset, DatasetIndex};
use shared::runtime::atomic_file::sync_directory;
use shared::runtime::file_error::FileError;
use shared::runtime::lock;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Inside the data set. The next repair overwrites what a crash leaves there.
const REPAIR_DIRECTORY: &str = ".repair";

/// Rebuilds the shards that `problems` names and returns their paths relative to the data set. Audio files are read
/// from `audio`, or from the directory in the index.
pub fn repair(
    root: &Path,
    problems: &[Problem],
    audio: Option<&Path>,
    pool: &rayon::ThreadPool,
) -> anyhow::Result<Vec<String>> {
    let mut damaged: BTreeMap<usize, Vec<ShardKind>> = BTreeMap::new();
    for (kind, number) in problems.iter().filter_map(|problem| problem.shard) {
        let kinds = damaged.entry(number).or_default();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if damaged.is_empty() {
        return Ok(Vec::new());
    }
    let index = Dataset::read_index(root)?;
    let tracks = dataset::read_tracks(root, &index)?;
    let audio = audio.map_or_else(|| PathBuf::from(&index.source.audio), Path::to_owned);
    let repair_directory = RepairDirectory::create(root)?;
    let mut rows_by_shard = rows_by_shard(&tracks, index.shards.len());
    let mut repaired = Vec::new();
    for (number, kinds) in damaged {
        let pair = DamagedPair {
            root,
            index: &index,
            rows: std::mem::take(&mut rows_by_shard[number]),
            number,
            kinds: &kinds,
            audio: &audio,
            repair_directory: &repair_directory.path,
        };
        pair.rebuild(pool)?;
        repaired.extend(
            kinds
                .iter()
                .map(|kind| kind.path(number).to_string_lossy().into_owned()),
        );
    }
    Ok(repaired)
}

/// The directory in the data set where shards are rebuilt, locked for this process.
struct RepairDirectory {
    path: PathBuf,
    _lock: File,
}

impl RepairDirectory {
    fn create(root: &Path) -> anyhow::Result<Self> {
        let path = root.join(REPAIR_DIRECTORY);
        let shards = path.join("shards");
        fs::create_dir_all(&shards).map_err(FileError::at(&shards))?;
        match lock::attempt(&path.join("lock"))? {
            Some(lock) => Ok(Self { path, _lock: lock }),
            None => bail!(
                "{} is being repaired by another process; wait for it to end",
                root.display()
            ),
        }
    }
}

impl Drop for RepairDirectory {
    fn drop(&mut self) {
        // Files that remain are never read, and the next repair removes them.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A pair of shards, at least one of which is damaged.
struct DamagedPair<'a> {
    root: &'a Path,
    index: &'a DatasetIndex,
    rows: Vec<&'a TrackRow>,
    number: usize,
    kinds: &'a [ShardKind],
    audio: &'a Path,
    repair_directory: &'a Path,
}

/// The rebuilt tensors of a track.
struct Rebuilt {
    waveform: Vec<i16>,
    mel: Vec<f16>,
}

impl DamagedPair<'_> {
    fn rebuild(&self, pool: &rayon::ThreadPool) -> anyhow::Result<()> {
        let mut writers = Vec::new();
        for &kind in self.kinds {
            writers.push((
                kind,
                ShardWriter::create(&self.repair_directory.join(kind.path(self.number)), kind)?,
            ));
        }
        self.fill(pool, &mut writers)?;
        for (kind, writer) in writers {
            let inside = kind.path(self.number);
            let path = self.root.join(&inside);
            ensure!(
                file_record(writer.finish()?) == *self.index.shards[self.number].file(kind),
                "the rebuilt {} has a different header than recorded; build the data set again",
                path.display()
            );
            fs::rename(self.repair_directory.join(&inside), &path)
                .and_then(|()| sync_directory(&self.root.join("shards")))
                .map_err(FileError::at(&path))?;
        }
        Ok(())
    }

    fn fill(&self, pool: &rayon::ThreadPool, writers: &mut [(ShardKind, ShardWriter)]) -> anyhow::Result<()> {
        let readable = ReadableShards::new(self);
        // Kept tracks are rebuilt without validation. Only the length is limited: a file that is longer than before is
        // a different one and need not be decoded to its end.
        let longest = self.rows.iter().map(|row| row.samples).max();
        let validate = ValidateConfig {
            max_samples: longest.unwrap_or(0),
            ..ValidateConfig::default()
        };
        let extractors = PerThread::new(pool, || Extractor::new(&self.index.features, &validate));
        let work = |at: usize| extractors.with(|extractor| self.track(extractor, self.rows[at], &readable));
        let bounds = Bounds {
            items: 3 * pool.current_num_threads(),
            weight: 64 << 20,
        };
        let weight = |rebuilt: &anyhow::Result<Rebuilt>| {
            rebuilt
                .as_ref()
                .map_or(0, |rebuilt| 2 * (rebuilt.waveform.len() + rebuilt.mel.len()))
        };
        ordered::for_each(pool, 0..self.rows.len(), bounds, work, weight, |at, rebuilt| {
            let (rebuilt, id) = (rebuilt?, self.rows[at].track_id);
            for (kind, writer) in &mut *writers {
                match kind {
                    ShardKind::Waveform => writer.push_waveform(id, &rebuilt.waveform)?,
                    ShardKind::Mel => writer.push_mel(id, self.index.features.n_mels, &rebuilt.mel)?,
                }
            }
            Ok(())
        })
    }

    fn track(&self, extractor: &mut Extractor, row: &TrackRow, readable: &ReadableShards) -> anyhow::Result<Rebuilt> {
        let path = self.audio.join(&row.path);
        let check = |kind: ShardKind, bytes: &[u8]| {
            ensure!(
                matches_checksum(row, kind, bytes),
                "track {}, rebuilt from {}, has a different {} than recorded: the file changed, or the data set was built by \
                 another version of the program or on another kind of processor; build the data set again",
                row.track_id,
                path.display(),
                kind.name()
            );
            Ok(())
        };
        let wants = |kind| self.kinds.contains(&kind);
        let intact_mel = readable.mel(row).filter(|_| wants(ShardKind::Mel));
        let mel_from_waveform = wants(ShardKind::Mel) && intact_mel.is_none();
        let waveform = match readable.waveform(row) {
            _ if !wants(ShardKind::Waveform) && !mel_from_waveform => Vec::new(),
            Some(samples) => samples.to_vec(),
            None => {
                let inside = AudioDirectory::new(self.audio).file(&row.path);
                let decoded = inside.and_then(|file| extractor.read_waveform(&file));
                let decoded = decoded.map_err(|rejection| {
                    anyhow!(
                        "track {} cannot be rebuilt from {}: {rejection}; give the audio directory with --audio if it has moved",
                        row.track_id,
                        path.display()
                    )
                })?;
                check(ShardKind::Waveform, bytemuck::cast_slice(&decoded.samples))?;
                decoded.samples
            }
        };
        let mel = match intact_mel {
            Some(mel) => mel.to_vec(),
            None if mel_from_waveform => {
                let mel = extractor.mel(&waveform);
                check(ShardKind::Mel, bytemuck::cast_slice(&mel))?;
                mel
            }
            None => Vec::new(),
        };
        Ok(Rebuilt { waveform, mel })
    }
}

fn matches_checksum(row: &TrackRow, kind: ShardKind, bytes: &[u8]) -> bool {
    blake3::hash(bytes).to_hex().as_str() == recorded_blake3(row, kind)
}

/// The shards of a damaged pair whose headers can be read.
struct ReadableShards {
    waveforms: Option<MappedShard>,
    mels: Option<MappedShard>,
}

impl ReadableShards {
    fn new(pair: &DamagedPair<'_>) -> Self {
        let open = |kind: ShardKind| {
            let bytes = pair.index.shards[pair.number].file(kind).bytes;
            MappedShard::open(&pair.root.join(kind.path(pair.number)), kind, bytes).ok()
        };
        Self {
            waveforms: open(ShardKind::Waveform),
            mels: open(ShardKind::Mel),
        }
    }

    /// A track's samples, if they match their checksum.
    fn waveform(&self, row: &TrackRow) -> Option<&[i16]> {
        let samples = self.waveforms.as_ref()?.waveform(row.track_id)?;
        matches_checksum(row, ShardKind::Waveform, bytemuck::cast_slice(samples)).then_some(samples)
    }

    /// A track's spectrogram, if it matches its checksum.
    fn mel(&self, row: &TrackRow) -> Option<&[f16]> {
        let mel = self.mels.as_ref()?.mel(row.track_id)?;
        matches_checksum(row, ShardKind::Mel, bytemuck::cast_slice(mel.values)).then_some(mel.values)
    }
}
