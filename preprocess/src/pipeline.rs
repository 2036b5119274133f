//! `preprocess build`: a source's tracks enter, a complete data set leaves.
//!
//! Tracks are extracted by many threads and written by one, in the order of their ids, so that the output's bytes do not
//! depend on the number of threads. A build that was interrupted goes on after its last finished pair of shards. How
//! progress is shown is not known here.

use crate::extract::{ExtractedTrack, Extractor};
use crate::index::{self, PLAN_FILE, Rows};
use crate::inside::AudioDirectory;
use crate::journal::{Entry, JOURNAL_DIRECTORY, Journal, JournalError};
use crate::ordered::{self, Bounds};
use crate::plan::{self, BuildPlan};
use crate::preset::Preset;
use crate::shard_writer::PairWriter;
use crate::source::{Listing, Source, SourceError, TrackSource};
use crate::validate::{ReasonCounts, Rejection, ValidateConfig};
use crate::watchdog::{Patience, Stalls, TooManyStalled};
use shared::atomic_file::WriteError;
use shared::dataset::{self, Dataset, DatasetError, DatasetIndex, INDEX_FILE};
use shared::features::FeatureConfig;
use shared::manifest::{Flag, RejectedRow, TrackRow};
use shared::shard::ShardWriteError;
use shared::split::Set;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Results that may wait to be written. Two per thread keep all busy while one slow track holds up the rest, and the
/// writer while it syncs a shard.
const WAITING_PER_JOB: usize = 2;
const WAITING_AT_LEAST: usize = 24;

/// The same in bytes, for collections of long tracks.
const WAITING_BYTES: usize = 96 << 20;

/// What to build from, where to, and how.
#[derive(Clone, Debug)]
pub struct BuildConfig {
    /// The directory that track paths are relative to.
    pub audio: PathBuf,
    /// What lists the tracks.
    pub source: Source,
    /// The data set's directory.
    pub out: PathBuf,
    /// What the result is compared with.
    pub preset: Option<Preset>,
    /// How mel spectrograms are made.
    pub features: FeatureConfig,
    /// What a track must have.
    pub validate: ValidateConfig,
    /// Flags whose tracks are dropped.
    pub drop: Vec<Flag>,
    /// Threads.
    pub jobs: usize,
}

/// Who watches a build.
pub trait BuildProgress {
    /// Work begins on `total` tracks, of which `done` were dealt with in an earlier run.
    fn begin(&mut self, total: usize, done: usize);
    /// One more track is kept or dropped.
    fn track(&mut self, kept: bool);
    /// All are.
    fn end(&mut self);
}

/// A finished build.
#[derive(Clone, Debug)]
pub struct BuildReport {
    /// The index that was written, or was there.
    pub index: DatasetIndex,
    /// Dropped tracks by reason code.
    pub reasons: ReasonCounts,
    /// Size of all files.
    pub bytes: u64,
    /// Whether the data set was complete before.
    pub was_complete: bool,
    /// Tracks that an earlier, interrupted run had dealt with.
    pub resumed: usize,
    /// Tracks that this run dealt with.
    pub processed: usize,
    /// How long this run took.
    pub seconds: f64,
}

