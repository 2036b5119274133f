//! Power spectral density over time, as `scipy.signal.spectrogram` with its defaults.
//!
//! Frames have 256 samples and overlap by 32. Each frame has its mean subtracted, is weighted by a Tukey window of
//! shape 0.25 and transformed; nothing is padded. Densities per Hz are one-sided: the frequencies between 0 Hz and the
//! Nyquist frequency include the power of their mirror images.
//!
//! Minimum cost per frame: reading 256 samples, half a complex FFT (5/2 · 256 · 8 = 5,100 floating point operations),
//! 129 squared magnitudes and writing 129 values. Values are written one cache line at a time.

use super::window::tukey;
use ndarray::{ArrayViewMut2, s};
use realfft::{RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex;
use std::sync::Arc;

/// Samples per frame: scipy's `nperseg`.
pub const N_PER_SEGMENT: usize = 256;
/// Samples that a frame shares with the next: scipy's `noverlap`, an eighth.
pub const N_OVERLAP: usize = N_PER_SEGMENT / 8;
/// Frequency bins per frame.
pub const PSD_BINS: usize = N_PER_SEGMENT / 2 + 1;

const HOP: usize = N_PER_SEGMENT - N_OVERLAP;
/// Fraction of the window that rises or falls.
const TUKEY_ALPHA: f64 = 0.25;
/// Frames that are buffered before they are written row by row: sixteen f32 are one cache line.
const BLOCK: usize = 16;

/// A planned spectrogram.
#[derive(Clone)]
pub struct PsdSpectrogram {
    window: Vec<f32>,
    /// One over the product of the sample rate and the window's energy.
    scale: f32,
    forward: Arc<dyn RealToComplex<f32>>,
}

/// One thread's working memory for [`PsdSpectrogram`].
#[derive(Clone, Debug, Default)]
pub struct PsdScratch {
    windowed: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    fft: Vec<Complex<f32>>,
    block: Vec<f32>,
}

impl std::fmt::Debug for PsdSpectrogram {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PsdSpectrogram")
            .field("scale", &self.scale)
            .finish_non_exhaustive()
    }
}

impl PsdSpectrogram {
    /// Plans the computation for samples at `sample_rate` Hz.
    ///
    /// # Panics
    /// When the rate is zero.
    pub fn new(sample_rate: u32) -> Self {
        assert!(sample_rate > 0, "the sample rate must be above 0 Hz");
        let window = tukey(N_PER_SEGMENT, TUKEY_ALPHA);
        let energy: f64 = window.iter().map(|&weight| f64::from(weight).powi(2)).sum();
        Self {
            scale: (1.0 / (f64::from(sample_rate) * energy)) as f32,
            window,
            forward: RealFftPlanner::new().plan_fft_forward(N_PER_SEGMENT),
        }
    }

    /// Number of whole frames in `samples` samples: `(samples − 32) / 224`.
    pub fn frames(&self, samples: usize) -> usize {
        samples.saturating_sub(N_OVERLAP) / HOP
    }

    /// Writes the densities of the first frames, in squared units of `samples` per Hz, into `out`, `[129, frames]`: as
    /// many frames as `out` has columns.
    ///
    /// # Panics
    /// When `out` does not have 129 rows, or has more columns than [`frames`](Self::frames) counts.
    pub fn power(&self, samples: &[f32], scratch: &mut PsdScratch, mut out: ArrayViewMut2<'_, f32>) {
        assert_eq!(out.nrows(), PSD_BINS, "a row per frequency");
        let frames = out.ncols();
        assert!(frames <= self.frames(samples.len()), "no more columns than frames");
        scratch.fit(self.forward.get_scratch_len());
        for first in (0..frames).step_by(BLOCK) {
            let count = BLOCK.min(frames - first);
            for at in 0..count {
                let segment = &samples[(first + at) * HOP..][..N_PER_SEGMENT];
                self.frame(segment, scratch, at);
            }
            for (bin, mut row) in out.rows_mut().into_iter().enumerate() {
                let mut ready = row.slice_mut(s![first..first + count]);
                let values = scratch.block[bin..].iter().step_by(PSD_BINS);
                ready.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
            }
        }
    }

    /// Writes one frame's densities at position `at` of the block.
    fn frame(&self, segment: &[f32], scratch: &mut PsdScratch, at: usize) {
        let mean = mean(segment);
        for ((value, sample), weight) in scratch.windowed.iter_mut().zip(segment).zip(&self.window) {
            *value = (sample - mean) * weight;
        }
        self.forward
            .process_with_scratch(&mut scratch.windowed, &mut scratch.spectrum, &mut scratch.fft)
            .expect("all three slices have the planned lengths");
        let densities = &mut scratch.block[at * PSD_BINS..][..PSD_BINS];
        for (density, bin) in densities.iter_mut().zip(&scratch.spectrum) {
            *density = bin.norm_sqr() * (2.0 * self.scale);
        }
        // 0 Hz and the Nyquist frequency have no mirror images.
        densities[0] *= 0.5;
        densities[PSD_BINS - 1] *= 0.5;
    }
}

