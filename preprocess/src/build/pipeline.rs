//! Builds a data set, or a part of one, from the tracks of a source.
//!
//! Many threads extract tracks and one writes them in the order of their ids, so the output does not depend on the
//! number of threads.

use super::assemble::assemble;
use super::assembly::{Assembly, Kept};
use super::index::Origin;
use super::ordered::{self, Bounds};
use super::part::Part;
use super::plan::{self, BuildPlan};
use super::preset::Preset;
use super::progress::BuildProgress;
use super::report::BuildReport;
use super::source_table;
use super::tagged_artists;
use super::threads::{PerThread, thread_pool};
use crate::source::{AudioDirectory, Listing, Source, TrackSource};
use anyhow::{bail, ensure};
use shared::audio::decode::{DECODERS, FileTags};
use shared::audio::extract::{ExtractedTrack, Extractor};
use shared::audio::validate::{Rejection, ValidateConfig};
use shared::audio::watchdog::{Patience, Stalls};
use shared::dataset::Task;
use shared::dataset::manifest::{Flag, TrackRow};
use shared::dataset::split::Set;
use shared::dsp::features::FeatureConfig;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// Results that may wait to be written. Two per thread keep all threads busy while a slow track or the sync of a shard
/// delays the writer.
const WAITING_PER_JOB: usize = 2;
const WAITING_AT_LEAST: usize = 24;

/// The same limit in bytes, for collections of long tracks.
const WAITING_BYTES: usize = 96 << 20;

#[derive(Clone, Debug)]
pub struct BuildConfig {
    /// The directory that track paths are relative to.
    pub audio: PathBuf,
    pub source: Source,
    pub out: PathBuf,
    /// The part of the tracks to build; `None` for all.
    pub part: Option<Part>,
    pub preset: Option<Preset>,
    pub features: FeatureConfig,
    pub validate: ValidateConfig,
    pub drop: Vec<Flag>,
    pub jobs: usize,
}

/// Builds the data set, adds missing tracks to it, or finds that it is complete.
pub fn build(config: &BuildConfig, progress: &mut dyn BuildProgress) -> anyhow::Result<BuildReport> {
    let pool = thread_pool(config.jobs)?;
    let Survey {
        listing,
        sizes,
        plan,
        task,
        mut notes,
    } = config.survey(&pool)?;
    let origin = Origin {
        sources: &source_table::rows(&listing, &sizes),
        listing: &listing,
        audio: &config.audio.to_string_lossy(),
        task,
        preset: config.preset.as_ref(),
        waveforms_of: None,
    };
    let report = assemble(
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
    if config.source.uses_file_tags() {
        notes.extend(tagged_artists::describe(&config.out, &report.index, &listing)?);
    }
    Ok(BuildReport { notes, ..report })
}

/// The source as a build finds it.
pub(super) struct Survey {
    /// The tracks to build: all, or those of the part.
    pub(super) listing: Listing,
    /// File sizes of its tracks.
    pub(super) sizes: Vec<Option<u64>>,
    pub(super) plan: BuildPlan,
    /// The task of the whole source.
    pub(super) task: Task,
    /// Notes about what was skipped in the audio directory.
    pub(super) notes: Vec<String>,
}

/// The listing of one part. Everything except the tracks belongs to the last part.
fn part_of(mut full_listing: Listing, part: Part) -> Listing {
    let range = part.range(full_listing.tracks.len());
    Listing {
        tracks: full_listing.tracks.drain(range).collect(),
        ..if part.is_last() {
            full_listing
        } else {
            Listing::default()
        }
    }
}

/// Extracts the tracks that are missing from a data set.
struct Extraction<'a> {
    config: &'a BuildConfig,
    tracks: &'a [TrackSource],
    /// File sizes of `tracks` when the source was listed.
    sizes: &'a [Option<u64>],
    missing: &'a [usize],
}

