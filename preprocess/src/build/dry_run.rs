//! Predicts a build without writing anything: counts the tracks, finds the files that would be dropped without decoding
//! them, and decodes a small sample to estimate size and time.

use super::assemble::{Found, find};
use super::estimate::{Sampled, total};
use super::growth::Base;
use super::journal::Journal;
use super::label_warnings;
use super::pipeline::{BuildConfig, Survey};
use super::plan::BuildPlan;
use super::source_table;
use super::threads::{PerThread, thread_pool};
use crate::source::{AudioDirectory, TrackSource, first_bytes};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use shared::audio::decode;
use shared::audio::validate::{ReasonCounts, Rejection};
use shared::audio::watchdog::{Patience, Stalls};
use shared::dataset::Task;
use shared::dataset::statistics::summary_to_bytes;
use shared::runtime::rng::{self, Purpose};
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Files that are decoded at most.
const SAMPLE: usize = 64;
/// Files that are decoded in any case.
const SAMPLE_AT_LEAST: usize = 8;
/// Further files are not begun after this time.
const SAMPLE_TIME: Duration = Duration::from_secs(10);

/// The load of a machine changes, so a range of times is widened by these factors. Writing is not part of the sample,
/// and takes up to a second even for few tracks.
const FASTER: f64 = 0.9;
const SLOWER: f64 = 1.2;
const WRITING_SECONDS: f64 = 1.0;

/// The expected result of a build.
#[derive(Clone, Debug, Default)]
pub struct DryRun {
    /// Tracks that the data set has, or that an interrupted build has processed.
    pub before: usize,
    pub task: Task,
    /// Tracks that the build would decode.
    pub tracks: usize,
    /// Size of their audio files.
    pub audio_bytes: u64,
    /// Tracks to decode per label. A track with several labels counts for each.
    pub classes: BTreeMap<String, usize>,
    /// Tracks and files that would be dropped for reasons that are known without decoding.
    pub reasons: ReasonCounts,
    /// Number of decoded files.
    pub sample: usize,
    /// Decoded files that would be dropped.
    pub sample_reasons: ReasonCounts,
    /// Range of the size of the new shards and tables, in bytes.
    pub bytes: [f64; 2],
    /// Range of the time of the build.
    pub seconds: [f64; 2],
    pub jobs: usize,
    pub warnings: Vec<String>,
    /// Notes about files and links that were skipped in the audio directory.
    pub notes: Vec<String>,
}

/// A decoded file of the sample.
struct Measured {
    audio_bytes: u64,
    /// Time of one thread.
    seconds: f64,
    /// Bytes that the track takes in the data set.
    outcome: Result<usize, Rejection>,
}

/// Surveys the source and decodes a sample. Fails if the build would refuse the source, the options or the directory,
/// but does not notice another process that is building there.
pub fn dry_run(config: &BuildConfig) -> anyhow::Result<DryRun> {
    let pool = thread_pool(config.jobs)?;
    let Survey {
        listing,
        sizes,
        plan,
        task,
        notes,
    } = config.survey(&pool)?;
    let base = match find(&config.out, &plan, task)? {
        Found::Complete(index) => {
            return Ok(DryRun {
                before: index.kept,
                task,
                jobs: config.jobs,
                notes,
                ..DryRun::default()
            });
        }
        Found::Smaller(index) => Base::read(&config.out, *index, &source_table::rows(&listing, &sizes))?,
        Found::Nothing => Base::default(),
    };
    let done = Journal::done_in(&config.out, &plan, base.index.is_some())?;
    let missing = listing.without(&base.ids());
    let missing = &missing[done.min(missing.len())..];
    let audio = AudioDirectory::new(&config.audio);
    let known: Vec<Option<Rejection>> = pool.install(|| {
        let known = |&at: &usize| known_rejection(&audio, &listing.tracks[at], sizes[at]);
        missing.par_iter().map(known).collect()
    });
    let mut reasons = ReasonCounts::new();
    let unlisted = listing.unlisted.iter().map(|row| row.reason.clone());
    let unlabelled = listing.unlabelled.iter().map(|_| Rejection::Unlabelled.code().into());
    let known_codes = known.iter().flatten().map(|rejection| rejection.code().into());
    for code in unlisted.chain(unlabelled).chain(known_codes) {
        *reasons.entry(code).or_default() += 1;
    }
    let decodable: Vec<usize> = missing
        .iter()
        .zip(&known)
        .filter_map(|(&at, known)| known.is_none().then_some(at))
        .collect();
    let mut classes = BTreeMap::new();
    for label in decodable.iter().flat_map(|&at| &listing.tracks[at].labels) {
        *classes.entry(label.clone()).or_default() += 1;
    }
    let audio_bytes = decodable.iter().filter_map(|&at| sizes[at]).sum();
    let sample = decode_sample(config, &plan, &pool, &audio, &listing.tracks, &sizes, &decodable)?;
    let estimate = |value: fn(&Measured) -> f64| {
        let values: Vec<Sampled> = sample
            .iter()
            .map(|measured| Sampled {
                bytes: measured.audio_bytes as f64,
                value: value(measured),
            })
            .collect();
        total(&values, decodable.len(), audio_bytes as f64)
    };
    let thread_seconds = estimate(|measured| measured.seconds);
    let mut sample_reasons = ReasonCounts::new();
    for rejection in sample.iter().filter_map(|measured| measured.outcome.as_ref().err()) {
        *sample_reasons.entry(rejection.code().into()).or_default() += 1;
    }
    Ok(DryRun {
        before: base.tracks.len() + done,
        task,
        tracks: decodable.len(),
        audio_bytes,
        reasons,
        sample: sample.len(),
        sample_reasons,
        bytes: estimate(|measured| *measured.outcome.as_ref().unwrap_or(&0) as f64),
        seconds: [
            FASTER * thread_seconds[0] / config.jobs as f64,
            SLOWER * thread_seconds[1] / config.jobs as f64 + WRITING_SECONDS,
        ],
        jobs: config.jobs,
        warnings: match config.part {
            None => label_warnings::of_labels(&listing, task),
            Some(_) => Vec::new(),
        },
        classes,
        notes,
    })
}

