//! Mel spectrograms: a mel filter bank over power spectra, as `librosa.feature.melspectrogram`.
//!
//! Minimum cost per frame at n_fft 4096 and 128 bands: reading 4096 samples, half a complex FFT (5/2 · 4096 · 12 =
//! 123,000 floating point operations), 2049 squared magnitudes, 3,900 multiplications by filter weights, 128 values
//! written. The FFT dominates as long as the rest is cheap, so the filters are sparse and values are written one cache
//! line at a time.

use super::dot::dot;
use super::stft::{Sample, Stft, StftScratch};
use crate::dsp::features::{FeatureConfig, MelNorm, MelScale};
use ndarray::{Array2, ArrayViewMut2, s};

/// Triangular filters on a mel scale: `librosa.filters.mel`.
#[derive(Clone, Debug)]
pub struct MelFilterBank {
    bins: usize,
    /// Per band, the first bin with a non-zero weight, and the weights from there on.
    bands: Vec<(usize, Vec<f32>)>,
}

/// Below 1000 Hz the Slaney scale is linear, 200/3 Hz a mel; above it logarithmic, 27 mels to a factor of 6.4.
const LINEAR_HZ_PER_MEL: f64 = 200.0 / 3.0;
const BREAK_HZ: f64 = 1000.0;
const BREAK_MEL: f64 = BREAK_HZ / LINEAR_HZ_PER_MEL;
const LOG_STEP_RATIO: f64 = 6.4;
const LOG_STEPS: f64 = 27.0;

/// The HTK scale is `2595 log10(1 + Hz / 700)`.
const HTK_MEL_PER_DECADE: f64 = 2595.0;
const HTK_BREAK_HZ: f64 = 700.0;

impl MelScale {
    fn hz_to_mel(self, hz: f64) -> f64 {
        match self {
            Self::Htk => HTK_MEL_PER_DECADE * (1.0 + hz / HTK_BREAK_HZ).log10(),
            Self::Slaney if hz < BREAK_HZ => hz / LINEAR_HZ_PER_MEL,
            Self::Slaney => BREAK_MEL + (hz / BREAK_HZ).ln() * LOG_STEPS / LOG_STEP_RATIO.ln(),
        }
    }

    fn mel_to_hz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => HTK_BREAK_HZ * (10f64.powf(mel / HTK_MEL_PER_DECADE) - 1.0),
            Self::Slaney if mel < BREAK_MEL => mel * LINEAR_HZ_PER_MEL,
            Self::Slaney => BREAK_HZ * ((mel - BREAK_MEL) * LOG_STEP_RATIO.ln() / LOG_STEPS).exp(),
        }
    }

    /// Edges of the bands in Hz: band `b` begins at edge `b`, peaks at `b + 1` and ends at `b + 2`.
    fn edges(self, n_mels: usize, f_min: f32, f_max: f32) -> Vec<f64> {
        let (low, high) = (self.hz_to_mel(f64::from(f_min)), self.hz_to_mel(f64::from(f_max)));
        (0..n_mels + 2)
            .map(|at| self.mel_to_hz(low + (high - low) * at as f64 / (n_mels + 1) as f64))
            .collect()
    }
}

/// Frequencies in Hz at which the bands of these settings peak, lowest first: `librosa.mel_frequencies(n_mels + 2,
/// fmin=f_min, fmax=f_max, htk=mel_scale == "htk")[1:-1]`.
pub fn band_peaks(features: &FeatureConfig) -> Vec<f64> {
    let FeatureConfig {
        n_mels, f_min, f_max, ..
    } = *features;
    features.mel_scale.edges(n_mels, f_min, f_max)[1..=n_mels].to_vec()
}

impl MelFilterBank {
    /// Builds `n_mels` bands between `f_min` and `f_max` Hz over the bins of an FFT of `n_fft` samples at `sample_rate`
    /// Hz, with librosa's default scale and norm, which are Slaney's.
    pub fn new(sample_rate: u32, n_fft: usize, n_mels: usize, f_min: f32, f_max: f32) -> Self {
        Self::for_features(&FeatureConfig {
            sample_rate,
            n_fft,
            n_mels,
            f_min,
            f_max,
            ..FeatureConfig::default()
        })
    }