impl Extraction<'_> {
    fn run(
        &self,
        pool: &rayon::ThreadPool,
        assembly: &mut Assembly<'_>,
        progress: &mut dyn BuildProgress,
    ) -> anyhow::Result<()> {
        let config = self.config;
        let audio = AudioDirectory::new(&config.audio);
        let stalls = Stalls::new(config.jobs, Patience::default());
        let extractors = PerThread::new(pool, || config.extractor(&stalls));
        let work = |at: usize| {
            let track = &self.tracks[self.missing[at]];
            extractors.with(|extractor| config.extract(&audio, track, extractor))
        };
        let weight = |result: &Result<(ExtractedTrack, FileTags), Rejection>| {
            result.as_ref().map_or(0, |(track, _)| track.bytes())
        };
        let bounds = Bounds {
            items: (config.jobs * WAITING_PER_JOB).max(WAITING_AT_LEAST),
            weight: WAITING_BYTES,
        };
        ordered::for_each(pool, 0..self.missing.len(), bounds, work, weight, |at, result| {
            stalls.check()?;
            let at = self.missing[at];
            let source = &self.tracks[at];
            let kept = match result {
                Ok((track, tags)) => assembly.take(Ok(kept(source, &track, tags)))?,
                Err(rejection) if self.has_vanished(at, &rejection) => bail!(
                    "{} vanished during the build ({rejection}); check that its file system is mounted, and run the same \
                     command again to resume",
                    config.audio.join(&source.path).display()
                ),
                Err(rejection) => assembly.take(Err(rejection.row(source.track_id, &source.path)))?,
            };
            progress.track(kept);
            Ok(())
        })
    }

    /// Whether a file existed when the source was listed and is gone now. An unmounted network file system must stop
    /// the build instead of rejecting thousands of tracks. A file that exists but cannot be read is rejected.
    fn has_vanished(&self, at: usize, rejection: &Rejection) -> bool {
        let is_gone = || fs::metadata(self.config.audio.join(&self.tracks[at].path)).is_err();
        let unread = matches!(rejection, Rejection::MissingFile | Rejection::IoError { .. });
        unread && self.sizes[at].is_some() && is_gone()
    }
}

fn kept<'a>(source: &TrackSource, track: &'a ExtractedTrack, tags: FileTags) -> Kept<'a> {
    Kept {
        row: TrackRow {
            track_id: source.track_id,
            labels: source.labels.clone(),
            artist: source.artist.clone().or(tags.artist).unwrap_or_default(),
            album: source.album.clone().or(tags.album).unwrap_or_default(),
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
    /// Lists the tracks of the source and asks for the sizes of their files.
    pub(super) fn survey(&self, pool: &rayon::ThreadPool) -> anyhow::Result<Survey> {
        let full_listing = self.source.list(&self.audio)?;
        let sizes = pool.install(|| source_table::file_sizes(&full_listing.tracks, &self.audio));
        if let (Some(table), Some(first)) = (self.source.table(), full_listing.tracks.first()) {
            ensure!(
                sizes.iter().any(Option::is_some),
                "{} has none of the {} files that {} lists; give --audio the directory that holds {} and the others",
                self.audio.display(),
                full_listing.tracks.len(),
                table.display(),
                first.path
            );
        }
        let plan = self.plan(&full_listing, &sizes);
        let task = self.source.task(&full_listing.tracks);
        let notes = full_listing.notes.clone();
        let (listing, sizes) = match self.part {
            None => (full_listing, sizes),
            Some(part) => {
                let range = part.range(full_listing.tracks.len());
                (part_of(full_listing, part), sizes[range].to_vec())
            }
        };
        Ok(Survey {
            listing,
            sizes,
            plan,
            task,
            notes,
        })
    }

    pub(super) fn extractor(&self, stalls: &Arc<Stalls>) -> Extractor {
        Extractor::watched(&self.features, &self.validate, Arc::clone(stalls))
    }

    /// Extracts a track of the source, or returns the reason for its rejection.
    pub(super) fn extract(
        &self,
        audio: &AudioDirectory,
        track: &TrackSource,
        extractor: &mut Extractor,
    ) -> Result<(ExtractedTrack, FileTags), Rejection> {
        if track.labels.is_empty() {
            return Err(Rejection::Unlabelled);
        }
        let file = audio.file(&track.path)?;
        let extracted = extractor.extract(track.track_id, &file)?;
        let tags = match self.source.uses_file_tags() {
            true => extractor.read_tags(&file),
            false => FileTags::default(),
        };
        Ok((extracted, tags))
    }

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
            decoders: DECODERS.into(),
            drop,
            tracks: listing.tracks.len(),
            sources_blake3: plan::sources_blake3(listing, sizes),
            part: self.part,
        }
    }
}

#[cfg(test)]
mod tests;
