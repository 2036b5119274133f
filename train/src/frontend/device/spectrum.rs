//! Frames and their Fourier transforms on the device. No other module names an FFT implementation.
//!
//! Both directions are `burn-signal`'s. On CUDA, one kernel per transform keeps a frame in shared memory (32 KiB at
//! 4096 samples) and runs a radix-2 FFT in f32. On Flex, each thread runs a half-length complex FFT. Lengths must be
//! powers of two. `burn-signal`'s `stft` is not used, because it only pads by reflection and its `istft` adds frame by
//! frame.
//!
//! The alternative, two matrix products with twiddle factors in between (4096 = 64 · 64), is not used because Burn does
//! not let us choose how a product is computed. On CUDA, autotuning takes the fastest kernel, and the candidates for
//! f32 matrices include TF32 tensor cores. Their rounding error of 2^-11 is 66 dB below a frame's loudest frequencies,
//! while the mel spectrogram covers 80 dB, and it would ruin a phase vocoder's sums of phases. Splitting each factor in
//! two restores f32 accuracy, but takes three times the products and memory reads, which leaves no gain over the FFT.

use burn::signal::{irfft, rfft};
use burn::tensor::ops;
use burn::tensor::{Device, Tensor, TensorData};
use shared::dsp::features::PadMode;
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
    /// first frame begins `lead` samples before the row. A row that is reflected has more than `lead` samples.
    pub(super) fn frames(
        &self,
        samples: Tensor<2>,
        lead: usize,
        hop_length: usize,
        count: usize,
        pad_mode: PadMode,
    ) -> Tensor<3> {
        let needed = (count - 1) * hop_length + self.n_fft - lead;
        let [_, length] = samples.dims();
        let used = match pad_mode {
            PadMode::Constant => length.min(needed),
            // The beginning of a row is also what is reflected.
            PadMode::Reflect => length.min(needed.max(lead + 1)),
        };
        let samples = if length > used {
            samples.narrow(1, 0, used)
        } else {
            samples
        };
        let after = needed.saturating_sub(length);
        let padded = match pad_mode {
            PadMode::Constant => samples.pad([(0, 0), (lead, after)], ops::PadMode::Constant(0.0)),
            PadMode::Reflect => samples.pad([(0, 0), (lead, after)], ops::PadMode::Reflect),
        };
        kernels::frames(padded, count, self.n_fft, hop_length) * self.window.clone()
    }

    /// Real and imaginary parts of each frame's spectrum, both `[rows * count, n_fft / 2 + 1]`.
    pub(super) fn forward(&self, frames: Tensor<3>) -> (Tensor<2>, Tensor<2>) {
        let [rows, count, n_fft] = frames.dims();
        rfft(frames.reshape([rows * count, n_fft]), 1, Some(n_fft))
    }

    /// Frames from spectra, `[frames, n_fft / 2 + 1]` to `[frames, n_fft]`. The imaginary parts of bin 0 and of the
    /// Nyquist bin must be zero.
    pub(super) fn inverse(&self, real: Tensor<2>, imaginary: Tensor<2>) -> Tensor<2> {
        irfft(real, imaginary, 1, Some(self.n_fft))
    }
}
