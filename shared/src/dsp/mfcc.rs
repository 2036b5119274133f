//! Mel-frequency cepstral coefficients, as `librosa.feature.mfcc` with its defaults: the first twenty of the
//! orthonormal DCT-II over 128 mel bands in dB.

use super::decibel::{Reference, power_to_db};
use super::frame_pair::{Group, sum};
use super::mel::MelFilterBank;
use ndarray::ArrayViewMut2;
use pulp::{Arch, Simd, WithSimd};
use std::f64::consts::PI;

/// Number of coefficients (librosa's `n_mfcc`).
pub const N_MFCC: usize = 20;
/// Number of mel bands (librosa's `n_mels`), from 0 Hz to half the sample rate.
pub const N_MELS: usize = 128;
/// Dynamic range in dB below the loudest band of the whole signal (librosa's `top_db`).
pub const TOP_DB: f32 = 80.0;

/// The [`N_MELS`] bands of two frames.
pub type Bands = [[f32; 2]; N_MELS];

/// Lanes of the sums: the coefficients, and zeros to fill the vector registers.
const LANES: usize = 32;
const _: () = assert!(N_MFCC <= LANES, "a lane per coefficient");

/// A planned computation: mel filters and DCT basis.
#[derive(Clone, Debug)]
pub struct Mfcc {
    filters: MelFilterBank,
    /// Per band, its factor in each coefficient.
    basis: Vec<[f32; LANES]>,
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
            basis: (0..N_MELS)
                .map(|band| std::array::from_fn(|lane| if lane < N_MFCC { basis(lane, band) } else { 0.0 }))
                .collect(),
        }
    }

    /// Writes the power of two frames in each band. `power` has both frames' power in each bin.
    pub fn bands(&self, power: &[Group], bands: &mut Bands) {
        let mut groups = [Group::default(); N_MELS];
        self.filters.apply(power, groups.iter_mut());
        *bands = groups.map(sum);
    }

    /// Writes the coefficients of all frames of a signal into `out`, `[20, frames]`. `pairs` has the
    /// [`bands`](Self::bands) of each two frames, and zeros in place of a last second frame. They are converted to dB
    /// in place and clipped at [`TOP_DB`] below the loudest of all.
    ///
    /// # Panics
    /// When `out` does not have 20 rows, or `pairs` does not have all frames.
    pub fn coefficients(&self, pairs: &mut [Bands], mut out: ArrayViewMut2<'_, f32>) {
        assert_eq!(out.nrows(), N_MFCC, "a row per coefficient");
        assert_eq!(pairs.len(), out.ncols().div_ceil(2), "bands of each two frames");
        let decibels = pairs.as_flattened_mut().as_flattened_mut();
        power_to_db(decibels, Reference::Value(1.0), Some(TOP_DB));
        for (frame, mut column) in out.columns_mut().into_iter().enumerate() {
            let sums = Arch::new().dispatch(Products {
                bands: &pairs[frame / 2],
                frame: frame % 2,
                basis: &self.basis,
            });
            column.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum);
        }
    }
}

/// The sums over the bands of a frame, times their factors.
struct Products<'a> {
    bands: &'a Bands,
    /// The first or the second frame.
    frame: usize,
    basis: &'a [[f32; LANES]],
}

impl WithSimd for Products<'_> {
    type Output = [f32; LANES];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let mut lanes = [0.0; LANES];
        for (band, factors) in self.bands.iter().zip(self.basis) {
            for lane in 0..LANES {
                lanes[lane] += band[self.frame] * factors[lane];
            }
        }
        lanes
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
            let mut pairs = vec![[[0.0; 2]; N_MELS]; frames.div_ceil(2)];
            for (at, &power) in bands.iter().enumerate() {
                let (frame, band) = (at / N_MELS, at % N_MELS);
                pairs[frame / 2][band][frame % 2] = power;
            }
            mfcc.coefficients(&mut pairs, ours.view_mut());
            for (ours, truth) in ours.columns().into_iter().zip(naive(&bands)) {
                for (k, (ours, truth)) in ours.iter().zip(truth).enumerate() {
                    assert!((f64::from(*ours) - truth).abs() < TOLERANCE, "{k}: {ours} {truth}");
                }
            }
        }
    }
}
