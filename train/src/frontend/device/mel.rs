//! Mel spectrograms in normalized decibels, on the device.
//!
//! The filter bank is the front end's only matrix product. If a GPU computes it in TF32, powers and weights each have a
//! relative error of at most 2^-11. All are positive, so a band is off by at most 0.0043 dB.

use super::spectrum::Spectrum;
use burn::tensor::{Device, Tensor, TensorData};
use shared::dataset::statistics::Normalization;
use shared::dsp::decibel::DecibelScale;
use shared::dsp::features::{DbReference, FeatureConfig, PadMode};
use shared::dsp::mel::MelFilterBank;
use std::f64::consts::LN_10;

/// The mel filter bank and the split's normalization.
#[derive(Debug)]
pub(super) struct MelDecibels {
    spectrum: Spectrum,
    n_fft: usize,
    hop_length: usize,
    pad_mode: PadMode,
    scale_db: DecibelScale,
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
            n_fft,
            hop_length,
            n_mels,
            pad_mode,
            ..
        } = *features;
        let filters = MelFilterBank::for_features(features).to_dense();
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
            pad_mode,
            scale_db: features.decibel_scale(),
            filters: Tensor::from_data(TensorData::new(transposed, [n_fft / 2, n_mels]), device),
            mean: per_band(normalization.mel_mean.iter().map(|&mean| mean as f32).collect()),
            scale: per_band(normalization.mel_std.iter().map(|&std| (1.0 / std) as f32).collect()),
        }
    }

    /// Power in each band of the first `frames` frames of each row of `samples`, `[rows, length]` to `[rows, frames,
    /// n_mels]`.
    pub(super) fn power(&self, samples: Tensor<2>, frames: usize) -> Tensor<3> {
        let rows = samples.dims()[0];
        let lead = self.n_fft / 2;
        let framed = (self.spectrum).frames(samples, lead, self.hop_length, frames, self.pad_mode);
        let (real, imaginary) = self.spectrum.forward(framed);
        let power = (real.square() + imaginary.square()).narrow(1, 0, self.n_fft / 2);
        let mel = power.matmul(self.filters.clone());
        let n_mels = mel.dims()[1];
        mel.reshape([rows, frames, n_mels])
    }

    /// Powers in dB, as [`DecibelScale`] does it for each row.
    pub(super) fn decibels(&self, power: Tensor<3>) -> Tensor<3> {
        let [rows, frames, n_mels] = power.dims();
        let scale = self.scale_db;
        let factor = f64::from(scale.multiplier) / LN_10;
        let ln = power.clamp_min(scale.amin()).log();
        let largest = |values: &Tensor<3>| {
            let rows_of_values = values.clone().reshape([rows, frames * n_mels]);
            rows_of_values.max_dim(1).reshape([rows, 1, 1])
        };
        match (scale.reference, scale.top_db) {
            (DbReference::Max, top_db) => {
                let maximum = largest(&ln);
                let decibels = (ln - maximum).mul_scalar(factor);
                match top_db {
                    Some(top_db) => decibels.clamp_min(-top_db),
                    None => decibels,
                }
            }
            (DbReference::One, None) => ln.mul_scalar(factor),
            (DbReference::One, Some(top_db)) => {
                let decibels = ln.mul_scalar(factor);
                let floor = largest(&decibels).sub_scalar(top_db);
                decibels.max_pair(floor.expand([rows, frames, n_mels]))
            }
        }
    }

    /// Model input, `[rows, 1, n_mels, frames]`.
    pub(super) fn normalized(&self, samples: Tensor<2>, frames: usize) -> Tensor<4> {
        let decibels = self.decibels(self.power(samples, frames));
        let normalized = (decibels - self.mean.clone()) * self.scale.clone();
        normalized.swap_dims(1, 2).unsqueeze_dim(1)
    }
}
