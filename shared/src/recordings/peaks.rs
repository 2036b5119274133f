//! Spectral peaks of a mel spectrogram.
//!
//! Peaks have a place on a grid of its own, so one set of constants serves all feature settings: steps of about
//! [`STEP_SECONDS`], made of whole frames, and at most [`MAX_ROWS`] rows up to [`HIGHEST_HZ`], made of whole bands.

use crate::dsp::features::FeatureConfig;
use crate::dsp::mel::band_peaks;
use std::borrow::Cow;

/// Rows that a grid has at most: a row fits seven bits of a landmark's hash.
pub const MAX_ROWS: usize = 128;

/// What a step should last. Frames of the default features are as far apart (1024 samples at 44,100 Hz).
const STEP_SECONDS: f64 = 0.0232;

/// Bands above are left out: encoders of low bit rates cut them off, and sample rates of 16,000 Hz do not have them.
const HIGHEST_HZ: f64 = 8000.0;

/// Windows that are shorter than those of the default features are made up for by the mean of a few steps. Otherwise a peak's
/// place depends on where frames begin, which a cut moves: with the 43 ms of the preset `gtzan`, 97 % of the copies that
/// [matching](super::matching) describes are found with the mean of 3 steps, and 91 % without.
const WINDOW_SECONDS: f64 = 0.093;

/// A peak is the maximum of the steps this far before and after it.
const RADIUS_SECONDS: f64 = 0.2;

/// A peak is the maximum of the rows this far below and above it, of 128 rows.
const RADIUS_ROWS: f64 = 6.0;

/// A peak is at least so far above the mean of the neighbourhood that it is the maximum of.
const PROMINENCE_DB: f32 = 6.0;

/// A peak is no further below the track's maximum.
const FLOOR_DB: f32 = -60.0;

/// A peak has fewer than [`MOST_PROMINENT`] peaks more prominent than itself this far before and after it. Unlike a
/// number of peaks per second of the track, this does not depend on where the track was cut.
const RIVALRY_SECONDS: f64 = 1.0;
const MOST_PROMINENT: usize = 30;

/// A place in time and frequency where a track is louder than around it.
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
    /// Its peaks in the order of their steps.
    pub peaks: &'a [Peak],
    /// Its length.
    pub steps: u32,
}

/// The grid that peaks have their places on.
#[derive(Clone, Debug)]
pub struct PeakGrid {
    frames_per_step: usize,
    bands_per_row: usize,
    rows: usize,
    /// Steps before and after one that its value is the mean of.
    smoothing: usize,
    radius_steps: usize,
    radius_rows: usize,
    rivalry_steps: u32,
    step_seconds: f64,
}

impl PeakGrid {
    /// For spectrograms of these settings.
    pub fn new(features: &FeatureConfig) -> Self {
        let frame_seconds = features.hop_length as f64 / f64::from(features.sample_rate);
        let frames_per_step = ((STEP_SECONDS / frame_seconds).round() as usize).max(1);
        let step_seconds = frame_seconds * frames_per_step as f64;
        let window_seconds = features.n_fft as f64 / f64::from(features.sample_rate);
        let bands_per_row = features.n_mels.div_ceil(MAX_ROWS);
        let audible = band_peaks(features.n_mels, features.f_min, features.f_max)
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

    /// A track of so many frames with these peaks, to be compared.
    pub fn track<'a>(&self, peaks: &'a [Peak], frames: u64) -> Track<'a> {
        Track {
            peaks,
            steps: u32::try_from(frames / self.frames_per_step as u64).unwrap_or(u32::MAX),
        }
    }

    /// Seconds of a step.
    pub fn step_seconds(&self) -> f64 {
        self.step_seconds
    }

    /// The peaks of a spectrogram, `[n_mels, frames]` in dB below its maximum, in the order of their steps.
    pub fn peaks(&self, decibels: &[f32], n_mels: usize) -> Vec<Peak> {
        let frames = decibels.len() / n_mels;
        let steps = frames / self.frames_per_step;
        // A peak's whole neighbourhood is in the track: where a track was cut off is no peak.
        if steps <= 2 * self.radius_steps {
            return Vec::new();
        }
        let values = self.smoothed(self.pooled(decibels, frames, steps), steps);
        let mut candidates = self.candidates(&values, steps);
        candidates.sort_unstable_by_key(|candidate| candidate.peak);
        self.most_prominent(&candidates)
    }

    /// The value of each cell of the grid, `[rows, steps]`: the mean of its frames, and of its bands the maximum.
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

    /// The mean of each cell and those before and after it.
    fn smoothed<'a>(&self, values: Cow<'a, [f32]>, steps: usize) -> Cow<'a, [f32]> {
        if self.smoothing == 0 {
            return values;
        }
        let mean = |row: &[f32], step: usize| {
            let around = &row[step.saturating_sub(self.smoothing)..(step + self.smoothing + 1).min(steps)];
            around.iter().sum::<f32>() / around.len() as f32
        };
        let rows = values.chunks_exact(steps);
        rows.flat_map(|row| (0..steps).map(move |step| mean(row, step)))
            .collect()
    }

    /// Maxima of their neighbourhoods that are prominent enough.
    fn candidates(&self, values: &[f32], steps: usize) -> Vec<Candidate> {
        let radius = self.radius_steps;
        let inner = steps - 2 * radius;
        // Of each row, the maximum over the steps around; then, row by row, the maximum of that over the rows around.
        let mut around = vec![f32::NEG_INFINITY; self.rows * inner];
        for (row, out) in values.chunks_exact(steps).zip(around.chunks_exact_mut(inner)) {
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
                raise(&mut maxima, &around[other * inner..][..inner]);
            }
            let own = &values[row * steps..][..steps];
            for (at, &maximum) in maxima.iter().enumerate() {
                let step = at + radius;
                // Of equal neighbours the first counts.
                if own[step] < maximum || own[step] <= FLOOR_DB || own[step] == own[step - 1] {
                    continue;
                }
                let sum: f32 = rows
                    .clone()
                    .map(|other| values[other * steps + at..][..=2 * radius].iter().sum::<f32>())
                    .sum();
                let prominence = own[step] - sum / (rows.len() * (2 * radius + 1)) as f32;
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

    /// Those that few candidates nearby surpass.
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

/// The greater of both, place by place. Written so that it compiles to vectors of maxima.
fn raise(maxima: &mut [f32], values: &[f32]) {
    for (maximum, &value) in maxima.iter_mut().zip(values) {
        *maximum = if value > *maximum { value } else { *maximum };
    }
}
