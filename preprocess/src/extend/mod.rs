//! `preprocess extend`: a data set and other feature settings enter; the same tracks with other mel spectrograms leave, as
//! a data set of its own in `features/<name>` of the first.
//!
//! Spectrograms are made of the stored waveforms; no audio file is read. Waveform shards are the same files under a second
//! name. Splits are carried over, so that models that see other features learn from the same tracks.

use crate::build::assembly::{BuildProgress, Origin};
use crate::build::feature_sets::FEATURES_DIRECTORY;
use crate::build::index::{self, IndexError, Rows};
use crate::build::ordered::{self, Bounds};
use crate::build::plan::BuildPlan;
use crate::build::shard_writer::file_record;
use crate::build::source_table::{SOURCES_FILE, SourceRow};
use crate::source::Listing;
use crate::split::{self, MakeSplitError};
use half::f16;
use shared::audio::extract::Extractor;
use shared::audio::validate::ValidateConfig;
use shared::dataset::manifest::{self, TrackRow};
use shared::dataset::shard::{ShardKind, ShardWriteError, ShardWriter};
use shared::dataset::split::{SplitError, check_name};
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, Dataset, DatasetError, DatasetIndex, INDEX_FILE, ShardRecord};
use shared::dsp::features::FeatureConfig;
use shared::runtime::atomic_file::{self, TEMPORARY_SUFFIX, WriteError};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const LOCK_FILE: &str = ".lock";

/// What to add.
#[derive(Clone, Debug)]
pub struct ExtendConfig {
    /// The data set.
    pub dataset: PathBuf,
    /// The feature set's name; by default made of bands, window and hop.
    pub name: Option<String>,
    /// How its mel spectrograms are made.
    pub features: FeatureConfig,
    /// Threads.
    pub jobs: usize,
}

/// A feature set that was made, or was there.
#[derive(Clone, Debug)]
pub struct ExtendReport {
    /// Its directory.
    pub path: PathBuf,
    /// Its index.
    pub index: DatasetIndex,
    /// Tracks whose spectrograms were made now; the others were there.
    pub made: usize,
    /// Names of the splits that it has.
    pub splits: Vec<String>,
}