    /// Builds the bands of these settings.
    pub fn for_features(features: &FeatureConfig) -> Self {
        let FeatureConfig {
            sample_rate,
            n_fft,
            n_mels,
            f_min,
            f_max,
            mel_scale,
            mel_norm,
            ..
        } = *features;
        let bins = n_fft / 2 + 1;
        let bands = mel_scale
            .edges(n_mels, f_min, f_max)
            .windows(3)
            .map(|edge| {
                let height = match mel_norm {
                    MelNorm::Slaney => 2.0 / (edge[2] - edge[0]),
                    MelNorm::None => 1.0,
                };
                let weight = |bin: usize| {
                    let hz = bin as f64 * f64::from(sample_rate) / n_fft as f64;
                    let rise = (hz - edge[0]) / (edge[1] - edge[0]);
                    let fall = (edge[2] - hz) / (edge[2] - edge[1]);
                    rise.min(fall).max(0.0) * height
                };
                let start = (0..bins).find(|&bin| weight(bin) > 0.0).unwrap_or(bins);
                let weights = (start..bins).map(weight).take_while(|&weight| weight > 0.0);
                (start, weights.map(|weight| weight as f32).collect())
            })
            .collect();
        Self { bins, bands }
    }

    /// The weights as a dense matrix, `[n_mels, n_fft / 2 + 1]`.
    pub fn to_dense(&self) -> Array2<f32> {
        let mut dense = Array2::zeros((self.bands.len(), self.bins));
        for (band, (start, weights)) in self.bands.iter().enumerate() {
            for (at, &weight) in weights.iter().enumerate() {
                dense[[band, start + at]] = weight;
            }
        }
        dense
    }

    /// Applies the filters to one frame: `power` has one value per bin, `out` one per band.
    pub(super) fn apply(&self, power: &[f32], out: &mut [f32]) {
        for (value, (start, weights)) in out.iter_mut().zip(&self.bands) {
            *value = dot(&power[*start..*start + weights.len()], weights);
        }
    }
}

/// Computes power mel spectrograms with the settings of a data set.
///
/// ```
/// use shared::dsp::features::FeatureConfig;
/// use shared::dsp::mel::{MelScratch, MelSpectrogram};
///
/// let features = FeatureConfig::default();
/// let mel = MelSpectrogram::new(&features);
/// let samples = [1000i16; 44_100];
/// let mut power = ndarray::Array2::zeros((features.n_mels, mel.frames(samples.len())));
/// mel.power(&samples, &mut MelScratch::default(), power.view_mut());
/// assert_eq!(power.dim(), (128, 44));
/// ```
#[derive(Clone, Debug)]
pub struct MelSpectrogram {
    stft: Stft,
    filters: MelFilterBank,
    n_mels: usize,
}

/// One thread's working memory for [`MelSpectrogram`].
#[derive(Clone, Debug, Default)]
pub struct MelScratch {
    stft: StftScratch,
    power: Vec<f32>,
    block: Vec<f32>,
}

/// Frames that are buffered before they are written row by row: sixteen f32 are one cache line.
const BLOCK: usize = 16;
const _: () = assert!(BLOCK.is_multiple_of(2), "frames are transformed in pairs");

impl MelSpectrogram {
    /// Plans the transform and the filters. `features` must be [valid](FeatureConfig::validate).
    pub fn new(features: &FeatureConfig) -> Self {
        Self {
            stft: Stft::new(features.n_fft, features.hop_length).with_pad_mode(features.pad_mode),
            filters: MelFilterBank::for_features(features),
            n_mels: features.n_mels,
        }
    }

    /// Number of frames of `samples` samples, as in librosa.
    pub fn frames(&self, samples: usize) -> usize {
        self.stft.frames(samples)
    }

