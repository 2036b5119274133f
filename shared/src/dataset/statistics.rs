//! Per-track sums and statistics, and the normalization that any set of tracks gets from the sums.
//!
//! A track's samples and mel spectrogram enter once, when the data set is built; its sums are kept in
//! `shards/summary.safetensors`. A new split adds up the rows of its training tracks, so it never touches a shard. Models
//! of whole tracks read the statistics beside them.

mod summary_file;

pub use summary_file::{SummaryError, summary_from_bytes, summary_to_bytes};

use crate::dsp::PCM_FULL_SCALE;
use crate::dsp::chroma::N_CHROMA;
use crate::dsp::decibel::refer_to_max;
use crate::dsp::features::FeatureConfig;
use crate::dsp::mfcc::N_MFCC;
use crate::dsp::moments::STATISTICS;
use crate::recordings::{Peak, PeakGrid};
use half::f16;
use half::slice::HalfFloatSliceExt;
use serde::{Deserialize, Serialize};

/// Statistics of a track's MFCCs: [`STATISTICS`] of each of 20 coefficients, all 20 means first, then all 20 standard
/// deviations and so on: `[7, 20]`, row by row.
pub const MFCC_STATISTICS: usize = STATISTICS * N_MFCC;

/// Statistics of a track's chroma: [`STATISTICS`] of each of 12 pitch classes from C on, in the same order: `[7, 12]`, row
/// by row.
pub const CHROMA_STATISTICS: usize = STATISTICS * N_CHROMA;

const _: () = assert!(
    MFCC_STATISTICS == 140 && CHROMA_STATISTICS == 84,
    "what the file format has"
);

/// Sums over one track.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackSummary {
    /// The track.
    pub track_id: u64,
    /// Samples summed.
    pub samples: u64,
    /// Sum of the samples, full scale 1.
    pub waveform_sum: f64,
    /// Sum of their squares.
    pub waveform_sum_squares: f64,
    /// Mel frames summed.
    pub frames: u64,
    /// Per band, the sum of the mel spectrogram in dB as a model sees it: below the track's maximum, cut at `top_db`.
    pub mel_sum: Vec<f64>,
    /// Per band, the sum of the squares of the same values.
    pub mel_sum_squares: Vec<f64>,
    /// [`MFCC_STATISTICS`] values; none in data sets of versions that did not take them.
    pub mfcc: Vec<f32>,
    /// [`CHROMA_STATISTICS`] values, or none likewise.
    pub chroma: Vec<f32>,
    /// The [peaks](PeakGrid::peaks) of the mel spectrogram, by which the same recording is found again.
    pub peaks: Vec<Peak>,
}

impl TrackSummary {
    /// Sums up a track: `samples` and `mel` (`[n_mels, frames]` in dB, reference 1.0) as they are stored. The statistics
    /// stay empty; [`TrackStatistics`](crate::dsp::track_statistics::TrackStatistics) takes them.
    ///
    /// # Panics
    /// When `mel` is not `n_mels` equal rows.
    pub fn new(track_id: u64, samples: &[i16], mel: &[f16], features: &FeatureConfig) -> Self {
        assert!(
            mel.len().is_multiple_of(features.n_mels),
            "a mel spectrogram is n_mels equal rows"
        );
        let frames = mel.len() / features.n_mels;
        let mut decibels = mel.to_f32_vec();
        refer_to_max(&mut decibels, features.top_db);
        let mut mel_sum = Vec::with_capacity(features.n_mels);
        let mut mel_sum_squares = Vec::with_capacity(features.n_mels);
        for band in decibels.chunks_exact(frames.max(1)) {
            let (mut sum, mut squares) = (0.0, 0.0);
            for &value in band {
                let value = f64::from(value);
                sum += value;
                squares += value * value;
            }
            mel_sum.push(sum);
            mel_sum_squares.push(squares);
        }
        mel_sum.resize(features.n_mels, 0.0);
        mel_sum_squares.resize(features.n_mels, 0.0);
        // Whole numbers until the last step: i64 holds the sum of squares of 2^33 samples at full scale. Wrapping, so that
        // the loop has no branch and vectorizes.
        let (sum, squares) = samples.iter().fold((0i64, 0i64), |(sum, squares), &sample| {
            let square = i32::from(sample).wrapping_mul(i32::from(sample));
            (
                sum.wrapping_add(i64::from(sample)),
                squares.wrapping_add(i64::from(square)),
            )
        });
        let scale = f64::from(PCM_FULL_SCALE);
        Self {
            track_id,
            samples: samples.len() as u64,
            waveform_sum: sum as f64 / scale,
            waveform_sum_squares: squares as f64 / (scale * scale),
            frames: frames as u64,
            mel_sum,
            mel_sum_squares,
            mfcc: Vec::new(),
            chroma: Vec::new(),
            peaks: PeakGrid::new(features).peaks(&decibels, features.n_mels),
        }
    }

