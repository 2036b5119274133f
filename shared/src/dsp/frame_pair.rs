//! Power spectra of two frames from one complex FFT: one frame is the real part of its input, the other the imaginary
//! part.
//!
//! Values of the two frames alternate in memory, before the FFT and after it, so no step has to separate them.
//!
//! [`Arch::dispatch`] compiles a loop for each width of vector registers and chooses at run time. Results are the same
//! for all widths: sums are in fixed lanes, and multiplications and additions are never fused.

use super::stft::Sample;
use pulp::{Arch, Simd, WithSimd};
use rustfft::num_complex::Complex;

/// Values in a [`Group`].
pub const LANES: usize = 8;

/// Power of both frames in four bins: first frame, second frame, first frame and so on.
pub type Group = [f32; LANES];

/// Bins in a [`Group`].
pub const BINS: usize = LANES / 2;

/// Values in four groups.
pub const WIDE: usize = 4 * LANES;

/// Four groups. A long sum in so many lanes does not wait for the result of each addition.
pub type Wide = [f32; WIDE];

/// The sums of both frames' values in a group.
#[inline(always)]
pub fn sum([a, b, c, d, e, f, g, h]: Group) -> [f32; 2] {
    [(a + e) + (c + g), (b + f) + (d + h)]
}

/// Writes the samples of both frames, times the window, into the real and the imaginary parts of `out`. All four slices
/// have the same length.
pub fn window<S: Sample>(frames: [&[S]; 2], window: &[f32], out: &mut [Complex<f32>]) {
    Arch::new().dispatch(Window { frames, window, out });
}

struct Window<'a, S> {
    frames: [&'a [S]; 2],
    window: &'a [f32],
    out: &'a mut [Complex<f32>],
}

impl<S: Sample> WithSimd for Window<'_, S> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, _: V) {
        let [first, second] = self.frames;
        for (((out, first), second), weight) in self.out.iter_mut().zip(first).zip(second).zip(self.window) {
            *out = Complex::new(first.value() * weight, second.value() * weight);
        }
    }
}

/// Writes the squared magnitudes of both frames, from the result of their common FFT. The spectra of the frames are its
/// even and its odd part. Bins that do not exist are 0.
///
/// # Panics
/// When `power` does not have one value for every pair of mirrored bins.
pub fn squared_magnitudes(spectrum: &[Complex<f32>], power: &mut [Group]) {
    let half = spectrum.len() / 2;
    let (low, high) = spectrum.split_at(half);
    let power = power.as_flattened_mut().as_chunks_mut().0;
    // The mean and the Nyquist value are their own mirror images.
    for (bin, value) in [(0, low[0]), (half, high[0])] {
        power[bin] = [value.re * value.re, value.im * value.im];
    }
    power[half + 1..].fill([0.0; 2]);
    Arch::new().dispatch(SquaredMagnitudes {
        low: &low[1..],
        high: &high[1..],
        power: &mut power[1..half],
    });
}

struct SquaredMagnitudes<'a> {
    low: &'a [Complex<f32>],
    /// The mirror images of `low`, in reverse.
    high: &'a [Complex<f32>],
    power: &'a mut [[f32; 2]],
}

impl WithSimd for SquaredMagnitudes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, _: V) {
        for ((out, a), b) in self.power.iter_mut().zip(self.low).zip(self.high.iter().rev()) {
            // Subtracting amplitudes instead of powers keeps frames exact that are far quieter than their neighbour.
            let (sum, difference) = (a + b, a - b);
            *out = [
                0.25 * (sum.re * sum.re + difference.im * difference.im),
                0.25 * (sum.im * sum.im + difference.re * difference.re),
            ];
        }
    }
}

/// Groups that hold the bins of an FFT of `n_fft` samples: a whole number of [`Wide`] groups.
pub fn groups(n_fft: usize) -> usize {
    (n_fft / 2 + 1).div_ceil(WIDE / 2) * (WIDE / LANES)
}