/// The mean of a frame, summed in eight lanes so the compiler can vectorize it.
fn mean(segment: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    for chunk in segment.chunks_exact(lanes.len()) {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += value);
    }
    lanes.iter().sum::<f32>() / N_PER_SEGMENT as f32
}
const _: () = assert!(N_PER_SEGMENT.is_multiple_of(8), "a frame is a whole number of lanes");

/// Clips densities at `maximum` and divides by it, so they are in [0, 1]: `min(x, maximum) / maximum`.
pub fn clamp_to_unit(mut densities: ArrayViewMut2<'_, f32>, maximum: f32) {
    densities.mapv_inplace(|value| value.min(maximum) / maximum);
}

impl PsdScratch {
    fn fit(&mut self, fft: usize) {
        self.windowed.resize(N_PER_SEGMENT, 0.0);
        self.spectrum.resize(PSD_BINS, Complex::default());
        self.fft.resize(fft, Complex::default());
        self.block.resize(BLOCK * PSD_BINS, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use std::f64::consts::{PI, TAU};

    /// The definition in f64: a direct DFT.
    fn naive(samples: &[f32], sample_rate: u32) -> Vec<[f64; PSD_BINS]> {
        let window = |t: usize| match t {
            0..32 => 0.5 * (1.0 + (PI * (t as f64 / 32.0 - 1.0)).cos()),
            32..=224 => 1.0,
            _ => 0.5 * (1.0 + (PI * (t as f64 / 32.0 - 7.0)).cos()),
        };
        let energy: f64 = (0..256).map(|t| window(t).powi(2)).sum();
        let mut frames = Vec::new();
        let mut begin = 0;
        while begin + 256 <= samples.len() {
            let segment: Vec<f64> = samples[begin..begin + 256].iter().map(|&x| f64::from(x)).collect();
            let mean = segment.iter().sum::<f64>() / 256.0;
            frames.push(std::array::from_fn(|bin| {
                let spectrum: Complex<f64> = (0..256)
                    .map(|t| Complex::from_polar((segment[t] - mean) * window(t), -TAU * (bin * t) as f64 / 256.0))
                    .sum();
                let sides = if bin == 0 || bin == 128 { 1.0 } else { 2.0 };
                sides * spectrum.norm_sqr() / (f64::from(sample_rate) * energy)
            }));
            begin += 224;
        }
        frames
    }

    #[test]
    fn every_frame_matches_the_definition_at_every_length_and_rate() {
        // Relative to the largest density of a frame: an f32 FFT compared with an f64 sum.
        const TOLERANCE: f64 = 1e-6;
        let mut scratch = PsdScratch::default();
        for (length, rate) in [
            (0, 8000),
            (31, 8000),
            (32, 8000),
            (255, 8000),
            (256, 16_000),
            (479, 16_000),
            (480, 44_100),
            (2241, 11_025),
            (4321, 1),
        ] {
            let samples: Vec<f32> = (0..length)
                .map(|t| ((t * t) as f32 * 0.37).sin() * 100.0 + 7.0)
                .collect();
            let (psd, truth) = (PsdSpectrogram::new(rate), naive(&samples, rate));
            assert_eq!(psd.frames(length), truth.len(), "{length}");
            let mut ours = Array2::from_elem((PSD_BINS, truth.len()), f32::NAN);
            psd.power(&samples, &mut scratch, ours.view_mut());
            for (ours, truth) in ours.columns().into_iter().zip(&truth) {
                let top = truth.iter().copied().fold(0.0, f64::max);
                for (bin, (ours, truth)) in ours.iter().zip(truth).enumerate() {
                    assert!((f64::from(*ours) - truth).abs() <= TOLERANCE * top, "{length}, {bin}");
                }
            }
        }
    }

    #[test]
    fn density_of_a_tone_sums_to_its_power() {
        // A tone at the centre of a bin: its density times the width of a bin is its power, 1/2, at any sample rate.
        for rate in [8000, 16_000, 44_100] {
            let samples: Vec<f32> = (0..256)
                .map(|t| (TAU * 20.0 * f64::from(t) / 256.0).sin() as f32)
                .collect();
            let mut out = Array2::zeros((PSD_BINS, 1));
            PsdSpectrogram::new(rate).power(&samples, &mut PsdScratch::default(), out.view_mut());
            let power = out.sum() * rate as f32 / 256.0;
            assert!((power - 0.5).abs() < 0.01, "{power} at {rate} Hz");
        }
    }

    #[test]
    fn clip_of_the_paper_has_2080_frames() {
        assert_eq!(PsdSpectrogram::new(16_000).frames(465_984), 2080);
    }

    #[test]
    fn densities_are_clipped_and_scaled() {
        let mut densities = ndarray::arr2(&[[0.0, 256.0], [512.0, 1e9]]);
        clamp_to_unit(densities.view_mut(), 512.0);
        assert_eq!(densities, ndarray::arr2(&[[0.0, 0.5], [1.0, 1.0]]));
    }
}
