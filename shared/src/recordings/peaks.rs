//! Spectral peaks of a mel spectrogram.
//!
//! Peaks have positions on a separate grid, so one set of constants works for all feature settings. A step is about
//! [`STEP_SECONDS`] long and consists of whole frames. There are at most [`MAX_ROWS`] rows up to [`HIGHEST_HZ`], which
//! consist of whole bands.

use crate::dsp::features::FeatureConfig;
use crate::dsp::mel::band_peaks;
use std::borrow::Cow;

/// Maximum number of rows of a grid: a row fits seven bits of a landmark's hash.
pub const MAX_ROWS: usize = 128;

/// Target length of a step: that of a frame of the default features (1024 samples at 44,100 Hz).
const STEP_SECONDS: f64 = 0.0232;

/// Bands above this are ignored: encoders of low bit rates cut them off, and audio at 16,000 Hz does not have them.
const HIGHEST_HZ: f64 = 8000.0;

/// If FFT windows are shorter than this, the length of the default features, the mean of a few steps compensates for
/// it. Otherwise a peak's position depends on where frames begin, which a cut changes. With the 43 ms of the preset
/// `gtzan`, 97 % of the copies that [matching](super::matching) describes are found with the mean of 3 steps, and 91 %
/// without.
const WINDOW_SECONDS: f64 = 0.093;

/// A peak is the maximum of the steps this far before and after it.
const RADIUS_SECONDS: f64 = 0.2;

/// A peak is the maximum of the rows this far below and above it, if the grid has 128 rows.
const RADIUS_ROWS: f64 = 6.0;

/// A peak is at least this far above the mean of its neighbourhood.
const PROMINENCE_DB: f32 = 6.0;

/// A peak is at least this loud, relative to the track's maximum.
const FLOOR_DB: f32 = -60.0;

/// A peak has fewer than [`MOST_PROMINENT`] more prominent peaks this far before and after it. Unlike a number of peaks
/// per second of the track, this does not depend on where the track was cut.
const RIVALRY_SECONDS: f64 = 1.0;
const MOST_PROMINENT: usize = 30;

/// A local maximum in time and frequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peak {
    /// Steps from the track's first frame.
    pub step: u32,
    /// Row, low frequencies first; below [`MAX_ROWS`].
    pub row: u8,
}

/// A track to compare.
#[derive(Clone, Copy, Debug)]
pub struct Track<'a> {
    /// Its peaks, sorted by step.
    pub peaks: &'a [Peak],
    /// Its length in steps.
    pub steps: u32,
}

/// The grid on which peaks have their positions.
#[derive(Clone, Debug)]
pub struct PeakGrid {
    frames_per_step: usize,
    bands_per_row: usize,
    rows: usize,
    /// Number of steps before and after a step that are averaged with it.
    smoothing: usize,
    radius_steps: usize,
    radius_rows: usize,
    rivalry_steps: u32,
    step_seconds: f64,
}

impl PeakGrid {
    /// Builds the grid for spectrograms with these settings.
    pub fn new(features: &FeatureConfig) -> Self {
        let hop_seconds = features.hop_length as f64 / f64::from(features.sample_rate);
        let frames_per_step = ((STEP_SECONDS / hop_seconds).round() as usize).max(1);
        let step_seconds = hop_seconds * frames_per_step as f64;
        let window_seconds = features.n_fft as f64 / f64::from(features.sample_rate);
        let bands_per_row = features.n_mels.div_ceil(MAX_ROWS);
        let audible = band_peaks(features)
            .into_iter()
            .take_while(|&hz| hz <= HIGHEST_HZ)
            .count();
        let all_rows = features.n_mels / bands_per_row;
        let steps = |seconds: f64| (seconds / step_seconds).round().max(1.0);
        Self {
            frames_per_step,
            bands_per_row,
            rows: audible / bands_per_row,
            smoothing: ((WINDOW_SECONDS - window_seconds) / step_seconds / 2.0)
                .round()
                .max(0.0) as usize,
            radius_steps: steps(RADIUS_SECONDS) as usize,
            radius_rows: (RADIUS_ROWS * all_rows as f64 / MAX_ROWS as f64).round().max(1.0) as usize,
            rivalry_steps: steps(RIVALRY_SECONDS) as u32,
            step_seconds,
        }
    }