/// A build that could not be finished. What is done stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The source cannot be listed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The directory cannot be built in.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The directory holds a data set that cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The directory holds a finished data set of another kind.
    #[error(
        "{} is a finished data set that was built otherwise: {}; choose another --out", path.display(),
        differences.join("; ")
    )]
    OtherDataset {
        /// The data set.
        path: PathBuf,
        /// What differs.
        differences: Vec<String>,
    },
    /// A shard could not be written.
    #[error(transparent)]
    Shard(#[from] ShardWriteError),
    /// Another file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Decoders that never come back take up every thread.
    #[error(transparent)]
    Stalled(#[from] TooManyStalled),
    /// The operating system refused.
    #[error("could not use {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// Threads could not be started.
    #[error("could not start {jobs} threads: {source}; use a lower --jobs")]
    Threads {
        /// How many.
        jobs: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
}

/// Builds the data set, or finds that it is complete.
pub fn build(config: &BuildConfig, progress: &mut dyn BuildProgress) -> Result<BuildReport, BuildError> {
    let begin = Instant::now();
    let listing = config.source.list(&config.audio)?;
    let plan = config.plan(&listing);
    let complete = || -> Result<Option<BuildReport>, BuildError> {
        let Some(index) = finished(&config.out, &plan)? else {
            return Ok(None);
        };
        let mut report = report(&config.out, index, begin)?;
        report.was_complete = true;
        Ok(Some(report))
    };
    // A crash may have come between the index and the end of the journal.
    let journal_left = config.out.join(JOURNAL_DIRECTORY).is_dir();
    if !journal_left && let Some(report) = complete()? {
        return Ok(report);
    }
    let journal = Journal::open(&config.out, &plan)?;
    // Asked with the lock held: another process may have finished just now.
    if let Some(report) = complete()? {
        journal.remove()?;
        return Ok(report);
    }
    let shards = config.out.join("shards");
    fs::create_dir_all(&shards).map_err(|source| BuildError::Io { path: shards, source })?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(config.jobs)
        .thread_name(|index| format!("extract-{index}"))
        .build()
        .map_err(|source| BuildError::Threads {
            jobs: config.jobs,
            source,
        })?;
    let mut run = Run::resume(config, &plan, &listing, &journal)?;
    let resumed = run.done;
    progress.begin(listing.tracks.len(), resumed);
    run.extract_all(&pool, progress)?;
    progress.end();
    let index = run.finish()?;
    journal.remove()?;
    report(&config.out, index, begin).map(|report| BuildReport {
        resumed,
        processed: listing.tracks.len() - resumed,
        ..report
    })
}

/// The index of the data set in `out`, if it is complete and was built by this plan.
fn finished(out: &Path, plan: &BuildPlan) -> Result<Option<DatasetIndex>, BuildError> {
    if !out.join(INDEX_FILE).exists() {
        return Ok(None);
    }
    let index = Dataset::read_index(out)?;
    let path = out.join(PLAN_FILE);
    let json = dataset::read_recorded(out, &index, PLAN_FILE)?;
    let earlier: BuildPlan = serde_json::from_slice(&json).map_err(|error| DatasetError::Damaged {
        path,
        detail: error.to_string(),
    })?;
    let differences = plan.differences(&earlier);
    if differences.is_empty() {
        return Ok(Some(index));
    }
    Err(BuildError::OtherDataset {
        path: out.to_owned(),
        differences,
    })
}

fn report(out: &Path, index: DatasetIndex, begin: Instant) -> Result<BuildReport, BuildError> {
    let mut reasons = ReasonCounts::new();
    for row in dataset::read_rejected(out, &index)? {
        *reasons.entry(row.reason).or_default() += 1;
    }
    let shards = index.shards.iter().map(|shard| shard.waveform.bytes + shard.mel.bytes);
    let files = index.files.values().map(|file| file.bytes);
    Ok(BuildReport {
        reasons,
        bytes: shards.chain(files).sum::<u64>() + index.to_json().len() as u64,
        index,
        was_complete: false,
        resumed: 0,
        processed: 0,
        seconds: begin.elapsed().as_secs_f64(),
    })
}

impl BuildConfig {
    fn plan(&self, listing: &Listing) -> BuildPlan {
        let mut drop: Vec<String> = self.drop.iter().map(|flag| flag.name().to_owned()).collect();
        drop.sort();
        drop.dedup();
        BuildPlan {
            source: self.source.name().into(),
            subset: self.source.subset(),
            preset: self.preset.as_ref().map(|preset| preset.name.clone()),
            features: self.features.clone(),
            validate: self.validate.clone(),
            drop,
            tracks: listing.tracks.len(),
            sources_blake3: plan::sources_blake3(listing, &self.audio),
        }
    }
}

/// A build under way: what is finished, and the pair of shards that is open.
struct Run<'a> {
    config: &'a BuildConfig,
    plan: &'a BuildPlan,
    listing: &'a Listing,
    journal: &'a Journal,
    entries: Vec<Entry>,
    /// Tracks of the source that the entries deal with.
    done: usize,
    /// The track that had given samples first, for every checksum of a waveform.
    first_with: HashMap<String, u64>,
    pair: Option<PairWriter>,
    open: Rows,
}

impl<'a> Run<'a> {
    fn resume(
        config: &'a BuildConfig,
        plan: &'a BuildPlan,
        listing: &'a Listing,
        journal: &'a Journal,
    ) -> Result<Self, BuildError> {
        let entries = journal.entries(plan.features.n_mels)?;
        let mut first_with = HashMap::new();
        for row in entries.iter().flat_map(|entry| &entry.tracks) {
            first_with.entry(row.waveform_blake3.clone()).or_insert(row.track_id);
        }
        Ok(Self {
            done: entries.last().map_or(0, |entry| entry.done),
            config,
            plan,
            listing,
            journal,
            entries,
            first_with,
            pair: None,
            open: Rows::default(),
        })
    }

    fn extract_all(&mut self, pool: &rayon::ThreadPool, progress: &mut dyn BuildProgress) -> Result<(), BuildError> {
        let (tracks, config) = (&self.listing.tracks, self.config);
        let audio = AudioDirectory::new(&config.audio);
        let stalls = Stalls::new(config.jobs, Patience::default());
        // One per thread, so that plans and buffers are made once.
        let extractors: Vec<Mutex<Extractor>> = (0..pool.current_num_threads())
            .map(|_| {
                Mutex::new(Extractor::watched(
                    &config.features,
                    &config.validate,
                    Arc::clone(&stalls),
                ))
            })
            .collect();
        let work = |at: usize| {
            let track: &TrackSource = &tracks[at];
            if track.labels.is_empty() {
                return Err(Rejection::Unlabelled);
            }
            let file = audio.file(&track.path)?;
            let thread = rayon::current_thread_index().expect("work runs on the pool's threads");
            // A panic in the extraction ends the build, so nobody meets what it left behind.
            let mut extractor = extractors[thread].lock().unwrap_or_else(PoisonError::into_inner);
            extractor.extract(track.track_id, &file)
        };
        let weight = |result: &Result<ExtractedTrack, Rejection>| result.as_ref().map_or(0, ExtractedTrack::bytes);
        let bounds = Bounds {
            items: (config.jobs * WAITING_PER_JOB).max(WAITING_AT_LEAST),
            weight: WAITING_BYTES,
        };
        ordered::for_each(pool, self.done..tracks.len(), bounds, work, weight, |at, result| {
            stalls.check()?;
            let kept = self.take(at, result)?;
            progress.track(kept);
            Ok(())
        })
    }

    /// Puts a track into the open shards, or among the dropped. Whether it was kept.
    fn take(&mut self, at: usize, result: Result<ExtractedTrack, Rejection>) -> Result<bool, BuildError> {
        let source = &self.listing.tracks[at];
        let kept = match result.and_then(|track| self.flag(track)) {
            Ok((track, flags)) => {
                self.keep(source, &track, flags)?;
                true
            }
            Err(rejection) => {
                self.open.rejected.push(RejectedRow {
                    track_id: Some(source.track_id),
                    path: source.path.clone(),
                    reason: rejection.code().into(),
                    detail: rejection.to_string(),
                });
                false
            }
        };
        if self.pair.as_ref().is_some_and(PairWriter::is_full) {
            self.close(at + 1)?;
        }
        Ok(kept)
    }

    fn flag(&self, track: ExtractedTrack) -> Result<(ExtractedTrack, Vec<Flag>), Rejection> {
        let mut flags = Vec::new();
        if let Some(&of) = self.first_with.get(&track.waveform_blake3) {
            if self.plan.drops(Flag::Duplicate) {
                return Err(Rejection::Duplicate { of });
            }
            flags.push(Flag::Duplicate);
        }
        let rms_dbfs = track.rms_dbfs();
        if self.plan.validate.is_near_silent(rms_dbfs) {
            if self.plan.drops(Flag::NearSilent) {
                return Err(Rejection::NearSilent { rms_dbfs });
            }
            flags.push(Flag::NearSilent);
        }
        Ok((track, flags))
    }

    fn keep(&mut self, source: &TrackSource, track: &ExtractedTrack, flags: Vec<Flag>) -> Result<(), BuildError> {
        let pair = match &mut self.pair {
            Some(pair) => pair,
            closed => {
                let number = self.entries.len();
                closed.insert(PairWriter::create(&self.config.out, number, self.plan.features.n_mels)?)
            }
        };
        pair.push(track)?;
        self.first_with
            .entry(track.waveform_blake3.clone())
            .or_insert(source.track_id);
        self.open.tracks.push(TrackRow {
            track_id: source.track_id,
            labels: source.labels.clone(),
            artist: source.artist.clone().unwrap_or_default(),
            album: source.album.clone().unwrap_or_default(),
            official_split: source.official_split.map_or("", Set::name).into(),
            path: source.path.clone(),
            samples: track.waveform.len() as u64,
            source_rate: track.source_rate,
            source_channels: track.source_channels,
            bad_frames: track.bad_frames,
            clipped_samples: track.clipped_samples,
            flags,
            shard: pair.number(),
            waveform_blake3: track.waveform_blake3.clone(),
            mel_blake3: track.mel_blake3.clone(),
        });
        self.open.summaries.push(track.summary.clone());
        Ok(())
    }

    /// Finishes the open pair and makes it known to a later run; `done` tracks of the source are dealt with.
    fn close(&mut self, done: usize) -> Result<(), BuildError> {
        let shard = self.pair.take().map(PairWriter::finish).transpose()?;
        let open = std::mem::take(&mut self.open);
        let entry = Entry {
            shard,
            done,
            tracks: open.tracks,
            summaries: open.summaries,
            rejected: open.rejected,
        };
        self.journal
            .append(self.entries.len(), &entry, self.plan.features.n_mels)?;
        self.entries.push(entry);
        Ok(())
    }

    fn finish(mut self) -> Result<DatasetIndex, BuildError> {
        if self.pair.is_some() || !self.open.rejected.is_empty() {
            self.close(self.listing.tracks.len())?;
        }
        let mut rows = Rows::from_entries(self.entries);
        let preset = self.config.preset.as_ref();
        let differences = preset.map_or_else(Vec::new, |preset| {
            preset.differences(self.listing, &rows.tracks, &rows.rejected)
        });
        let unlabelled = self.listing.unlabelled.iter().map(|track| RejectedRow {
            track_id: Some(track.track_id),
            path: track.path.clone(),
            reason: Rejection::Unlabelled.code().into(),
            detail: Rejection::Unlabelled.to_string(),
        });
        rows.rejected.extend(unlabelled);
        rows.rejected.sort_by_key(|row| row.track_id);
        rows.rejected
            .extend(self.listing.unlisted.iter().map(|file| RejectedRow {
                track_id: file.track_id,
                path: file.path.clone(),
                reason: file.rejection().code().into(),
                detail: file.rejection().to_string(),
            }));
        let (audio, task) = (self.config.audio.to_string_lossy(), self.config.source.task());
        Ok(index::write(
            &self.config.out,
            self.plan,
            task,
            &audio,
            differences,
            &rows,
        )?)
    }
}

#[cfg(test)]
mod tests;