    /// Root mean square of the waveform, in dB relative to full scale.
    pub fn rms_dbfs(&self) -> f64 {
        10.0 * (self.waveform_sum_squares / self.samples as f64).log10()
    }
}

/// What is subtracted and divided by before a model sees a clip; `normalization.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Training tracks that the figures come from.
    pub tracks: usize,
    /// Mean of the training waveforms, full scale 1.
    pub waveform_mean: f64,
    /// Their standard deviation; 1 where it is zero.
    pub waveform_std: f64,
    /// Per mel band, the mean in dB below a track's maximum.
    pub mel_mean: Vec<f64>,
    /// Per mel band, the standard deviation in dB; never zero, see `constant_bands`.
    pub mel_std: Vec<f64>,
    /// Bands that do not vary in the training set, or hardly, as those above an MP3 encoder's low-pass. Their standard
    /// deviation would make the least disturbance, noise added in training say, hundreds of deviations high; they get
    /// the mean of the other bands' instead (1 where there is no other).
    pub constant_bands: Vec<usize>,
}

/// A normalization cannot be made from no data.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the training set has no samples to take a mean and a standard deviation from; give it more tracks")]
pub struct NothingToNormalize;

/// Below this standard deviation, in dB, a band counts as constant. Bands that music reaches vary by about 10 dB.
const CONSTANT_BAND_STD: f64 = 1.0;

/// Below this variance (full scale 1) a waveform counts as constant: a hundredth of a 16-bit step, squared.
const CONSTANT_WAVEFORM_VARIANCE: f64 = 1e-13;

impl Normalization {
    /// Mean and population standard deviation over all samples and all frames of the given tracks.
    pub fn from_summaries<'a>(
        rows: impl IntoIterator<Item = &'a TrackSummary>,
        n_mels: usize,
    ) -> Result<Self, NothingToNormalize> {
        let (mut tracks, mut samples, mut frames) = (0, 0u64, 0u64);
        let (mut sum, mut squares) = (0.0, 0.0);
        let (mut mel_sum, mut mel_squares) = (vec![0.0; n_mels], vec![0.0; n_mels]);
        for row in rows {
            tracks += 1;
            samples += row.samples;
            frames += row.frames;
            sum += row.waveform_sum;
            squares += row.waveform_sum_squares;
            mel_sum
                .iter_mut()
                .zip(&row.mel_sum)
                .for_each(|(total, value)| *total += value);
            mel_squares
                .iter_mut()
                .zip(&row.mel_sum_squares)
                .for_each(|(total, value)| *total += value);
        }
        if samples == 0 || frames == 0 {
            return Err(NothingToNormalize);
        }
        let (waveform_mean, variance) = mean_and_variance(sum, squares, samples);
        let waveform_std = if variance < CONSTANT_WAVEFORM_VARIANCE {
            1.0
        } else {
            variance.sqrt()
        };
        let mut normalization = Self {
            tracks,
            waveform_mean,
            waveform_std,
            mel_mean: Vec::with_capacity(n_mels),
            mel_std: Vec::with_capacity(n_mels),
            constant_bands: Vec::new(),
        };
        for (band, (sum, squares)) in mel_sum.into_iter().zip(mel_squares).enumerate() {
            let (mean, variance) = mean_and_variance(sum, squares, frames);
            normalization.mel_mean.push(mean);
            normalization.mel_std.push(variance.sqrt());
            if variance.sqrt() < CONSTANT_BAND_STD {
                normalization.constant_bands.push(band);
            }
        }
        let varying: Vec<f64> = normalization
            .mel_std
            .iter()
            .copied()
            .filter(|std| *std >= CONSTANT_BAND_STD)
            .collect();
        let usual = if varying.is_empty() {
            1.0
        } else {
            varying.iter().sum::<f64>() / varying.len() as f64
        };
        for &band in &normalization.constant_bands {
            normalization.mel_std[band] = usual;
        }
        Ok(normalization)
    }
}

