//! Mel spectrograms in normalized decibels, on the device.
//!
//! The filter bank is the front end's only matrix product. If a GPU computes it in TF32, powers and weights each have a
//! relative error of at most 2^-11. All are positive, so a band is off by at most 0.0043 dB.

use super::spectrum::Spectrum;
use burn::tensor::{Device, Tensor, TensorData};
use shared::dataset::statistics::Normalization;
use shared::dsp::decibel::AMIN;
use shared::dsp::features::FeatureConfig;
use shared::dsp::mel::MelFilterBank;
use std::f64::consts::LN_10;

/// The mel filter bank and the split's normalization.
#[derive(Debug)]
pub(super) struct MelDecibels {
    spectrum: Spectrum,
    n_fft: usize,
    hop_length: usize,
    top_db: f32,
    /// `[n_fft / 2, n_mels]`, without the Nyquist frequency. Its weight is zero, because the last band ends there at
    /// the latest. Rows of 2049 values would also prevent vectorised loads in the matrix product.
    filters: Tensor<2>,
    /// `[1, 1, n_mels]`.
    mean: Tensor<3>,
    /// One over the standard deviation, `[1, 1, n_mels]`.
    scale: Tensor<3>,
}

impl MelDecibels {
    pub(super) fn new(features: &FeatureConfig, normalization: &Normalization, device: &Device) -> Self {
        let FeatureConfig {
            sample_rate,
            n_fft,
            hop_length,
            n_mels,
            f_min,
            f_max,
            top_db,
            ..
        } = *features;
        let filters = MelFilterBank::new(sample_rate, n_fft, n_mels, f_min, f_max).to_dense();
        let transposed: Vec<f32> = filters
            .columns()
            .into_iter()
            .take(n_fft / 2)
            .flatten()
            .copied()
            .collect();
        let per_band = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [1, 1, n_mels]), device);
        Self {
            spectrum: Spectrum::new(n_fft, device),
            n_fft,
            hop_length,
            top_db,
            filters: Tensor::from_data(TensorData::new(transposed, [n_fft / 2, n_mels]), device),
            mean: per_band(normalization.mel_mean.iter().map(|&mean| mean as f32).collect()),
            scale: per_band(normalization.mel_std.iter().map(|&std| (1.0 / std) as f32).collect()),
        }
    }

    /// Power in each band of the first `frames` frames of each row of `samples`, `[rows, length]` to `[rows, frames,
    /// n_mels]`.
    pub(super) fn power(&self, samples: Tensor<2>, frames: usize) -> Tensor<3> {
        let rows = samples.dims()[0];
        let framed = self.spectrum.frames(samples, self.n_fft / 2, self.hop_length, frames);
        let (real, imaginary) = self.spectrum.forward(framed);
        let power = (real.square() + imaginary.square()).narrow(1, 0, self.n_fft / 2);
        let mel = power.matmul(self.filters.clone());
        let n_mels = mel.dims()[1];
        mel.reshape([rows, frames, n_mels])
    }

    /// Powers in dB relative to each row's maximum, clipped at `-top_db`.
    pub(super) fn decibels(&self, power: Tensor<3>) -> Tensor<3> {
        let [rows, frames, n_mels] = power.dims();
        let ln = power.clamp_min(AMIN).log();
        let largest = ln
            .clone()
            .reshape([rows, frames * n_mels])
            .max_dim(1)
            .reshape([rows, 1, 1]);
        (ln - largest).mul_scalar(10.0 / LN_10).clamp_min(-self.top_db)
    }

    /// Model input, `[rows, 1, n_mels, frames]`.
    pub(super) fn normalized(&self, samples: Tensor<2>, frames: usize) -> Tensor<4> {
        let decibels = self.decibels(self.power(samples, frames));
        let normalized = (decibels - self.mean.clone()) * self.scale.clone();
        normalized.swap_dims(1, 2).unsqueeze_dim(1)
    }
}
