//! `preprocess verify --repair`: what is wrong with shards enters; the shards as they were leave.
//!
//! A shard is rebuilt beside the bad one, out of what is still good in it and, for the rest, out of the audio files. It
//! takes the bad one's place only if every byte is as recorded.

use super::Problem;
use super::shards::recorded_blake3;
use crate::build::ordered::{self, Bounds};
use crate::build::shard_writer::file_record;
use crate::source::audio_directory::AudioDirectory;
use half::f16;
use shared::audio::extract::Extractor;
use shared::audio::validate::{Rejection, ValidateConfig};
use shared::dataset::integrity::rows_by_shard;
use shared::dataset::manifest::TrackRow;
use shared::dataset::shard::{MappedShard, ShardKind, ShardWriteError, ShardWriter};
use shared::dataset::{self, Dataset, DatasetError, DatasetIndex};
use shared::runtime::atomic_file::sync_directory;
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Below the data set's directory. What a crash leaves there is written over by the next repair.
const BENCH_DIRECTORY: &str = ".repair";

/// A shard that could not be rebuilt. The bad file is still there.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// Without tables nothing can be rebuilt.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Another process is at it.
    #[error("{} is being repaired by another process; wait for it to end", path.display())]
    Locked {
        /// The data set.
        path: PathBuf,
    },
    /// An audio file no longer decodes.
    #[error(
        "track {track_id} cannot be rebuilt from {}: {rejection}; give the audio directory with --audio if it has moved",
        path.display()
    )]
    Source {
        /// The track.
        track_id: u64,
        /// Its audio file.
        path: PathBuf,
        /// What is wrong with the file.
        rejection: Rejection,
    },
    /// An audio file gives other samples now, or this machine other spectrograms.
    #[error(
        "track {track_id}, rebuilt from {}, has another {} than was recorded: the file has changed, or the data set was \
         built by another version of the program or on another kind of processor; build it again", path.display(),
        kind.name()
    )]
    Differs {
        /// The track.
        track_id: u64,
        /// What it was rebuilt from.
        path: PathBuf,
        /// Which tensor.
        kind: ShardKind,
    },
    /// The new shard could not be written.
    #[error(transparent)]
    Write(#[from] ShardWriteError),
    /// The new shard is not the old one, though every track is.
    #[error("{} was rebuilt and its header is not as recorded; build the data set again", path.display())]
    Header {
        /// The shard.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("could not use {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system answered.
        r#source: io::Error,
    },
}

