//! Mel spectrograms: a mel filter bank over power spectra, as `librosa.feature.melspectrogram`.
//!
//! Minimum cost per frame at n_fft 4096 and 128 bands: reading 4096 samples, half a complex FFT (5/2 · 4096 · 12 =
//! 123,000 floating point operations), 2049 squared magnitudes, 3,900 multiplications by filter weights, 128 values
//! written. The FFT is half of the measured time: the filters are sparse, and values are written one cache line at a
//! time.

use super::frame_pair::{self, Group, sum};
use super::stft::{Sample, Stft, StftScratch};
use crate::dsp::features::{FeatureConfig, MelNorm, MelScale};
use ndarray::{Array2, ArrayViewMut2};
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;

/// Triangular filters on a mel scale: `librosa.filters.mel`.
#[derive(Clone, Debug)]
pub struct MelFilterBank {
    bins: usize,
    bands: Vec<Band>,
    /// The weights of all bands, one band after another.
    weights: Vec<Group>,
}

/// One filter: its non-zero weights, and zeros to fill the first and the last group.
#[derive(Clone, Debug)]
struct Band {
    /// Group of the spectrum that the first weights belong to.
    first: usize,
    weights: Range<usize>,
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
        let (mut bands, mut weights) = (Vec::with_capacity(n_mels), Vec::<Group>::new());
        for edge in mel_scale.edges(n_mels, f_min, f_max).windows(3) {
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
            let end = (start..bins).find(|&bin| weight(bin) <= 0.0).unwrap_or(bins);
            let groups = start / frame_pair::BINS..end.div_ceil(frame_pair::BINS);
            let begin = weights.len();
            weights.extend(groups.clone().map(|group| -> Group {
                std::array::from_fn(|lane| match group * frame_pair::BINS + lane / 2 {
                    bin if (start..end).contains(&bin) => weight(bin) as f32,
                    _ => 0.0,
                })
            }));
            bands.push(Band {
                first: groups.start,
                weights: begin..weights.len(),
            });
        }
        Self { bins, bands, weights }
    }

    /// The weights as a dense matrix, `[n_mels, n_fft / 2 + 1]`.
    pub fn to_dense(&self) -> Array2<f32> {
        let mut dense = Array2::zeros((self.bands.len(), self.bins));
        for (mut row, band) in dense.rows_mut().into_iter().zip(&self.bands) {
            let weights = self.weights[band.weights.clone()].as_flattened().iter().step_by(2);
            for (bin, &weight) in (band.first * frame_pair::BINS..self.bins).zip(weights) {
                row[bin] = weight;
            }
        }
        dense
    }

    /// Applies the filters to two frames. Writes a group per band, whose [`sum`] is the power of both frames; `out` has
    /// the groups of all bands.
    ///
    /// The caller adds them up: if the compiler sees that, it splits the groups into smaller vectors.
    pub(super) fn apply<'a>(&self, power: &[Group], out: impl Iterator<Item = &'a mut Group>) {
        Arch::new().dispatch(Filtering {
            filters: self,
            power,
            out,
        });
    }
}

struct Filtering<'a, I> {
    filters: &'a MelFilterBank,
    power: &'a [Group],
    out: I,
}

impl<'o, I: Iterator<Item = &'o mut Group>> WithSimd for Filtering<'_, I> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (out, band) in self.out.zip(&self.filters.bands) {
            let weights = &self.filters.weights[band.weights.clone()];
            let mut lanes = Group::default();
            for (power, weights) in self.power[band.first..].iter().zip(weights) {
                for lane in 0..frame_pair::LANES {
                    lanes[lane] += power[lane] * weights[lane];
                }
            }
            *out = lanes;
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
    power: Vec<Group>,
    /// Per band, a group for each two frames.
    block: Vec<[Group; BLOCK / 2]>,
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
        scratch
            .power
            .resize(frame_pair::groups(self.stft.n_fft()), Group::default());
        scratch.block.resize(self.n_mels, Default::default());
        let frames = out.ncols();
        for first in (0..frames).step_by(BLOCK) {
            // An unpaired last frame is transformed together with the next one, which is not written.
            for frame in (first..frames.min(first + BLOCK)).step_by(2) {
                self.stft
                    .power_pair(samples, [frame, frame + 1], &mut scratch.stft, &mut scratch.power);
                let groups = scratch.block.iter_mut().map(|band| &mut band[(frame - first) / 2]);
                self.filters.apply(&scratch.power, groups);
            }
            let count = BLOCK.min(frames - first);
            for (mut row, band) in out.rows_mut().into_iter().zip(&scratch.block) {
                let values = band.map(sum);
                let values = &values.as_flattened()[..count];
                match row.as_slice_mut() {
                    Some(row) => row[first..first + count].copy_from_slice(values),
                    None => (first..).zip(values).for_each(|(frame, value)| row[frame] = *value),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::s;

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
        // The second frame is twice as loud.
        let mut groups = vec![Group::default(); frame_pair::groups(4096)];
        for (at, value) in groups.as_flattened_mut().iter_mut().enumerate().take(2 * 2049) {
            *value = power[at / 2] * (1 + at % 2) as f32;
        }
        let mut sparse = vec![Group::default(); 128];
        filters.apply(&groups, sparse.iter_mut());
        for (band, row) in filters.to_dense().rows().into_iter().enumerate() {
            let dense: f64 = row.iter().zip(&power).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            for (found, dense) in sum(sparse[band]).into_iter().zip([dense, 2.0 * dense]) {
                assert!(
                    (f64::from(found) - dense).abs() <= 1e-6 * dense.abs().max(1e-3),
                    "{band}"
                );
            }
        }
    }

    #[test]
    fn bands_too_narrow_for_the_fft_are_empty() {
        let filters = MelFilterBank::new(44_100, 64, 30, 0.0, 22_050.0);
        let mut out = vec![[1.0; frame_pair::LANES]; 30];
        filters.apply(&[[1.0; frame_pair::LANES]; 12], out.iter_mut());
        assert!(out.iter().any(|&band| sum(band) == [0.0; 2]));
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