    /// Builds a track of `frames` frames with these peaks, to be compared.
    pub fn track<'a>(&self, peaks: &'a [Peak], frames: u64) -> Track<'a> {
        Track {
            peaks,
            steps: u32::try_from(frames / self.frames_per_step as u64).unwrap_or(u32::MAX),
        }
    }

    /// Length of a step, in seconds.
    pub fn step_seconds(&self) -> f64 {
        self.step_seconds
    }

    /// Finds the peaks of a spectrogram, `[n_mels, frames]` in dB below its maximum. They are sorted by step.
    pub fn peaks(&self, decibels: &[f32], n_mels: usize) -> Vec<Peak> {
        let frames = decibels.len() / n_mels;
        let steps = frames / self.frames_per_step;
        // A peak's neighbourhood must be inside the track, so a cut does not create peaks.
        if steps <= 2 * self.radius_steps {
            return Vec::new();
        }
        let values = self.smoothed(self.pooled(decibels, frames, steps), steps);
        let mut candidates = self.candidates(&values, steps);
        candidates.sort_unstable_by_key(|candidate| candidate.peak);
        self.most_prominent(&candidates)
    }

    /// The value of each cell of the grid, `[rows, steps]`: the mean over its frames, then the maximum over its bands.
    fn pooled<'a>(&self, decibels: &'a [f32], frames: usize, steps: usize) -> Cow<'a, [f32]> {
        if self.frames_per_step == 1 && self.bands_per_row == 1 {
            return Cow::Borrowed(&decibels[..self.rows * steps]);
        }
        let mut pooled = vec![f32::NEG_INFINITY; self.rows * steps];
        for (row, out) in pooled.chunks_exact_mut(steps).enumerate() {
            for band in decibels
                .chunks_exact(frames)
                .skip(row * self.bands_per_row)
                .take(self.bands_per_row)
            {
                for (cell, values) in out.iter_mut().zip(band.chunks_exact(self.frames_per_step)) {
                    let mean = values.iter().sum::<f32>() / values.len() as f32;
                    *cell = cell.max(mean);
                }
            }
        }
        Cow::Owned(pooled)
    }

    /// The mean of each cell and its neighbours in time.
    fn smoothed<'a>(&self, values: Cow<'a, [f32]>, steps: usize) -> Cow<'a, [f32]> {
        if self.smoothing == 0 {
            return values;
        }
        let mean = |row: &[f32], step: usize| {
            let window = &row[step.saturating_sub(self.smoothing)..(step + self.smoothing + 1).min(steps)];
            window.iter().sum::<f32>() / window.len() as f32
        };
        let rows = values.chunks_exact(steps);
        rows.flat_map(|row| (0..steps).map(move |step| mean(row, step)))
            .collect()
    }

    /// Local maxima that are prominent enough.
    fn candidates(&self, values: &[f32], steps: usize) -> Vec<Candidate> {
        let radius = self.radius_steps;
        let inner = steps - 2 * radius;
        // First the maximum of each row over the neighbouring steps, then the maximum of these over the neighbouring
        // rows.
        let mut row_maxima = vec![f32::NEG_INFINITY; self.rows * inner];
        for (row, out) in values.chunks_exact(steps).zip(row_maxima.chunks_exact_mut(inner)) {
            for shift in 0..=2 * radius {
                raise(out, &row[shift..shift + inner]);
            }
        }
        let mut maxima = vec![0.0; inner];
        let mut candidates = Vec::new();
        for row in 0..self.rows {
            let rows = row.saturating_sub(self.radius_rows)..(row + self.radius_rows + 1).min(self.rows);
            maxima.fill(f32::NEG_INFINITY);
            for other in rows.clone() {
                raise(&mut maxima, &row_maxima[other * inner..][..inner]);
            }
            let cells = &values[row * steps..][..steps];
            for (at, &maximum) in maxima.iter().enumerate() {
                let step = at + radius;
                // Of equal neighbours only the first counts.
                if cells[step] < maximum || cells[step] <= FLOOR_DB || cells[step] == cells[step - 1] {
                    continue;
                }
                let sum: f32 = rows
                    .clone()
                    .map(|other| values[other * steps + at..][..=2 * radius].iter().sum::<f32>())
                    .sum();
                let prominence = cells[step] - sum / (rows.len() * (2 * radius + 1)) as f32;
                if prominence >= PROMINENCE_DB {
                    let peak = Peak {
                        step: step as u32,
                        row: row as u8,
                    };
                    candidates.push(Candidate { peak, prominence });
                }
            }
        }
        candidates
    }

    /// The candidates with few more prominent candidates nearby.
    fn most_prominent(&self, candidates: &[Candidate]) -> Vec<Peak> {
        let mut first = 0;
        let mut kept = Vec::new();
        for candidate in candidates {
            let step = candidate.peak.step;
            while candidates[first].peak.step + self.rivalry_steps < step {
                first += 1;
            }
            let rivals = candidates[first..]
                .iter()
                .take_while(|rival| rival.peak.step <= step + self.rivalry_steps)
                .filter(|rival| rival.prominence > candidate.prominence);
            if rivals.count() < MOST_PROMINENT {
                kept.push(candidate.peak);
            }
        }
        kept
    }
}

struct Candidate {
    peak: Peak,
    prominence: f32,
}

/// Elementwise maximum. Written so it compiles to vector instructions.
fn raise(maxima: &mut [f32], values: &[f32]) {
    for (maximum, &value) in maxima.iter_mut().zip(values) {
        *maximum = if value > *maximum { value } else { *maximum };
    }
}
