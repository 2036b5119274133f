//! Mel-frequency cepstral coefficients, as `librosa.feature.mfcc` with its defaults: the first twenty of the
//! orthonormal DCT-II over 128 mel bands in dB.

use super::decibel::{Reference, power_to_db};
use super::dot::dot;
use super::mel::MelFilterBank;
use ndarray::ArrayViewMut2;
use std::f64::consts::PI;

/// Number of coefficients (librosa's `n_mfcc`).
pub const N_MFCC: usize = 20;
/// Number of mel bands (librosa's `n_mels`), from 0 Hz to half the sample rate.
pub const N_MELS: usize = 128;
/// Dynamic range in dB below the loudest band of the whole signal (librosa's `top_db`).
pub const TOP_DB: f32 = 80.0;

/// A planned computation: mel filters and DCT basis.
#[derive(Clone, Debug)]
pub struct Mfcc {
    filters: MelFilterBank,
    /// [`N_MFCC`] rows of [`N_MELS`] values.
    basis: Vec<f32>,
}

impl Mfcc {
    /// Plans the computation for power spectra of an FFT of `n_fft` samples at `sample_rate` Hz.
    pub fn new(sample_rate: u32, n_fft: usize) -> Self {
        let basis = |coefficient: usize, band: usize| {
            let scale = if coefficient == 0 { 1.0 } else { 2.0 } / N_MELS as f64;
            let phase = PI * coefficient as f64 * (2 * band + 1) as f64 / (2 * N_MELS) as f64;
            (scale.sqrt() * phase.cos()) as f32
        };
        Self {
            filters: MelFilterBank::new(sample_rate, n_fft, N_MELS, 0.0, sample_rate as f32 / 2.0),
            basis: (0..N_MFCC * N_MELS).map(|at| basis(at / N_MELS, at % N_MELS)).collect(),
        }
    }

    /// Writes one frame's power in [`N_MELS`] bands into `bands`. `power` has one value per bin.
    pub fn bands(&self, power: &[f32], bands: &mut [f32]) {
        self.filters.apply(power, bands);
    }

    /// Writes the coefficients of all frames of a signal into `out`, `[20, frames]`. `bands` has the
    /// [`bands`](Self::bands) of all frames, one frame after another. They are converted to dB in place and clipped at
    /// [`TOP_DB`] below the loudest of all.
    ///
    /// # Panics
    /// When `out` does not have 20 rows, or `bands` does not have 128 values per frame.
    pub fn coefficients(&self, bands: &mut [f32], mut out: ArrayViewMut2<'_, f32>) {
        assert_eq!(out.nrows(), N_MFCC, "a row per coefficient");
        assert_eq!(bands.len(), N_MELS * out.ncols(), "128 bands per frame");
        power_to_db(bands, Reference::Value(1.0), Some(TOP_DB));
        for (mut column, decibels) in out.columns_mut().into_iter().zip(bands.chunks_exact(N_MELS)) {
            for (value, basis) in column.iter_mut().zip(self.basis.chunks_exact(N_MELS)) {
                *value = dot(decibels, basis);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// The definition in f64, starting from the power of the bands.
    fn naive(bands: &[f32]) -> Vec<[f64; N_MFCC]> {
        let decibels: Vec<f64> = bands
            .iter()
            .map(|&power| 10.0 * f64::from(power).max(1e-10).log10())
            .collect();
        let floor = decibels.iter().copied().fold(f64::MIN, f64::max) - 80.0;
        let dct = |frame: &[f64], k: usize| -> f64 {
            let sum: f64 = frame
                .iter()
                .enumerate()
                .map(|(n, value)| value.max(floor) * (PI * k as f64 * (n as f64 + 0.5) / 128.0).cos())
                .sum();
            2.0 * sum
                * if k == 0 {
                    (1.0f64 / 512.0).sqrt()
                } else {
                    (1.0f64 / 256.0).sqrt()
                }
        };
        decibels
            .chunks_exact(128)
            .map(|frame| std::array::from_fn(|k| dct(frame, k)))
            .collect()
    }

    #[test]
    fn coefficients_match_the_definition_for_any_number_of_frames() {
        // For sums of 128 values of up to 140 dB, each exact to 5e-5.
        const TOLERANCE: f64 = 1e-3;
        let mfcc = Mfcc::new(44_100, 2048);
        for frames in [0, 1, 2, 7] {
            // From silence to 40 dB, so `TOP_DB` clips some bands.
            let power = |at: usize| ((at * at % 97) as f32 / 97.0).powi(12) * 1e4;
            let bands: Vec<f32> = (0..frames * N_MELS).map(power).collect();
            let mut ours = Array2::from_elem((N_MFCC, frames), f32::NAN);
            mfcc.coefficients(&mut bands.clone(), ours.view_mut());
            for (ours, truth) in ours.columns().into_iter().zip(naive(&bands)) {
                for (k, (ours, truth)) in ours.iter().zip(truth).enumerate() {
                    assert!((f64::from(*ours) - truth).abs() < TOLERANCE, "{k}: {ours} {truth}");
                }
            }
        }
    }
}
