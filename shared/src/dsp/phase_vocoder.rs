//! Time stretch by phase vocoder, as `librosa.effects.time_stretch`.
//!
//! For each frequency, librosa takes the angle between consecutive frames, subtracts the expected phase advance, wraps
//! the difference, adds the expected advance back and accumulates the result. Wrapping changes angles by whole turns
//! and the expected advance cancels. As a rotation, the accumulated term is therefore the ratio of the two frames' unit
//! phasors. Multiplying phasors needs neither arc tangent nor sine, and the phase cannot grow without bound.

use super::polar::{self, Bins, Polar};
use super::stft::{Stft, StftScratch};
use pulp::{Arch, Simd, WithSimd};
use rustfft::num_complex::Complex;

/// A planned time stretch.
#[derive(Clone, Debug)]
pub struct TimeStretch {
    stft: Stft,
    /// Reciprocal of the sum of the squared windows that overlap, for each sample of a hop, away from the ends of the
    /// signal.
    gain: Vec<f32>,
}

/// One thread's working memory for [`TimeStretch`]: four input frames, the output's phases and two output frames.
#[derive(Clone, Debug, Default)]
pub struct TimeStretchScratch {
    stft: StftScratch,
    /// The last two pairs of frames.
    pairs: [Pair; 2],
    phases: Bins,
    out: [Bins; 2],
}

/// Frames `2 · index` and `2 · index + 1`.
#[derive(Clone, Debug, Default)]
struct Pair {
    index: Option<usize>,
    frames: [Polar; 2],
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
        let sum = |at: usize| overlapping((at + n_fft / 2) % hop_length).sum::<f32>();
        let gain = (0..hop_length).map(|at| 1.0 / sum(at).max(f32::MIN_POSITIVE));
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
        // The length of numpy.arange(0, in_frames, rate), but no more than the result needs. Frames are centred, so the
        // first begins half a window before the signal.
        let out_frames = ((in_frames as f64 / rate).ceil() as usize).min((out_len + n_fft / 2).div_ceil(hop_length));
        scratch.fit(self.stft.bins());
        for frame in 0..out_frames {
            let position = frame as f64 * rate;
            let (step, alpha) = (position.floor() as usize, position.fract() as f32);
            for pair in [step / 2, step.div_ceil(2)] {
                self.analyse(input, in_frames, pair, scratch);
            }
            let [from, to] = [step, step + 1].map(|frame| &scratch.pairs[frame / 2 % 2].frames[frame % 2]);
            if frame == 0 {
                scratch.phases.re.clone_from(&from.phasors.re);
                scratch.phases.im.clone_from(&from.phasors.im);
            }
            polar::interpolate(from, to, alpha, &mut scratch.phases, &mut scratch.out[frame % 2]);
            if frame % 2 == 1 || frame + 1 == out_frames {
                if frame % 2 == 0 {
                    scratch.out[1].silence();
                }
                self.add_pair(frame - frame % 2, scratch, out);
            }
        }
        self.normalize(out, out_frames);
    }

    /// Computes the spectra of a pair of frames, unless they are there. Frames past the end are silent, as in librosa.
    fn analyse(&self, input: &[f32], in_frames: usize, index: usize, scratch: &mut TimeStretchScratch) {
        let pair = &mut scratch.pairs[index % 2];
        if pair.index.replace(index) == Some(index) {
            return;
        }
        let numbers = [2 * index, 2 * index + 1];
        let silent = numbers.map(|frame| frame >= in_frames || self.stft.is_silent(input, frame));
        if silent != [true; 2] {
            let spectrum = self.stft.pair(input, numbers, &mut scratch.stft);
            polar::separate(spectrum, 1.0 / self.stft.n_fft() as f32, &mut pair.frames);
        }
        // Next to a loud frame, zeros come back as rounding errors with random phases.
        for (frame, silent) in pair.frames.iter_mut().zip(silent) {
            if silent {
                frame.silence();
            }
        }
    }

    /// Transforms two frames back and adds them to the result, the first at `frame`.
    fn add_pair(&self, frame: usize, scratch: &mut TimeStretchScratch, out: &mut [f32]) {
        let samples = self.stft.inverse_pair(&scratch.out, &mut scratch.stft);
        for (second, frame) in [(false, frame), (true, frame + 1)] {
            let begin = frame * self.stft.hop_length();
            let skipped = (self.stft.n_fft() / 2).saturating_sub(begin);
            let begin = begin.saturating_sub(self.stft.n_fft() / 2);
            if begin < out.len() {
                Arch::new().dispatch(Overlap {
                    samples: &samples[skipped..],
                    second,
                    window: &self.stft.window()[skipped..],
                    out: &mut out[begin..],
                });
            }
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
        let settled = (n_fft / 2).next_multiple_of(hop_length).min(out.len());
        let unsettled = (frames * hop_length).saturating_sub(n_fft / 2);
        let unsettled = unsettled.clamp(settled, out.len());
        for at in (0..settled).chain(unsettled..out.len()) {
            let sum = sum_at(at);
            if sum > f32::MIN_POSITIVE {
                out[at] /= sum;
            }
        }
        for hop in out[settled..unsettled].chunks_mut(hop_length) {
            hop.iter_mut().zip(&self.gain).for_each(|(value, gain)| *value *= gain);
        }
    }
}

/// Adds one of two frames to the result, times the window.
struct Overlap<'a> {
    samples: &'a [Complex<f32>],
    second: bool,
    window: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Overlap<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, _: V) {
        let terms = self.out.iter_mut().zip(self.samples).zip(self.window);
        if self.second {
            terms.for_each(|((out, sample), weight)| *out += sample.im * weight);
        } else {
            terms.for_each(|((out, sample), weight)| *out += sample.re * weight);
        }
    }
}

impl TimeStretchScratch {
    fn fit(&mut self, bins: usize) {
        for pair in &mut self.pairs {
            pair.index = None;
            pair.frames.iter_mut().for_each(|frame| frame.resize(bins));
        }
        self.out.iter_mut().for_each(|frame| frame.resize(bins));
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
    fn frame_of_zeros_is_silent_next_to_a_loud_one() {
        let mut input = vec![0.0; 2048];
        input.extend(tone(4096));
        let (vocoder, mut scratch) = (TimeStretch::new(2048, 512), TimeStretchScratch::default());
        scratch.fit(vocoder.stft.bins());
        // Frames 2 and 3, of samples 0 to 2047 and 512 to 2559.
        vocoder.analyse(&input, 13, 1, &mut scratch);
        let [silent, loud] = &scratch.pairs[1].frames;
        assert!(silent.magnitudes.iter().all(|&magnitude| magnitude == 0.0));
        assert!(silent.phasors.re.iter().all(|&re| re == 1.0) && silent.phasors.im.iter().all(|&im| im == 0.0));
        assert!(loud.magnitudes.iter().any(|&magnitude| magnitude > 0.01));
        // Frames past the end are silent, although they contain samples.
        vocoder.analyse(&input, 6, 3, &mut scratch);
        assert!(
            scratch.pairs[1].frames[1]
                .magnitudes
                .iter()
                .all(|&magnitude| magnitude == 0.0)
        );
    }

    #[test]
    fn silence_stays_silent() {
        assert_eq!(stretch(&[0.0; 8000], 0.9, 8000), vec![0.0; 8000]);
    }
}
