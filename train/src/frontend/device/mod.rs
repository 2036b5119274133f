//! The front end on the device: turns a batch of i16 samples into normalized model input, without copies back to the
//! host.
//!
//! It does what [`HostFrontEnd`](super::HostFrontEnd) does, for a whole batch at once. Two things differ. First, it
//! computes the mel spectrogram of a clip with unchanged samples, while the host cuts it out of the stored one. The
//! clip's first and last two frames then see zeros instead of the neighbouring samples. With reflect padding, both
//! compute it. Second, noise comes from another generator, so the same plan gives different noise of the same level.
//!
//! Minimal cost per clip of 2^19 samples, f32 unless stated, if each value is read and written once per stage:
//!
//! | stage | memory | operations |
//! |---|---|---|
//! | upload | 1.3 MB of i16 (655,360 samples, for the fastest rate) | |
//! | noise | 2 × 2.6 MB | 100 per sample: 66 M |
//! | vocoder: frames and FFT (1,283 × 2048) | 2.6 MB in, 10.5 MB out | 5/2 n log n: 72 M |
//! | vocoder: angles, sums, sines (1,056 × 1025) | 8 × 4.3 MB | 60 per bin: 65 M |
//! | vocoder: inverse FFT, overlap-add | 8.7 MB in, 8.7 MB of frames, 2.1 MB out | 63 M |
//! | mel: frames and FFT (512 × 4096) | 2.1 MB in, 8.4 MB out | 63 M |
//! | mel: power and filters (2048 × 128) | 8.4 MB in, 0.3 MB out | 270 M in the dense product |
//! | decibels, normalization | 3 × 0.3 MB, 2 × 2.1 MB | 10 per value: 1 M |
//!
//! That is 100 MB and 0.6 G operations for a clip with all augmentations. A batch of 32 clips needs 3.2 GB and 19 G,
//! which is 0.7 ms at an H200's 4.8 TB/s. The real cost is higher: each elementwise operation is a kernel that passes
//! through memory, and the noise has ninety (0.5 GB per clip); frames are written to memory before the FFT,
//! `burn-signal`'s FFT on a GPU is complex with zero imaginary parts and computes a sine and a cosine in each
//! butterfly, and gather, `cumsum` and padding are separate kernels.

mod masks;
mod mel;
mod noise;
mod spectrum;
mod stretch;

use super::normalize::Normalize;
use crate::augment::{Augment, ClipPlan};
use crate::models::{InputKind, ModelInput, SpectrogramKind, WaveformKind};
use burn::tensor::{Bytes, DType, Device, FloatDType, Int, Tensor, TensorData};
use masks::mask_spectrograms;
use mel::MelDecibels;
use noise::{noise_key, standard_normal};
use shared::dataset::statistics::Normalization;
use shared::dsp::PCM_FULL_SCALE;
use shared::dsp::features::{FeatureConfig, PadMode};
use stretch::{DeviceStretch, MAX_CLIP_SAMPLES, Speed};

/// The device's front end. Built once per run; holds windows and filters on the device.
#[derive(Debug)]
pub struct DeviceFrontEnd {
    input: InputKind,
    clip_samples: usize,
    clip_frames: usize,
    mel: MelDecibels,
    stretch: DeviceStretch,
    waveform_mean: f64,
    waveform_scale: f64,
    device: Device,
}

/// Settings that the device's front end does not support.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnsupportedFeatures {
    /// The FFT on the device needs a power of two.
    #[error("n_fft {0} is not a power of two, which the device's FFT needs; use --front-end host")]
    FftLength(usize),
    /// The model's input or the augmentations are not supported.
    #[error(
        "the front end on the device supports only waveforms and mel spectrograms, without pitch shift and background \
         sounds; use --front-end host"
    )]
    Input,
    /// Burn reflects no more samples than a row has.
    #[error("clips of {0} samples are too short for reflect padding on the device; use --front-end host")]
    Reflection(usize),
    /// The phase vocoder's sums would overflow.
    #[error("clips of {0} samples are too long for the device's phase vocoder; use --front-end host")]
    ClipLength(usize),
}