/// Why a track would be dropped without decoding it, if that is known.
fn known_rejection(audio: &AudioDirectory, track: &TrackSource, size: Option<u64>) -> Option<Rejection> {
    if track.labels.is_empty() {
        return Some(Rejection::Unlabelled);
    }
    let file = match audio.file(&track.path) {
        Ok(file) => file,
        Err(rejection) => return Some(rejection),
    };
    if size == Some(0) {
        return Some(Rejection::EmptyFile);
    }
    // Opening a named pipe would wait for a writer. The decoder refuses it.
    if !fs::metadata(&file).is_ok_and(|metadata| metadata.is_file()) {
        return None;
    }
    decode::unsupported(&first_bytes(&file)).map(|format| Rejection::UnsupportedFormat(format.into()))
}

/// Decodes some of the tracks at the positions `decodable`, drawn at random, but the same ones each time.
fn decode_sample(
    config: &BuildConfig,
    plan: &BuildPlan,
    pool: &rayon::ThreadPool,
    audio: &AudioDirectory,
    tracks: &[TrackSource],
    sizes: &[Option<u64>],
    decodable: &[usize],
) -> anyhow::Result<Vec<Measured>> {
    let mut drawn = decodable.to_vec();
    let mut rng = rng::stream(0, 0, 0, Purpose::Sample);
    let (drawn, _) = drawn.partial_shuffle(&mut rng, SAMPLE);
    tracing::info!("decoding up to {} of {} tracks", drawn.len(), decodable.len());
    let stalls = Stalls::new(config.jobs, Patience::default());
    let extractors = PerThread::new(pool, || config.extractor(&stalls));
    let (begin, begun) = (Instant::now(), AtomicUsize::new(0));
    let measure = |&at: &usize| {
        if begin.elapsed() > SAMPLE_TIME && begun.load(Ordering::Relaxed) >= SAMPLE_AT_LEAST {
            return None;
        }
        begun.fetch_add(1, Ordering::Relaxed);
        let track_begin = Instant::now();
        let outcome = extractors
            .with(|extractor| config.extract(audio, &tracks[at], extractor))
            .and_then(|(track, _)| match plan.near_silent(track.summary.rms_dbfs()) {
                Some(rejection) => Err(rejection),
                None => {
                    let summary = summary_to_bytes(std::slice::from_ref(&track.summary), config.features.n_mels);
                    Ok(track.bytes() + summary.len())
                }
            });
        Some(Measured {
            audio_bytes: sizes[at].unwrap_or(0),
            seconds: track_begin.elapsed().as_secs_f64(),
            outcome,
        })
    };
    let measured = pool.install(|| drawn.par_iter().with_max_len(1).filter_map(measure).collect());
    stalls.check()?;
    Ok(measured)
}

#[cfg(test)]
mod tests;
