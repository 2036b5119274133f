//! Time stretch by phase vocoder, as `librosa.effects.time_stretch`.
//!
//! For each frequency, librosa takes the angle between consecutive frames, subtracts the expected phase advance, wraps
//! the difference, adds the expected advance back and accumulates the result. Wrapping changes angles by whole turns
//! and the expected advance cancels. As a rotation, the accumulated term is therefore the ratio of the two frames' unit
//! phasors. Multiplying phasors needs neither arc tangent nor sine, and the phase cannot grow without bound.

use super::stft::{Stft, StftScratch};
use rustfft::num_complex::Complex;

/// A planned time stretch.
#[derive(Clone, Debug)]
pub struct TimeStretch {
    stft: Stft,
    /// Reciprocal of the sum of the squared windows that overlap, for each offset within a hop, away from the ends of
    /// the signal.
    gain: Vec<f32>,
}

/// One thread's working memory for [`TimeStretch`]: two input frames and the output's phases.
#[derive(Clone, Debug, Default)]
pub struct TimeStretchScratch {
    stft: StftScratch,
    spectrum: Vec<Complex<f32>>,
    current: Polar,
    next: Polar,
    phases: Vec<Complex<f32>>,
}

/// A frame's spectrum as magnitudes and unit phasors.
#[derive(Clone, Debug, Default)]
struct Polar {
    frame: Option<usize>,
    magnitudes: Vec<f32>,
    phasors: Vec<Complex<f32>>,
}

impl TimeStretch {
    /// Plans a time stretch. librosa's defaults are `n_fft` 2048 and `hop_length` 512.
    pub fn new(n_fft: usize, hop_length: usize) -> Self {
        let stft = Stft::new(n_fft, hop_length);
        let overlapping = |at: usize| {
            stft.window()[at..]
                .iter()
                .step_by(hop_length)
                .map(|weight| weight * weight)
        };
        let gain = (0..hop_length).map(|at| 1.0 / overlapping(at).sum::<f32>().max(f32::MIN_POSITIVE));
        Self {
            gain: gain.collect(),
            stft,
        }
    }

    /// Length of the result, as in librosa: `round(samples / rate)`.
    pub fn stretched_len(samples: usize, rate: f64) -> usize {
        (samples as f64 / rate).round_ties_even() as usize
    }

    /// Plays `input` at `rate` times its speed without changing its pitch. The result has
    /// [`stretched_len`](Self::stretched_len) samples and is cut or zero-padded to fit `out`.
    ///
    /// # Panics
    /// When `rate` is not a positive, finite number.
    pub fn stretch(&self, input: &[f32], rate: f64, scratch: &mut TimeStretchScratch, out: &mut [f32]) {
        assert!(rate > 0.0 && rate.is_finite(), "a rate is a positive number");
        let (n_fft, hop_length) = (self.stft.n_fft(), self.stft.hop_length());
        let stretched = Self::stretched_len(input.len(), rate);
        out.fill(0.0);
        let out_len = out.len().min(stretched);
        let out = &mut out[..out_len];
        let in_frames = self.stft.frames(input.len());
        // The length of numpy.arange(0, in_frames, rate), but no more than the result needs.
        let out_frames = ((in_frames as f64 / rate).ceil() as usize).min((stretched + n_fft).div_ceil(hop_length));
        scratch.fit(self.stft.bins());
        for frame in 0..out_frames {
            // Frames are centred, so this one begins half a window before its hop.
            let begin = (frame * hop_length) as isize - (n_fft / 2) as isize;
            if begin >= out_len as isize {
                break;
            }
            let position = frame as f64 * rate;
            let (step, alpha) = (position.floor() as usize, position.fract() as f32);
            self.analyse(input, in_frames, step, scratch);
            if frame == 0 {
                scratch.phases.copy_from_slice(&scratch.current.phasors);
            }
            scratch.synthesize(alpha);
            let samples = self.stft.inverse(&mut scratch.spectrum, &mut scratch.stft);
            let skipped = usize::try_from(-begin).unwrap_or(0);
            let target = &mut out[usize::try_from(begin).unwrap_or(0)..];
            let source = samples[skipped..].iter().zip(&self.stft.window()[skipped..]);
            for (value, (sample, weight)) in target.iter_mut().zip(source) {
                *value += sample * weight;
            }
        }
        self.normalize(out, out_frames);
    }

    /// Computes frames `step` and `step + 1` into `scratch`. Frames past the end are silent, as in librosa.
    fn analyse(&self, input: &[f32], in_frames: usize, step: usize, scratch: &mut TimeStretchScratch) {
        if scratch.current.frame != Some(step) && scratch.next.frame == Some(step) {
            std::mem::swap(&mut scratch.current, &mut scratch.next);
        }
        for (polar, frame) in [(&mut scratch.current, step), (&mut scratch.next, step + 1)] {
            if polar.frame == Some(frame) {
                continue;
            }
            if frame < in_frames {
                self.stft.frame(input, frame, &mut scratch.stft, &mut scratch.spectrum);
            } else {
                scratch.spectrum.fill(Complex::default());
            }
            polar.set(frame, &scratch.spectrum);
        }
    }

