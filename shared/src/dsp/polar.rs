//! The spectra of two frames as magnitudes and unit phasors, from one complex FFT and back to one.
//!
//! As in [`frame_pair`](super::frame_pair), one frame is the real part of the samples and the other the imaginary part,
//! and [`Arch::dispatch`] chooses the width of vector registers with the same results for all widths.

use pulp::{Arch, Simd, WithSimd};
use rustfft::num_complex::Complex;

/// Complex numbers, a value per frequency bin.
#[derive(Clone, Debug, Default)]
pub struct Bins {
    /// Real parts.
    pub re: Vec<f32>,
    /// Imaginary parts.
    pub im: Vec<f32>,
}

/// The spectrum of a frame.
#[derive(Clone, Debug, Default)]
pub struct Polar {
    /// Absolute values.
    pub magnitudes: Vec<f32>,
    /// The bins divided by their magnitudes; 1 where these are 0, as the angle of 0 is 0 in NumPy.
    pub phasors: Bins,
}

impl Bins {
    /// Sets the number of bins. New ones are 0.
    pub fn resize(&mut self, bins: usize) {
        self.re.resize(bins, 0.0);
        self.im.resize(bins, 0.0);
    }

    /// Sets all bins to 0.
    pub fn silence(&mut self) {
        self.re.fill(0.0);
        self.im.fill(0.0);
    }
}

impl Polar {
    /// Sets the number of bins.
    pub fn resize(&mut self, bins: usize) {
        self.magnitudes.resize(bins, 0.0);
        self.phasors.resize(bins);
    }

    /// Sets the spectrum of a frame of zeros.
    pub fn silence(&mut self) {
        self.magnitudes.fill(0.0);
        self.phasors.re.fill(1.0);
        self.phasors.im.fill(0.0);
    }
}

/// Separates the FFT of two frames, of even length, into their spectra. Magnitudes are multiplied by `scale`.
pub fn separate(spectrum: &[Complex<f32>], scale: f32, frames: &mut [Polar; 2]) {
    let half = spectrum.len() / 2;
    // The mean and the Nyquist value are real in both frames.
    for bin in [0, half] {
        let Complex { re, im } = spectrum[bin];
        for (frame, value) in frames.iter_mut().zip([re, im]) {
            frame.magnitudes[bin] = scale * value.abs();
            frame.phasors.re[bin] = if value < 0.0 { -1.0 } else { 1.0 };
            frame.phasors.im[bin] = 0.0;
        }
    }
    Arch::new().dispatch(Separate {
        low: &spectrum[1..half],
        high: &spectrum[half + 1..],
        scale,
        frames,
    });
}

struct Separate<'a> {
    low: &'a [Complex<f32>],
    /// The mirror images of `low`, in reverse.
    high: &'a [Complex<f32>],
    scale: f32,
    frames: &'a mut [Polar; 2],
}

impl WithSimd for Separate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, _: V) {
        let bins = self.low.len();
        let high = &self.high[..bins];
        let [[a, a_re, a_im], [b, b_re, b_im]] = self.frames.each_mut().map(|Polar { magnitudes, phasors }| {
            [magnitudes, &mut phasors.re, &mut phasors.im].map(|values| &mut values[1..=bins])
        });
        // A sum of a frame's spectrum and its mirror image is twice the spectrum.
        let scale = 0.5 * self.scale;
        for at in 0..bins {
            let (z, mirrored) = (self.low[at], high[bins - 1 - at]);
            (a[at], a_re[at], a_im[at]) = polar(z.re + mirrored.re, z.im - mirrored.im, scale);
            (b[at], b_re[at], b_im[at]) = polar(z.im + mirrored.im, mirrored.re - z.re, scale);
        }
    }
}

/// The magnitude of a complex number, times `scale`, and its phasor. A number whose square underflows counts as 0.
#[inline(always)]
fn polar(re: f32, im: f32, scale: f32) -> (f32, f32, f32) {
    let magnitude = (re * re + im * im).sqrt();
    let inverse = if magnitude > 0.0 { 1.0 / magnitude } else { 0.0 };
    let unit = if magnitude > 0.0 { re * inverse } else { 1.0 };
    (scale * magnitude, unit, im * inverse)
}

/// Joins the spectra of two frames to one whose inverse FFT has their samples as its real and its imaginary part.
pub fn join(frames: &[Bins; 2], spectrum: &mut [Complex<f32>]) {
    let half = spectrum.len() / 2;
    for bin in [0, half] {
        let [re, im] = frames.each_ref().map(|frame| frame.re[bin]);
        spectrum[bin] = Complex::new(re, im);
    }
    let (low, high) = spectrum.split_at_mut(half);
    Arch::new().dispatch(Join {
        frames,
        low: &mut low[1..],
        high: &mut high[1..],
    });
}

struct Join<'a> {
    frames: &'a [Bins; 2],
    low: &'a mut [Complex<f32>],
    /// The mirror images of `low`, in reverse.
    high: &'a mut [Complex<f32>],
}

impl WithSimd for Join<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, _: V) {
        let bins = self.low.len();
        let high = &mut self.high[..bins];
        let [[a_re, a_im], [b_re, b_im]] = self
            .frames
            .each_ref()
            .map(|Bins { re, im }| [re, im].map(|values| &values[1..=bins]));
        for at in 0..bins {
            self.low[at] = Complex::new(a_re[at] - b_im[at], a_im[at] + b_re[at]);
            high[bins - 1 - at] = Complex::new(a_re[at] + b_im[at], b_re[at] - a_im[at]);
        }
    }
}

/// A frame between `from` and `to`, `alpha` of the way: interpolated magnitudes with these phases. Then turns the phases
/// by the angle between the two.
pub fn interpolate(from: &Polar, to: &Polar, alpha: f32, phases: &mut Bins, out: &mut Bins) {
    Arch::new().dispatch(Interpolate {
        from,
        to,
        alpha,
        phases,
        out,
    });
}

struct Interpolate<'a> {
    from: &'a Polar,
    to: &'a Polar,
    alpha: f32,
    phases: &'a mut Bins,
    out: &'a mut Bins,
}

impl WithSimd for Interpolate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, _: V) {
        let bins = self.out.re.len();
        let [[now, from_re, from_im], [then, to_re, to_im]] = [self.from, self.to]
            .map(|Polar { magnitudes, phasors }| [magnitudes, &phasors.re, &phasors.im].map(|values| &values[..bins]));
        let [[re, im], [out_re, out_im]] =
            [self.phases, self.out].map(|Bins { re, im }| [re, im].map(|values| &mut values[..bins]));
        for at in 0..bins {
            let phase = Complex::new(re[at], im[at]);
            let magnitude = (1.0 - self.alpha) * now[at] + self.alpha * then[at];
            (out_re[at], out_im[at]) = (phase.re * magnitude, phase.im * magnitude);
            let turn = Complex::new(to_re[at], to_im[at]) * Complex::new(from_re[at], -from_im[at]);
            let turned = phase * turn;
            // One Newton step towards magnitude 1, so rounding errors do not accumulate.
            let correction = 1.5 - 0.5 * turned.norm_sqr();
            (re[at], im[at]) = (turned.re * correction, turned.im * correction);
        }
    }
}