/// Rebuilds the shards that `problems` names, with audio files from `audio` or from where the index says, and returns
/// their paths relative to the data set.
pub fn repair(
    root: &Path,
    problems: &[Problem],
    audio: Option<&Path>,
    pool: &rayon::ThreadPool,
) -> Result<Vec<String>, RepairError> {
    let mut bad: BTreeMap<usize, Vec<ShardKind>> = BTreeMap::new();
    for (kind, number) in problems.iter().filter_map(|problem| problem.shard) {
        let kinds = bad.entry(number).or_default();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if bad.is_empty() {
        return Ok(Vec::new());
    }
    let index = Dataset::read_index(root)?;
    let tracks = dataset::read_tracks(root, &index)?;
    let audio = audio.map_or_else(|| PathBuf::from(&index.source.audio), Path::to_owned);
    let bench = Bench::set_up(root)?;
    let mut rows_by_shard = rows_by_shard(&tracks, index.shards.len());
    let mut repaired = Vec::new();
    for (number, kinds) in bad {
        let pair = BadPair {
            root,
            index: &index,
            rows: std::mem::take(&mut rows_by_shard[number]),
            number,
            kinds: &kinds,
            audio: &audio,
            bench: &bench.directory,
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

/// A directory in the data set where shards are made, for this process alone.
struct Bench {
    directory: PathBuf,
    _lock: File,
}

impl Bench {
    fn set_up(root: &Path) -> Result<Self, RepairError> {
        let io_error = |path: &Path, source| RepairError::Io {
            path: path.to_owned(),
            source,
        };
        let directory = root.join(BENCH_DIRECTORY);
        let shards = directory.join("shards");
        fs::create_dir_all(&shards).map_err(|source| io_error(&shards, source))?;
        let path = directory.join("lock");
        let lock = File::create(&path).map_err(|source| io_error(&path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(RepairError::Locked { path: root.to_owned() }),
            Err(TryLockError::Error(source)) => Err(io_error(&path, source)),
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What stays is cleared away by the next repair, and nobody reads it.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A pair of shards one or both of which are bad.
struct BadPair<'a> {
    root: &'a Path,
    index: &'a DatasetIndex,
    rows: Vec<&'a TrackRow>,
    number: usize,
    kinds: &'a [ShardKind],
    audio: &'a Path,
    /// Where the new shards are made.
    bench: &'a Path,
}

/// A track's tensors, as recorded.
struct Rebuilt {
    waveform: Vec<i16>,
    mel: Vec<f16>,
}

impl BadPair<'_> {
    fn rebuild(&self, pool: &rayon::ThreadPool) -> Result<(), RepairError> {
        let io_error = |path: &Path, source| RepairError::Io {
            path: path.to_owned(),
            source,
        };
        let mut writers = Vec::new();
        for &kind in self.kinds {
            writers.push((
                kind,
                ShardWriter::create(&self.bench.join(kind.path(self.number)), kind)?,
            ));
        }
        self.fill(pool, &mut writers)?;
        for (kind, writer) in writers {
            let inside = kind.path(self.number);
            let path = self.root.join(&inside);
            if file_record(writer.finish()?) != *self.index.shards[self.number].file(kind) {
                return Err(RepairError::Header { path });
            }
            fs::rename(self.bench.join(&inside), &path)
                .and_then(|()| sync_directory(&self.root.join("shards")))
                .map_err(|source| io_error(&path, source))?;
        }
        Ok(())
    }

    fn fill(&self, pool: &rayon::ThreadPool, writers: &mut [(ShardKind, ShardWriter)]) -> Result<(), RepairError> {
        let remains = Remains::of(self);
        // What was kept is rebuilt whatever a build would say of it today; but a file that has become longer than it
        // was is another one, and need not be decoded to its end.
        let longest = self.rows.iter().map(|row| row.samples).max();
        let validate = ValidateConfig {
            max_samples: longest.unwrap_or(0),
            ..ValidateConfig::default()
        };
        let extractors: Vec<Mutex<Extractor>> = (0..pool.current_num_threads())
            .map(|_| Mutex::new(Extractor::new(&self.index.features, &validate)))
            .collect();
        let work = |at: usize| {
            let thread = rayon::current_thread_index().expect("work runs on the pool's threads");
            let mut extractor = extractors[thread].lock().unwrap_or_else(PoisonError::into_inner);
            self.track(&mut extractor, self.rows[at], &remains)
        };
        let bounds = Bounds {
            items: 3 * pool.current_num_threads(),
            weight: 64 << 20,
        };
        let weight = |rebuilt: &Result<Rebuilt, RepairError>| {
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

    fn track(&self, extractor: &mut Extractor, row: &TrackRow, remains: &Remains) -> Result<Rebuilt, RepairError> {
        let path = self.audio.join(&row.path);
        let check = |kind: ShardKind, bytes: &[u8]| {
            if fits(row, kind, bytes) {
                return Ok(());
            }
            Err(RepairError::Differs {
                track_id: row.track_id,
                path: path.clone(),
                kind,
            })
        };
        let wants = |kind| self.kinds.contains(&kind);
        let good_mel = remains.mel(row).filter(|_| wants(ShardKind::Mel));
        let mel_from_waveform = wants(ShardKind::Mel) && good_mel.is_none();
        let waveform = match remains.waveform(row) {
            _ if !wants(ShardKind::Waveform) && !mel_from_waveform => Vec::new(),
            Some(samples) => samples.to_vec(),
            None => {
                let inside = AudioDirectory::new(self.audio).file(&row.path);
                let decoded = inside.and_then(|file| extractor.read_waveform(&file));
                let decoded = decoded.map_err(|rejection| RepairError::Source {
                    track_id: row.track_id,
                    path: path.clone(),
                    rejection,
                })?;
                check(ShardKind::Waveform, bytemuck::cast_slice(&decoded.samples))?;
                decoded.samples
            }
        };
        let mel = match good_mel {
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

fn fits(row: &TrackRow, kind: ShardKind, bytes: &[u8]) -> bool {
    blake3::hash(bytes).to_hex().as_str() == recorded_blake3(row, kind)
}

/// The pair as it lies there, as far as its headers can be read.
struct Remains {
    waveforms: Option<MappedShard>,
    mels: Option<MappedShard>,
}

impl Remains {
    fn of(pair: &BadPair<'_>) -> Self {
        let open = |kind: ShardKind| {
            let bytes = pair.index.shards[pair.number].file(kind).bytes;
            MappedShard::open(&pair.root.join(kind.path(pair.number)), kind, bytes).ok()
        };
        Self {
            waveforms: open(ShardKind::Waveform),
            mels: open(ShardKind::Mel),
        }
    }

    /// A track's samples, if they are as recorded.
    fn waveform(&self, row: &TrackRow) -> Option<&[i16]> {
        let samples = self.waveforms.as_ref()?.waveform(row.track_id)?;
        fits(row, ShardKind::Waveform, bytemuck::cast_slice(samples)).then_some(samples)
    }

    /// A track's spectrogram, if it is as recorded.
    fn mel(&self, row: &TrackRow) -> Option<&[f16]> {
        let mel = self.mels.as_ref()?.mel(row.track_id)?;
        fits(row, ShardKind::Mel, bytemuck::cast_slice(mel.values)).then_some(mel.values)
    }
}
