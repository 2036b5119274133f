//! The normalization, computed from the sums of any set of tracks.

use super::track_summary::TrackSummary;
use serde::{Deserialize, Serialize};

/// Mean and standard deviation with which clips are normalized; `normalization.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Number of training tracks.
    pub tracks: usize,
    /// Mean of the training waveforms, full scale 1.
    pub waveform_mean: f64,
    /// Their standard deviation; 1 if it is zero.
    pub waveform_std: f64,
    /// Per mel band, the mean in dB below a track's maximum.
    pub mel_mean: Vec<f64>,
    /// Per mel band, the standard deviation in dB; never zero, see `constant_bands`.
    pub mel_std: Vec<f64>,
    /// Bands that vary little or not at all in the training set, such as those above an MP3 encoder's low-pass. Divided
    /// by their own standard deviation, a small disturbance such as added noise would become hundreds of standard
    /// deviations. Their `mel_std` is therefore the mean of the other bands' (1 if there are no others).
    pub constant_bands: Vec<usize>,
}

/// There are no data to compute a normalization from.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the training set has no samples to compute a mean and a standard deviation from; give it more tracks")]
pub struct NothingToNormalize;

/// A band with a smaller standard deviation, in dB, counts as constant. Bands that music reaches vary by about 10 dB.
const CONSTANT_BAND_STD: f64 = 1.0;

/// A waveform with a smaller variance (full scale 1) counts as constant: a hundredth of a 16-bit step, squared.
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
        let varying = normalization.mel_std.iter().filter(|std| **std >= CONSTANT_BAND_STD);
        let (count, sum) = varying.fold((0, 0.0), |(count, sum), std| (count + 1, sum + std));
        let typical_std = if count == 0 { 1.0 } else { sum / f64::from(count) };
        for &band in &normalization.constant_bands {
            normalization.mel_std[band] = typical_std;
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
    use crate::dsp::features::FeatureConfig;
    use half::f16;
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
    fn constant_band_is_listed_and_has_a_finite_std() {
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
    fn no_tracks_are_an_error() {
        assert_eq!(Normalization::from_summaries(&[], 2), Err(NothingToNormalize));
    }
}
