//! Frames and their Fourier transforms on the device. The only place that names an implementation of the FFT.
//!
//! Both directions are `burn-signal`'s. On CUDA that is one kernel per transform, which keeps a frame in shared memory
//! (32 KiB at 4096 samples) and does a radix-2 FFT there, in f32; on Flex a half-length complex FFT per thread. Lengths
//! must be powers of two. Its `stft` is not used: it pads by reflection, and its `istft` adds frame by frame.
//!
//! The other way, two matrix products with twiddles between (4096 = 64 · 64), is not here because Burn gives no say in
//! how a product is computed: on CUDA autotuning takes the fastest kernel, and those for f32 matrices include TF32 tensor
//! cores. Their rounding, 2^-11, lies 66 dB below a frame's loudest frequencies; the mel spectrogram reaches down 80, and
//! a phase vocoder's sums of phases are spoilt for good. Splitting each factor in two restores f32 at three times the
//! products and the memory they read, which leaves no gain over the FFT.

use burn::signal::{irfft, rfft};
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Tensor, TensorData};
use shared::dsp::window::hann;

/// A Hann window, and the transforms of frames of its length.
#[derive(Debug)]
pub(super) struct Spectrum {
    n_fft: usize,
    /// `[1, 1, n_fft]`.
    window: Tensor<3>,
}

impl Spectrum {
    /// `n_fft` must be a power of two.
    pub(super) fn new(n_fft: usize, device: &Device) -> Self {
        let window = TensorData::new(hann(n_fft), [1, 1, n_fft]);
        Self {
            n_fft,
            window: Tensor::from_data(window, device),
        }
    }

    /// The window, `[1, 1, n_fft]`.
    pub(super) fn window(&self) -> Tensor<3> {
        self.window.clone()
    }

    /// Cuts `samples`, `[rows, length]`, into `count` windowed frames every `hop_length`, `[rows, count, n_fft]`. The
    /// first begins `lead` samples before the row; samples outside of it are zero.
    pub(super) fn frames(&self, samples: Tensor<2>, lead: usize, hop_length: usize, count: usize) -> Tensor<3> {
        let needed = (count - 1) * hop_length + self.n_fft - lead;
        let [_, length] = samples.dims();
        let samples = if length > needed {
            samples.narrow(1, 0, needed)
        } else {
            samples
        };
        let after = needed.saturating_sub(length);
        let padded = samples.pad([(0, 0), (lead, after)], PadMode::Constant(0.0));
        padded.unfold::<3, _>(1, self.n_fft, hop_length) * self.window.clone()
    }

    /// Real and imaginary part of each frame's spectrum, `[rows * count, n_fft / 2 + 1]` both.
    pub(super) fn forward(&self, frames: Tensor<3>) -> (Tensor<2>, Tensor<2>) {
        let [rows, count, n_fft] = frames.dims();
        rfft(frames.reshape([rows * count, n_fft]), 1, Some(n_fft))
    }

    /// Frames from spectra, `[frames, n_fft / 2 + 1]` to `[frames, n_fft]`. The imaginary parts of the mean and of the
    /// Nyquist frequency must be zero.
    pub(super) fn inverse(&self, real: Tensor<2>, imaginary: Tensor<2>) -> Tensor<2> {
        irfft(real, imaginary, 1, Some(self.n_fft))
    }
}
