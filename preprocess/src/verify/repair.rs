//! Makes bad shards what they were.
//!
//! A shard is rebuilt in a directory of its own, out of what is still good in it and, for the rest, out of the audio files. It
//! takes the bad one's place only if every byte is as recorded.

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

/// Below the data set's directory. What a crash leaves there is written over by the next repair.
const BENCH_DIRECTORY: &str = ".repair";

/// Rebuilds the shards that `problems` names, with audio files from `audio` or from where the index says, and returns
/// their paths relative to the data set.
pub fn repair(
    root: &Path,
    problems: &[Problem],
    audio: Option<&Path>,
    pool: &rayon::ThreadPool,
) -> anyhow::Result<Vec<String>> {
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
    fn set_up(root: &Path) -> anyhow::Result<Self> {
        let directory = root.join(BENCH_DIRECTORY);
        let shards = directory.join("shards");
        fs::create_dir_all(&shards).map_err(FileError::at(&shards))?;
        match lock::attempt(&directory.join("lock"))? {
            Some(lock) => Ok(Self { directory, _lock: lock }),
            None => bail!(
                "{} is being repaired by another process; wait for it to end",
                root.display()
            ),
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
    bench: &'a Path,
}

/// A track's tensors, as recorded.
struct Rebuilt {
    waveform: Vec<i16>,
    mel: Vec<f16>,
}

impl BadPair<'_> {
    fn rebuild(&self, pool: &rayon::ThreadPool) -> anyhow::Result<()> {
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
            ensure!(
                file_record(writer.finish()?) == *self.index.shards[self.number].file(kind),
                "{} was rebuilt and its header is not as recorded; build the data set again",
                path.display()
            );
            fs::rename(self.bench.join(&inside), &path)
                .and_then(|()| sync_directory(&self.root.join("shards")))
                .map_err(FileError::at(&path))?;
        }
        Ok(())
    }

    fn fill(&self, pool: &rayon::ThreadPool, writers: &mut [(ShardKind, ShardWriter)]) -> anyhow::Result<()> {
        let remains = Remains::new(self);
        // What was kept is rebuilt whatever a build would say of it today; but a file that has become longer than it
        // was is another one, and need not be decoded to its end.
        let longest = self.rows.iter().map(|row| row.samples).max();
        let validate = ValidateConfig {
            max_samples: longest.unwrap_or(0),
            ..ValidateConfig::default()
        };
        let extractors = PerThread::new(pool, || Extractor::new(&self.index.features, &validate));
        let work = |at: usize| extractors.with(|extractor| self.track(extractor, self.rows[at], &remains));
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

    fn track(&self, extractor: &mut Extractor, row: &TrackRow, remains: &Remains) -> anyhow::Result<Rebuilt> {
        let path = self.audio.join(&row.path);
        let check = |kind: ShardKind, bytes: &[u8]| {
            ensure!(
                fits(row, kind, bytes),
                "track {}, rebuilt from {}, has another {} than was recorded: the file has changed, or the data set was built \
                 by another version of the program or on another kind of processor; build it again",
                row.track_id,
                path.display(),
                kind.name()
            );
            Ok(())
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

/// The bad pair, as far as its headers can be read.
struct Remains {
    waveforms: Option<MappedShard>,
    mels: Option<MappedShard>,
}

impl Remains {
    fn new(pair: &BadPair<'_>) -> Self {
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