fn mean_and_variance(sum: f64, sum_squares: f64, count: u64) -> (f64, f64) {
    let mean = sum / count as f64;
    (mean, (sum_squares / count as f64 - mean * mean).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn features(n_mels: usize) -> FeatureConfig {
        FeatureConfig {
            n_mels,
            ..FeatureConfig::default()
        }
    }

    fn summary(track_id: u64, samples: &[i16], mel: &[f32], n_mels: usize) -> TrackSummary {
        let mel: Vec<f16> = mel.iter().map(|&value| f16::from_f32(value)).collect();
        TrackSummary::new(track_id, samples, &mel, &features(n_mels))
    }

    proptest! {
        #[test]
        fn normalization_equals_the_two_pass_formula(
            tracks in prop::collection::vec(
                (prop::collection::vec(any::<i16>(), 1..200), prop::collection::vec(-100.0f32..20.0, 6..=6)), 1..6),
        ) {
            let rows: Vec<_> =
                tracks.iter().enumerate().map(|(id, (pcm, mel))| summary(id as u64, pcm, mel, 2)).collect();
            let normalization = Normalization::from_summaries(&rows, 2).unwrap();
            let all: Vec<f64> = tracks.iter().flat_map(|(pcm, _)| pcm).map(|&s| f64::from(s) / 32_768.0).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / all.len() as f64;
            prop_assert!((normalization.waveform_mean - mean).abs() < 1e-9);
            if variance > 1e-9 {
                prop_assert!((normalization.waveform_std - variance.sqrt()).abs() < 1e-7);
            }
            for band in 0..2 {
                let seen: Vec<f64> = tracks
                    .iter()
                    .flat_map(|(_, mel)| {
                        let mel: Vec<f32> = mel.iter().map(|&value| f16::from_f32(value).to_f32()).collect();
                        let top = mel.iter().copied().fold(f32::MIN, f32::max);
                        mel[band * 3..][..3].iter().map(|value| f64::from((value - top).max(-80.0))).collect::<Vec<_>>()
                    })
                    .collect();
                let mean = seen.iter().sum::<f64>() / seen.len() as f64;
                prop_assert!((normalization.mel_mean[band] - mean).abs() < 1e-9);
                prop_assert!(normalization.mel_std[band].is_finite() && normalization.mel_std[band] > 0.0);
            }
        }
    }

    #[test]
    fn a_band_that_never_varies_stays_finite_and_is_named() {
        let rows = [
            summary(1, &[100, -100], &[0.0, -3.0, -6.0, -95.0, -99.0, -100.0], 2),
            summary(2, &[300, -300], &[-10.0, -20.0, -30.0, -100.0, -100.0, -97.0], 2),
        ];
        let normalization = Normalization::from_summaries(&rows, 2).unwrap();
        assert_eq!(normalization.constant_bands, [1]);
        assert_eq!(normalization.mel_mean[1], -80.0);
        assert!(normalization.mel_std[0] > 1.0);
        assert_eq!(normalization.mel_std[1], normalization.mel_std[0]);
        let silent = summary(3, &[1, -1], &[-5.0; 6], 2);
        assert_eq!(Normalization::from_summaries([&silent], 2).unwrap().mel_std, [1.0, 1.0]);
    }

    #[test]
    fn no_tracks_are_a_sentence() {
        assert_eq!(Normalization::from_summaries(&[], 2), Err(NothingToNormalize));
    }
}