impl DeviceFrontEnd {
    /// `normalization` has the statistics of the split's training set and how they are used; min-max normalization is
    /// not supported. `device` may have autodiff: the front end computes without it, and its results are constants on
    /// `device`.
    pub fn new(
        input: InputKind,
        features: &FeatureConfig,
        (normalize, normalization): (Normalize, &Normalization),
        device: &Device,
    ) -> Result<Self, UnsupportedFeatures> {
        if !Self::supports(Augment::NONE, input) || normalize == Normalize::MinMax {
            return Err(UnsupportedFeatures::Input);
        }
        if !features.n_fft.is_power_of_two() {
            return Err(UnsupportedFeatures::FftLength(features.n_fft));
        }
        if features.clip_samples > MAX_CLIP_SAMPLES {
            return Err(UnsupportedFeatures::ClipLength(features.clip_samples));
        }
        if features.pad_mode == PadMode::Reflect && features.clip_samples <= features.n_fft / 2 {
            return Err(UnsupportedFeatures::Reflection(features.clip_samples));
        }
        let plain = device.clone().without_autodiff();
        let normalization = &effective(normalize, normalization);
        Ok(Self {
            input,
            clip_samples: features.clip_samples,
            clip_frames: features.clip_frames(),
            mel: MelDecibels::new(features, normalization, &plain),
            stretch: DeviceStretch::new(features.clip_samples, &plain),
            waveform_mean: normalization.waveform_mean,
            waveform_scale: 1.0 / normalization.waveform_std,
            device: device.clone(),
        })
    }

    /// Whether the device can compute this input with these augmentations.
    pub fn supports(augment: Augment, input: InputKind) -> bool {
        let augmentations = Augment {
            noise: false,
            stretch: false,
            gain: false,
            polarity: false,
            spec_augment: false,
            ..augment
        };
        let waveform = input.waveform.is_none_or(|kind| kind == WaveformKind::Normalized);
        let spectrogram = input.spectrogram.is_none_or(|kind| kind == SpectrogramKind::Mel);
        augmentations == Augment::NONE && waveform && spectrogram && !input.statistics
    }

    /// Computes a batch. `pcm` holds `[batch, samples]` 16-bit samples: for each plan those of its track from `plan.hop`
    /// hops on, with zeros after the track's end. `samples` must be even, and at least every plan's
    /// [`source_samples`](ClipPlan::source_samples); samples beyond that do not matter.
    ///
    /// # Panics
    /// If `pcm` has another shape.
    pub fn run(&self, pcm: Bytes, plans: &[ClipPlan]) -> ModelInput {
        let clips = self.clips(pcm, plans);
        ModelInput {
            waveform: self.input.waveform.map(|_| {
                let normalized = clips
                    .clone()
                    .sub_scalar(self.waveform_mean)
                    .mul_scalar(self.waveform_scale);
                self.to_run_device(normalized.unsqueeze_dim(1))
            }),
            spectrogram: self
                .input
                .spectrogram
                .map(|_| self.to_run_device(self.spectrograms(clips, plans))),
            statistics: None,
        }
    }

    /// Normalized and masked mel spectrograms, `[batch, 1, n_mels, frames]`.
    fn spectrograms(&self, clips: Tensor<2>, plans: &[ClipPlan]) -> Tensor<4> {
        let device = self.device.clone().without_autodiff();
        mask_spectrograms(self.mel.normalized(clips, self.clip_frames), plans, &device)
    }

    /// Augmented clips, full scale 1, `[batch, clip_samples]`.
    fn clips(&self, pcm: Bytes, plans: &[ClipPlan]) -> Tensor<2> {
        let device = self.device.clone().without_autodiff();
        let pairs = pcm.len() / size_of::<i32>() / plans.len();
        assert_eq!(
            pcm.len(),
            size_of::<i32>() * pairs * plans.len(),
            "clips of a batch have one even length"
        );
        let length = 2 * pairs;
        for plan in plans {
            let needed = plan.source_samples(self.clip_samples);
            assert!(
                needed <= length,
                "{length} samples of each clip are too few for {plan:?}, which needs {needed}"
            );
        }
        let samples = scale(unpack(pcm, plans.len(), &device), plans, &device);
        let samples = add_noise(samples, plans, &device);
        let clips = samples.clone().narrow(1, 0, self.clip_samples);
        let (rows, speeds): (Vec<usize>, Vec<Speed>) = plans
            .iter()
            .enumerate()
            .filter_map(|(row, plan)| {
                let source_samples = plan.source_samples(self.clip_samples);
                plan.stretch.map(|rate| (row, Speed { source_samples, rate }))
            })
            .unzip();
        if rows.is_empty() {
            return clips;
        }
        let stretched = self.stretch.run(select_rows(samples, &rows, &device), &speeds);
        replace_rows(clips, &rows, stretched, &device)
    }

    /// Moves a tensor to the run's device, as a constant if that device has autodiff.
    fn to_run_device<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        if self.device.is_autodiff() {
            tensor.autodiff()
        } else {
            tensor
        }
    }
}