    /// Divides by the sum of the squared windows that overlap at each sample, as `librosa.istft` does.
    fn normalize(&self, out: &mut [f32], frames: usize) {
        let (n_fft, hop_length) = (self.stft.n_fft(), self.stft.hop_length());
        let window = self.stft.window();
        let sum_at = |at: usize| -> f32 {
            let centred = at + n_fft / 2;
            let last = (centred / hop_length).min(frames.saturating_sub(1));
            let first = (centred + 1).saturating_sub(n_fft).div_ceil(hop_length);
            (first..=last)
                .map(|frame| window[centred - frame * hop_length].powi(2))
                .sum()
        };
        // Away from the ends the sum repeats with every hop.
        let settled = (n_fft / 2).next_multiple_of(hop_length);
        let unsettled = (frames * hop_length).saturating_sub(n_fft / 2).max(settled);
        for (at, value) in out.iter_mut().enumerate() {
            if at >= settled && at < unsettled {
                *value *= self.gain[(at + n_fft / 2) % hop_length];
            } else {
                let sum = sum_at(at);
                if sum > f32::MIN_POSITIVE {
                    *value /= sum;
                }
            }
        }
    }
}

impl TimeStretchScratch {
    fn fit(&mut self, bins: usize) {
        self.spectrum.resize(bins, Complex::default());
        self.phases.resize(bins, Complex::default());
        for polar in [&mut self.current, &mut self.next] {
            polar.frame = None;
            polar.magnitudes.resize(bins, 0.0);
            polar.phasors.resize(bins, Complex::default());
        }
    }

    /// Writes the interpolated magnitudes with the accumulated phases into `spectrum`, and advances the phases.
    fn synthesize(&mut self, alpha: f32) {
        let frames = self.current.magnitudes.iter().zip(&self.next.magnitudes);
        let phasors = self.current.phasors.iter().zip(&self.next.phasors);
        let state = self.spectrum.iter_mut().zip(&mut self.phases);
        for (((out, phase), (now, then)), (from, to)) in state.zip(frames).zip(phasors) {
            *out = *phase * ((1.0 - alpha) * now + alpha * then);
            let turned = *phase * to * from.conj();
            // One Newton step towards magnitude 1, so rounding errors do not accumulate.
            *phase = turned * (1.5 - 0.5 * turned.norm_sqr());
        }
    }
}

impl Polar {
    fn set(&mut self, frame: usize, spectrum: &[Complex<f32>]) {
        self.frame = Some(frame);
        for ((magnitude, phasor), bin) in self.magnitudes.iter_mut().zip(&mut self.phasors).zip(spectrum) {
            *magnitude = bin.norm_sqr().sqrt();
            // numpy.angle(0) is 0. A number whose square underflows counts as 0.
            *phasor = if *magnitude > 0.0 {
                bin / *magnitude
            } else {
                Complex::new(1.0, 0.0)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stretch(input: &[f32], rate: f64, length: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; length];
        TimeStretch::new(2048, 512).stretch(input, rate, &mut TimeStretchScratch::default(), &mut out);
        out
    }

    fn tone(length: usize) -> Vec<f32> {
        (0..length).map(|t| (t as f32 * 0.1).sin() * 0.5).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn output_is_finite_for_any_rate_and_length(rate in 0.5f64..2.0, length in 0usize..9000, out in 0usize..12_000) {
            let stretched = stretch(&tone(length), rate, out);
            prop_assert!(stretched.iter().all(|sample| sample.is_finite() && sample.abs() < 4.0));
            let end = TimeStretch::stretched_len(length, rate).min(out);
            prop_assert!(stretched[end..].iter().all(|&sample| sample == 0.0));
        }
    }

    #[test]
    fn rate_one_changes_nothing() {
        let input = tone(20_000);
        let out = stretch(&input, 1.0, 20_000);
        let worst = input.iter().zip(&out).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{worst}");
    }

    #[test]
    fn a_tone_keeps_its_pitch() {
        let out = stretch(&tone(60_000), 1.25, 48_000);
        let crossings = out[4000..44_000]
            .windows(2)
            .filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0)
            .count();
        // 40,000 samples at 0.1 radians per sample are 636.6 cycles.
        assert!((636..=638).contains(&crossings), "{crossings}");
    }

    #[test]
    fn reused_scratch_gives_the_same_result_as_a_new_one() {
        let vocoder = TimeStretch::new(2048, 512);
        let mut scratch = TimeStretchScratch::default();
        let mut out = vec![0.0; 10_000];
        vocoder.stretch(&tone(12_345), 0.8, &mut scratch, &mut out);
        vocoder.stretch(&tone(9_000), 1.1, &mut scratch, &mut out);
        assert_eq!(out, stretch(&tone(9_000), 1.1, 10_000));
    }

    #[test]
    fn silence_stays_silent() {
        assert_eq!(stretch(&[0.0; 8000], 0.9, 8000), vec![0.0; 8000]);
    }
}
