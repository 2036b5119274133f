//! `preprocess build`: a source's tracks enter, a complete data set leaves, or a part of one.
//!
//! Tracks are extracted by many threads and written by one, in the order of their ids, so that the output's bytes do not
//! depend on the number of threads. How progress is shown is not known here.

use crate::build::assembly::{self, Assembly, AssemblyError, BuildProgress, BuildReport, Kept, Origin};
use crate::build::ordered::{self, Bounds};
use crate::build::part::Part;
use crate::build::plan::{self, BuildPlan};
use crate::build::preset::Preset;
use crate::build::source_table;
use crate::source::audio_directory::AudioDirectory;
use crate::source::{Listing, Source, SourceError, TrackSource};
use shared::audio::extract::{ExtractedTrack, Extractor};
use shared::audio::validate::{Rejection, ValidateConfig};
use shared::audio::watchdog::{Patience, Stalls, TooManyStalled};
use shared::dataset::manifest::{Flag, TrackRow};
use shared::dataset::split::Set;
use shared::dsp::features::FeatureConfig;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

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
    /// The part of the tracks that is built; none for all.
    pub part: Option<Part>,
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

/// A build that could not be finished. What is done stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The source cannot be listed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The data set cannot be written.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// None of the tracks has a file.
    #[error(
        "{} has none of the {tracks} files that {} lists; give --audio the directory that holds {first} and the others",
        audio.display(), table.display()
    )]
    NoFiles {
        /// The audio directory.
        audio: PathBuf,
        /// How many tracks there should be.
        tracks: usize,
        /// What lists them.
        table: PathBuf,
        /// The path of the first, relative to the right audio directory.
        first: String,
    },
    /// A file that was there when the build began.
    #[error(
        "{} was there when this build began and {}; see that the file system it lies on is there, and run the same command \
         again: what is done stays", path.display(), rejection
    )]
    Vanished {
        /// The file.
        path: PathBuf,
        /// What became of it.
        rejection: Rejection,
    },
    /// Decoders that never come back take up every thread.
    #[error(transparent)]
    Stalled(#[from] TooManyStalled),
    /// Threads could not be started.
    #[error("could not start {jobs} threads: {source}; use a lower --jobs")]
    Threads {
        /// How many.
        jobs: usize,
        /// Why not.
        r#source: rayon::ThreadPoolBuildError,
    },
}

/// Builds the data set, adds the tracks that it lacks, or finds that it is complete.
pub fn build(config: &BuildConfig, progress: &mut dyn BuildProgress) -> Result<BuildReport, BuildError> {
    let pool = thread_pool(config.jobs)?;
    let whole = config.source.list(&config.audio)?;
    let sizes = pool.install(|| source_table::file_sizes(&whole.tracks, &config.audio));
    if let (Some(table), Some(first)) = (config.source.table(), whole.tracks.first())
        && sizes.iter().all(Option::is_none)
    {
        return Err(BuildError::NoFiles {
            audio: config.audio.clone(),
            tracks: whole.tracks.len(),
            table: table.to_owned(),
            first: first.path.clone(),
        });
    }
    let plan = config.plan(&whole, &sizes);
    let notes = whole.notes.clone();
    let (listing, sizes) = match config.part {
        None => (whole, sizes),
        Some(part) => {
            let range = part.range(whole.tracks.len());
            (part_of(whole, part), sizes[range].to_vec())
        }
    };
    let origin = Origin {
        sources: &source_table::rows(&listing, &sizes),
        listing: &listing,
        audio: &config.audio.to_string_lossy(),
        task: config.source.task(),
        preset: config.preset.as_ref(),
        waveforms_of: None,
    };
    let report = assembly::assemble(
        &config.out,
        &plan,
        &origin,
        &pool,
        progress,
        |assembly, missing, progress| {
            let work = Extraction {
                config,
                tracks: &listing.tracks,
                sizes: &sizes,
                missing,
            };
            work.run(&pool, assembly, progress)
        },
    )?;
    Ok(BuildReport { notes, ..report })
}

/// Threads for the work on tracks.
pub fn thread_pool(jobs: usize) -> Result<rayon::ThreadPool, BuildError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .thread_name(|index| format!("extract-{index}"))
        .build()
        .map_err(|source| BuildError::Threads { jobs, source })
}

/// What a part deals with. What is no track of it, the last one mentions.
fn part_of(mut whole: Listing, part: Part) -> Listing {
    let range = part.range(whole.tracks.len());
    Listing {
        tracks: whole.tracks.drain(range).collect(),
        ..if part.is_last() { whole } else { Listing::default() }
    }
}

/// Tracks that are missing from a data set.
struct Extraction<'a> {
    config: &'a BuildConfig,
    tracks: &'a [TrackSource],
    /// Of the tracks' files, when the source was listed.
    sizes: &'a [Option<u64>],
    missing: &'a [usize],
}

impl Extraction<'_> {
    fn run(
        &self,
        pool: &rayon::ThreadPool,
        assembly: &mut Assembly<'_>,
        progress: &mut dyn BuildProgress,
    ) -> Result<(), BuildError> {
        let config = self.config;
        let audio = AudioDirectory::new(&config.audio);
        let stalls = Stalls::new(config.jobs, Patience::default());
        // One per thread, so that plans and buffers are made once.
        let extractors: Vec<Mutex<Extractor>> = (0..pool.current_num_threads())
            .map(|_| {
                let stalls = Arc::clone(&stalls);
                Mutex::new(Extractor::watched(&config.features, &config.validate, stalls))
            })
            .collect();
        let work = |at: usize| {
            let track = &self.tracks[self.missing[at]];
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
        ordered::for_each(pool, 0..self.missing.len(), bounds, work, weight, |at, result| {
            stalls.check()?;
            let at = self.missing[at];
            let source = &self.tracks[at];
            let kept = match result {
                Ok(track) => assembly.take(Ok(kept(source, &track)))?,
                Err(rejection) if self.has_vanished(at, &rejection) => {
                    return Err(BuildError::Vanished {
                        path: config.audio.join(&source.path),
                        rejection,
                    });
                }
                Err(rejection) => assembly.take(Err(rejection.row(source.track_id, &source.path)))?,
            };
            progress.track(kept);
            Ok(())
        })
    }

    /// Whether a file was listed and is gone. A network file system that is no longer mounted must not look like a
    /// thousand bad tracks; a file alone that cannot be read is one.
    fn has_vanished(&self, at: usize, rejection: &Rejection) -> bool {
        let is_gone = || fs::metadata(self.config.audio.join(&self.tracks[at].path)).is_err();
        let unread = matches!(rejection, Rejection::MissingFile | Rejection::IoError { .. });
        unread && self.sizes[at].is_some() && is_gone()
    }
}

fn kept<'a>(source: &TrackSource, track: &'a ExtractedTrack) -> Kept<'a> {
    Kept {
        row: TrackRow {
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
            flags: track.flags.clone(),
            recording: source.track_id,
            shard: 0,
            waveform_blake3: track.waveform_blake3.clone(),
            mel_blake3: track.mel_blake3.clone(),
        },
        waveform: &track.waveform,
        mel: &track.mel,
        summary: track.summary.clone(),
    }
}

impl BuildConfig {
    /// The plan of this build, of a source that lists `listing`.
    pub fn plan(&self, listing: &Listing, sizes: &[Option<u64>]) -> BuildPlan {
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
            sources_blake3: plan::sources_blake3(listing, sizes),
            part: self.part,
        }
    }
}

#[cfg(test)]
mod tests;