    /// Writes the power of the first frames into `out`, `[n_mels, frames]`: as many frames as `out` has columns.
    ///
    /// # Panics
    /// When `out` does not have `n_mels` rows.
    pub fn power<S: Sample>(&self, samples: &[S], scratch: &mut MelScratch, mut out: ArrayViewMut2<'_, f32>) {
        assert_eq!(out.nrows(), self.n_mels, "a row per mel band");
        let bins = self.stft.bins();
        scratch.power.resize(2 * bins, 0.0);
        scratch.block.resize(BLOCK * self.n_mels, 0.0);
        let (first_power, second_power) = scratch.power.split_at_mut(bins);
        let frames = out.ncols();
        for first in (0..frames).step_by(BLOCK) {
            let count = BLOCK.min(frames - first);
            // An unpaired last frame is transformed together with the next one, which is not written.
            for (at, values) in scratch
                .block
                .chunks_exact_mut(2 * self.n_mels)
                .take(count.div_ceil(2))
                .enumerate()
            {
                let frame = first + 2 * at;
                let pair = [frame, frame + 1];
                self.stft
                    .power_pair(samples, pair, &mut scratch.stft, first_power, second_power);
                let (first_values, second_values) = values.split_at_mut(self.n_mels);
                self.filters.apply(first_power, first_values);
                self.filters.apply(second_power, second_values);
            }
            for (band, mut row) in out.rows_mut().into_iter().enumerate() {
                let mut ready = row.slice_mut(s![first..first + count]);
                let values = scratch.block[band..].iter().step_by(self.n_mels);
                ready.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mel_scales_match_librosa() {
        // librosa.hz_to_mel([60, 110, 1000, 4000], htk=...) and back.
        for (scale, mels) in [
            (MelScale::Slaney, [0.9, 1.65, 15.0, 35.163_760]),
            (MelScale::Htk, [92.681_858, 164.489_210, 999.985_537, 2_146.064_528]),
        ] {
            for (hz, mel) in [60.0, 110.0, 1000.0, 4000.0].into_iter().zip(mels) {
                assert!((scale.hz_to_mel(hz) - mel).abs() < 1e-5, "{hz}");
                assert!((scale.mel_to_hz(mel) - hz).abs() < 1e-3, "{mel}");
            }
        }
    }

    #[test]
    fn band_peaks_match_librosa() {
        for (f_min, f_max, expected) in [
            (0.0, 8000.0, [603.275_206, 1_237.397_798, 2_305.169_617, 4_294.340_105]),
            (
                300.0,
                11_025.0,
                [905.474_593, 1_693.724_535, 3_162.433_378, 5_904.729_290],
            ),
        ] {
            let features = FeatureConfig {
                n_mels: 4,
                f_min,
                f_max,
                ..FeatureConfig::default()
            };
            for (found, expected) in band_peaks(&features).into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }

    #[test]
    fn sparse_and_dense_filters_agree() {
        let filters = MelFilterBank::new(44_100, 4096, 128, 0.0, 22_050.0);
        let power: Vec<f32> = (0..2049).map(|bin| (bin as f32 * 0.1).sin().abs()).collect();
        let mut sparse = vec![0.0; 128];
        filters.apply(&power, &mut sparse);
        for (band, row) in filters.to_dense().rows().into_iter().enumerate() {
            let dense: f64 = row.iter().zip(&power).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!(
                (f64::from(sparse[band]) - dense).abs() <= 1e-6 * dense.abs().max(1e-3),
                "{band}"
            );
        }
    }

    #[test]
    fn bands_too_narrow_for_the_fft_are_empty() {
        let filters = MelFilterBank::new(44_100, 64, 30, 0.0, 22_050.0);
        let mut out = vec![1.0; 30];
        filters.apply(&[1.0; 33], &mut out);
        assert!(out.contains(&0.0));
    }

    #[test]
    fn first_frames_match_the_full_spectrogram() {
        let features = FeatureConfig {
            n_fft: 256,
            hop_length: 64,
            n_mels: 10,
            ..FeatureConfig::default()
        };
        let mel = MelSpectrogram::new(&features);
        let samples: Vec<f32> = (0..3000).map(|t| (t as f32 * 0.05).sin()).collect();
        let mut scratch = MelScratch::default();
        let mut full = Array2::zeros((10, mel.frames(3000)));
        mel.power(&samples, &mut scratch, full.view_mut());
        for frames in [0, 1, 15, 16, 17, 40] {
            let mut part = Array2::zeros((10, frames));
            mel.power(&samples, &mut scratch, part.view_mut());
            assert_eq!(part, full.slice(s![.., ..frames]));
        }
    }

    #[test]
    fn no_samples_give_silent_frames() {
        let mel = MelSpectrogram::new(&FeatureConfig::default());
        let mut out = Array2::from_elem((128, 2), 1.0);
        mel.power::<i16>(&[], &mut MelScratch::default(), out.view_mut());
        assert_eq!(out, Array2::<f32>::zeros((128, 2)));
    }
}