/// A feature set that cannot be made. The data set is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ExtendError {
    /// The data set cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A shard could not be written.
    #[error(transparent)]
    Shard(#[from] ShardWriteError),
    /// A table could not be written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A directory could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A split could not be carried over.
    #[error(transparent)]
    Split(#[from] MakeSplitError),
    /// A name that would leave the directory.
    #[error(transparent)]
    Name(#[from] SplitError),
    /// Threads could not be started.
    #[error("could not start {jobs} threads: {source}; use a lower --jobs")]
    Threads {
        /// How many.
        jobs: usize,
        /// Why not.
        r#source: rayon::ThreadPoolBuildError,
    },
    /// Nothing new.
    #[error("{} has these features itself; change at least one of --n-mels, --n-fft, --hop-length and so on", path.display())]
    Own {
        /// The data set.
        path: PathBuf,
    },
    /// Another one bears the name.
    #[error("{} holds other features; give these another --name", path.display())]
    Taken {
        /// The feature set.
        path: PathBuf,
    },
    /// Waveforms of another sample rate cannot be had without the audio files.
    #[error("{} holds waveforms of {has} Hz, and extend resamples nothing; leave --sample-rate out", path.display())]
    SampleRate {
        /// The data set.
        path: PathBuf,
        /// Its rate.
        has: u32,
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

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ExtendError {
    let path = path.to_owned();
    move |source| ExtendError::Io { path, source }
}

/// Makes the feature set, adds the tracks that it lacks since the data set grew, or finds that it is complete.
pub fn extend(config: &ExtendConfig, progress: &mut dyn BuildProgress) -> Result<ExtendReport, ExtendError> {
    let (root, features) = (&config.dataset, &config.features);
    let dataset = Dataset::open(root)?;
    let own = dataset.features();
    if features.sample_rate != own.sample_rate {
        return Err(ExtendError::SampleRate {
            path: root.clone(),
            has: own.sample_rate,
        });
    }
    if features == own {
        return Err(ExtendError::Own { path: root.clone() });
    }
    let name = config.name.clone().unwrap_or_else(|| {
        let FeatureConfig {
            n_mels,
            n_fft,
            hop_length,
            ..
        } = features;
        format!("mel-{n_mels}-{n_fft}-{hop_length}")
    });
    check_name(&name)?;
    let all = root.join(FEATURES_DIRECTORY);
    fs::create_dir_all(&all).map_err(io_error(&all))?;
    let lock_path = all.join(LOCK_FILE);
    let lock = File::create(&lock_path).map_err(io_error(&lock_path))?;
    lock.lock().map_err(io_error(&lock_path))?;
    atomic_file::remove_temporaries(&all).map_err(io_error(&all))?;
    let path = all.join(&name);
    let before = path
        .join(INDEX_FILE)
        .exists()
        .then(|| Dataset::open(&path))
        .transpose()?;
    if let Some(before) = &before {
        let made_of = before.index().waveforms_of.as_deref().unwrap_or_default();
        if before.features() != features || !dataset.index().covers(made_of) {
            return Err(ExtendError::Taken { path });
        }
        if made_of == dataset.index().checksum {
            let splits = split::carry_over(root, &path)?;
            return Ok(ExtendReport {
                index: before.index().clone(),
                path,
                made: 0,
                splits,
            });
        }
    }
    let new = all.join(format!(".{name}{TEMPORARY_SUFFIX}"));
    let work = FeatureSet {
        dataset: &dataset,
        before: before.as_ref(),
        features,
        new: &new,
    };
    let made = work.make(config.jobs, progress)?;
    if before.is_some() {
        split::copy_all(&path, &new)?;
        let old = all.join(format!(".{name}.old{TEMPORARY_SUFFIX}"));
        fs::rename(&path, &old).map_err(io_error(&path))?;
        fs::rename(&new, &path).map_err(io_error(&path))?;
        fs::remove_dir_all(&old).map_err(io_error(&old))?;
    } else {
        fs::rename(&new, &path).map_err(io_error(&path))?;
    }
    atomic_file::sync_directory(&all).map_err(io_error(&all))?;
    let splits = split::carry_over(root, &path)?;
    Ok(ExtendReport {
        index: Dataset::read_index(&path)?,
        path,
        made,
        splits,
    })
}

/// A feature set in the making.
struct FeatureSet<'a> {
    dataset: &'a Dataset,
    /// The same before the data set grew.
    before: Option<&'a Dataset>,
    features: &'a FeatureConfig,
    new: &'a Path,
}

/// What is made of a track.
struct Made {
    mel: Vec<f16>,
    mel_blake3: String,
    summary: TrackSummary,
}

impl FeatureSet<'_> {
    /// Writes everything; the number of tracks whose spectrograms were made.
    fn make(&self, jobs: usize, progress: &mut dyn BuildProgress) -> Result<usize, ExtendError> {
        let (root, index) = (self.dataset.root(), self.dataset.index());
        let shards = self.new.join("shards");
        fs::create_dir_all(&shards).map_err(io_error(&shards))?;
        let kept_pairs = self.before.map_or(0, |before| before.index().shards.len());
        let link = |from: &Path, file: &Path| {
            fs::hard_link(from.join(file), self.new.join(file)).map_err(io_error(&self.new.join(file)))
        };
        for number in 0..index.shards.len() {
            link(root, &ShardKind::Waveform.path(number))?;
        }
        for number in 0..kept_pairs {
            let before = self.before.map_or(root, Dataset::root);
            link(before, &ShardKind::Mel.path(number))?;
        }
        let mut rows = self.dataset.tracks().to_vec();
        let mut summaries = dataset::read_summary(root, index)?;
        self.take_over(&mut rows, &mut summaries)?;
        let mut positions: Vec<usize> = (0..rows.len()).filter(|&at| rows[at].shard >= kept_pairs).collect();
        positions.sort_by_key(|&at| (rows[at].shard, at));
        let mut records: Vec<ShardRecord> = index.shards.clone();
        if let Some(before) = self.before {
            for (record, of) in records.iter_mut().zip(&before.index().shards) {
                record.mel = of.mel.clone();
            }
        }
        self.compute(&positions, jobs, &mut rows, &mut summaries, &mut records, progress)?;
        self.write_tables(rows, summaries, records)?;
        Ok(positions.len())
    }

    /// What is known of tracks whose spectrograms were there before the data set grew.
    fn take_over(&self, rows: &mut [TrackRow], summaries: &mut [TrackSummary]) -> Result<(), ExtendError> {
        let Some(before) = self.before else {
            return Ok(());
        };
        let known = dataset::read_summary(before.root(), before.index())?;
        for (row, summary) in rows.iter_mut().zip(summaries) {
            if let Some(at) = before.position(row.track_id) {
                row.mel_blake3 = before.tracks()[at].mel_blake3.clone();
                *summary = known[at].clone();
            }
        }
        Ok(())
    }

    fn compute(
        &self,
        positions: &[usize],
        jobs: usize,
        rows: &mut [TrackRow],
        summaries: &mut [TrackSummary],
        records: &mut [ShardRecord],
        progress: &mut dyn BuildProgress,
    ) -> Result<(), ExtendError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(jobs)
            .build()
            .map_err(|source| ExtendError::Threads { jobs, source })?;
        let validate = ValidateConfig::default();
        let extractors: Vec<Mutex<Extractor>> = (0..pool.current_num_threads())
            .map(|_| Mutex::new(Extractor::new(self.features, &validate)))
            .collect();
        let work = |at: usize| {
            let thread = rayon::current_thread_index().expect("work runs on the pool's threads");
            let mut extractor = extractors[thread].lock().unwrap_or_else(PoisonError::into_inner);
            self.track(&mut extractor, positions[at])
        };
        let bounds = Bounds {
            items: 3 * jobs,
            weight: 64 << 20,
        };
        let weight = |made: &Result<Made, ExtendError>| made.as_ref().map_or(0, |made| 2 * made.mel.len());
        progress.begin(positions.len(), 0);
        let mut open: Option<(usize, ShardWriter)> = None;
        let mut finish = |open: Option<(usize, ShardWriter)>| -> Result<(), ExtendError> {
            if let Some((number, writer)) = open {
                records[number].mel = file_record(writer.finish()?);
            }
            Ok(())
        };
        ordered::for_each(&pool, 0..positions.len(), bounds, work, weight, |at, made| {
            let (made, at) = (made?, positions[at]);
            let (id, number) = (rows[at].track_id, rows[at].shard);
            let writer = match &mut open {
                Some((of, writer)) if *of == number => writer,
                other => {
                    finish(other.take())?;
                    let path = self.new.join(ShardKind::Mel.path(number));
                    &mut other.insert((number, ShardWriter::create(&path, ShardKind::Mel)?)).1
                }
            };
            writer.push_mel(id, self.features.n_mels, &made.mel)?;
            rows[at].mel_blake3 = made.mel_blake3;
            let old = std::mem::replace(&mut summaries[at], made.summary);
            // Those of the waveform do not depend on bands.
            (summaries[at].mfcc, summaries[at].chroma) = (old.mfcc, old.chroma);
            progress.track(true);
            Ok::<(), ExtendError>(())
        })?;
        finish(open)?;
        progress.end();
        Ok(())
    }

    fn track(&self, extractor: &mut Extractor, position: usize) -> Result<Made, ExtendError> {
        let row = &self.dataset.tracks()[position];
        let samples = self.dataset.waveform(position);
        if blake3::hash(bytemuck::cast_slice(samples)).to_hex().as_str() != row.waveform_blake3 {
            return Err(ExtendError::Dataset(DatasetError::Damaged {
                path: self.dataset.root().join(ShardKind::Waveform.path(row.shard)),
                detail: format!("track {} does not fit its checksum in tracks.csv", row.track_id),
            }));
        }
        let mel = extractor.mel(samples);
        Ok(Made {
            mel_blake3: blake3::hash(bytemuck::cast_slice(&mel)).to_hex().to_string(),
            summary: TrackSummary::new(row.track_id, samples, &mel, self.features),
            mel,
        })
    }

    fn write_tables(
        &self,
        tracks: Vec<TrackRow>,
        summaries: Vec<TrackSummary>,
        shards: Vec<ShardRecord>,
    ) -> Result<(), ExtendError> {
        let (root, index) = (self.dataset.root(), self.dataset.index());
        let damaged = |file: &str, detail: String| DatasetError::Damaged {
            path: root.join(file),
            detail,
        };
        let plan = BuildPlan {
            features: self.features.clone(),
            ..BuildPlan::read(root, index)?
        };
        let sources: Vec<SourceRow> = match dataset::read_recorded(root, index, SOURCES_FILE) {
            Ok(table) => manifest::from_csv(&table).map_err(|error| damaged(SOURCES_FILE, error.to_string()))?,
            // A data set of an earlier version has none.
            Err(_) if !index.files.contains_key(SOURCES_FILE) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let origin = Origin {
            listing: &Listing::default(),
            sources: &sources,
            audio: &index.source.audio,
            task: index.task,
            preset: None,
            waveforms_of: Some(&index.checksum),
        };
        let earlier = self.before.map_or_else(Vec::new, |before| {
            let before = before.index();
            [before.earlier.as_slice(), std::slice::from_ref(&before.checksum)].concat()
        });
        let rows = Rows {
            tracks,
            summaries,
            rejected: dataset::read_rejected(root, index)?,
            shards,
        };
        let differences = index.source.preset_differences.clone();
        index::write(self.new, &plan, &origin, differences, earlier, &rows)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