/// The means and standard deviations that z-score normalization would need to do what `normalize` does.
fn effective(normalize: Normalize, normalization: &Normalization) -> Normalization {
    let mut effective = normalization.clone();
    if normalize != Normalize::ZScore {
        effective.waveform_std = 1.0;
        effective.mel_std.fill(1.0);
    }
    if normalize == Normalize::None {
        effective.waveform_mean = 0.0;
        effective.mel_mean.fill(0.0);
    }
    effective
}

/// Uploads samples and makes them floating-point numbers, `[clips, samples]`. Two samples travel in one i32, because
/// shaders of Vulkan, Metal and DirectX have no i16.
fn unpack(pcm: Bytes, clips: usize, device: &Device) -> Tensor<2> {
    let count = pcm.len() / size_of::<i32>();
    let pairs = TensorData::from_bytes(pcm, [count, 1], DType::I32);
    let pairs: Tensor<2, Int> = Tensor::from_data(pairs, (device, DType::I32));
    // The first sample of a pair is the lower half: `shared` only compiles for little-endian machines. Shifted to the
    // upper half and back, which keeps the sign of both.
    let shifts = upload(vec![16, 0], [1, 2], device).expand([count, 2]);
    let samples = pairs.expand([count, 2]).bitwise_left_shift(shifts);
    let samples = samples.bitwise_right_shift_scalar(16).cast(FloatDType::F32);
    samples.reshape([clips, 2 * count / clips])
}

/// Scales samples to full scale 1, and by each clip's polarity and gain.
fn scale(samples: Tensor<2>, plans: &[ClipPlan], device: &Device) -> Tensor<2> {
    let factors: Vec<f32> = plans.iter().map(|plan| plan.factor() / PCM_FULL_SCALE).collect();
    let factors: Tensor<2> = Tensor::from_data(TensorData::new(factors, [plans.len(), 1]), device);
    samples * factors
}

/// Adds noise to the clips whose plan has some.
fn add_noise(samples: Tensor<2>, plans: &[ClipPlan], device: &Device) -> Tensor<2> {
    let (rows, amplitudes): (Vec<usize>, Vec<f32>) = plans
        .iter()
        .enumerate()
        .filter_map(|(row, plan)| plan.noise.map(|amplitude| (row, amplitude)))
        .unzip();
    if rows.is_empty() {
        return samples;
    }
    let keys: Vec<_> = rows.iter().map(|&row| noise_key(plans[row].key)).collect();
    let noise = standard_normal(&keys, samples.dims()[1], device);
    let amplitudes: Tensor<2> = Tensor::from_data(TensorData::new(amplitudes, [rows.len(), 1]), device);
    let noisy = select_rows(samples.clone(), &rows, device) + noise * amplitudes;
    replace_rows(samples, &rows, noisy, device)
}

/// Selects rows; `rows` is sorted.
fn select_rows(tensor: Tensor<2>, rows: &[usize], device: &Device) -> Tensor<2> {
    if rows.len() == tensor.dims()[0] {
        return tensor;
    }
    let indices = rows.iter().map(|&row| row as i32).collect();
    tensor.select(0, upload(indices, [rows.len()], device))
}

/// Replaces rows by those of `new`; `rows` is sorted.
fn replace_rows(tensor: Tensor<2>, rows: &[usize], new: Tensor<2>, device: &Device) -> Tensor<2> {
    let count = tensor.dims()[0];
    if rows.len() == count {
        return new;
    }
    let mut sources: Vec<i32> = (0..count as i32).collect();
    for (at, &row) in rows.iter().enumerate() {
        sources[row] = (count + at) as i32;
    }
    Tensor::cat(vec![tensor, new], 0).select(0, upload(sources, [count], device))
}

/// Uploads integers as i32, whatever the device's default integer type is.
fn upload<const D: usize>(values: Vec<i32>, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values, shape), (device, DType::I32))
}

/// `[[0, 1, …, count - 1]]`. Burn's `arange` would upload every position.
fn positions(count: usize, device: &Device) -> Tensor<2, Int> {
    let block = count.isqrt().max(1);
    let blocks = count.div_ceil(block);
    let first = upload((0..blocks).map(|at| (at * block) as i32).collect(), [blocks, 1], device);
    let within = upload((0..block as i32).collect(), [1, block], device);
    let all = first.expand([blocks, block]) + within.expand([blocks, block]);
    all.reshape([1, blocks * block]).narrow(1, 0, count)
}

#[cfg(test)]
mod tests;
