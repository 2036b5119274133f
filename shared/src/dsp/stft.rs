//! Short-time Fourier transform: Hann window, centred, padded with zeros or by reflection, as `librosa.stft`.

use super::frame_pair;
use super::polar::{self, Bins};
use super::window::hann;
use crate::dsp::PCM_FULL_SCALE;
use crate::dsp::features::PadMode;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

/// A type of sample that converts to a value of full scale 1.
pub trait Sample: Copy {
    /// The sample as a value of full scale 1.
    fn value(self) -> f32;
}

impl Sample for f32 {
    // Without the attribute, an incremental build calls this for each sample, and windows take three times as long.
    #[inline(always)]
    fn value(self) -> f32 {
        self
    }
}

impl Sample for i16 {
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from(self) / PCM_FULL_SCALE
    }
}

/// A planned transform of `n_fft` samples every `hop_length`.
///
/// ```
/// use shared::dsp::frame_pair::{LANES, groups};
/// use shared::dsp::stft::{Stft, StftScratch};
///
/// let stft = Stft::new(512, 128);
/// let samples = [0.5f32; 1000];
/// let mut power = vec![[0.0; LANES]; groups(512)];
/// stft.power_pair(&samples, [2, 3], &mut StftScratch::default(), &mut power);
/// // The means of both frames.
/// let [first, second] = [power[0][0], power[0][1]].map(f32::sqrt);
/// assert!((first - 128.0).abs() < 1e-3 && (second - 128.0).abs() < 1e-3);
/// assert_eq!((stft.bins(), stft.frames(samples.len())), (257, 8));
/// ```
#[derive(Clone)]
pub struct Stft {
    n_fft: usize,
    hop_length: usize,
    pad_mode: PadMode,
    window: Vec<f32>,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
}

/// One thread's working memory for [`Stft`]. Each transform resizes it as needed.
#[derive(Clone, Debug, Default)]
pub struct StftScratch {
    samples: Vec<f32>,
    fft: Vec<Complex<f32>>,
    pair: Vec<Complex<f32>>,
}

impl std::fmt::Debug for Stft {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Stft")
            .field("n_fft", &self.n_fft)
            .field("hop_length", &self.hop_length)
            .field("pad_mode", &self.pad_mode)
            .finish()
    }
}

impl Stft {
    /// Plans the transform, padded with zeros.
    ///
    /// # Panics
    /// When `n_fft` is odd, or `n_fft` or `hop_length` is zero; [`crate::dsp::features::FeatureConfig::validate`]
    /// refuses both.
    pub fn new(n_fft: usize, hop_length: usize) -> Self {
        assert!(
            n_fft > 0 && n_fft.is_multiple_of(2) && hop_length > 0,
            "n_fft must be even, and n_fft and hop_length above zero"
        );
        let mut planner = FftPlanner::new();
        Self {
            n_fft,
            hop_length,
            pad_mode: PadMode::Constant,
            window: hann(n_fft),
            forward: planner.plan_fft_forward(n_fft),
            inverse: planner.plan_fft_inverse(n_fft),
        }
    }

    /// Changes the samples before the beginning and after the end of a signal.
    pub fn with_pad_mode(self, pad_mode: PadMode) -> Self {
        Self { pad_mode, ..self }
    }

    /// Window and FFT length, in samples.
    pub fn n_fft(&self) -> usize {
        self.n_fft
    }

    /// Samples between frames.
    pub fn hop_length(&self) -> usize {
        self.hop_length
    }

    /// Frequency bins of a frame: `n_fft / 2 + 1`.
    pub fn bins(&self) -> usize {
        self.n_fft / 2 + 1
    }

    /// Number of frames of `samples` samples: one is centred on every multiple of the hop, the first on sample 0.
    pub fn frames(&self, samples: usize) -> usize {
        1 + samples / self.hop_length
    }

    pub(super) fn window(&self) -> &[f32] {
        &self.window
    }

    /// Writes the squared magnitudes of two frames, [`groups`](frame_pair::groups) groups.
    ///
    /// Both are transformed at once. This saves the step in which a real FFT separates the result of its half-length
    /// transform, and squared magnitudes need no twiddle factors.
    pub fn power_pair<S: Sample>(
        &self,
        samples: &[S],
        frames: [usize; 2],
        scratch: &mut StftScratch,
        power: &mut [frame_pair::Group],
    ) {
        frame_pair::squared_magnitudes(self.pair(samples, frames, scratch), power);
    }

    /// The FFT of two frames, of which one is the real part and one the imaginary part. `n_fft` values.
    pub(super) fn pair<'a, S: Sample>(
        &self,
        samples: &[S],
        frames: [usize; 2],
        scratch: &'a mut StftScratch,
    ) -> &'a [Complex<f32>] {
        let n_fft = self.n_fft;
        let StftScratch {
            samples: parts,
            fft,
            pair,
        } = scratch;
        pair.resize(n_fft, Complex::default());
        if let [Some(first), Some(second)] = frames.map(|frame| self.inside(samples, frame)) {
            frame_pair::window([first, second], &self.window, pair);
        } else {
            parts.resize(2 * n_fft, 0.0);
            let (real, imaginary) = parts.split_at_mut(n_fft);
            self.window_frame(samples, frames[0], real);
            self.window_frame(samples, frames[1], imaginary);
            for ((value, re), im) in pair.iter_mut().zip(real).zip(imaginary) {
                *value = Complex::new(*re, *im);
            }
        }
        fft.resize(self.forward.get_inplace_scratch_len(), Complex::default());
        self.forward.process_with_scratch(pair, fft);
        pair
    }

    /// The samples of two frames, the real and the imaginary parts, from their spectra of [`bins`](Self::bins) values.
    /// They are windowed as the frames were, and not divided by `n_fft`. Imaginary parts of the mean and of the Nyquist
    /// value are left out.
    pub(super) fn inverse_pair<'a>(&self, frames: &[Bins; 2], scratch: &'a mut StftScratch) -> &'a [Complex<f32>] {
        let StftScratch { fft, pair, .. } = scratch;
        pair.resize(self.n_fft, Complex::default());
        polar::join(frames, pair);
        fft.resize(self.inverse.get_inplace_scratch_len(), Complex::default());
        self.inverse.process_with_scratch(pair, fft);
        pair
    }

    /// Whether a frame padded with zeros has no other sample. The first one does not count: its weight is 0.
    pub(super) fn is_silent(&self, samples: &[f32], frame: usize) -> bool {
        let centre = frame * self.hop_length;
        let begin = (centre + 1).saturating_sub(self.n_fft / 2).min(samples.len());
        let end = (centre + self.n_fft / 2).min(samples.len());
        samples[begin..end].iter().all(|&sample| sample == 0.0)
    }

    /// The samples of a frame that needs no padding.
    fn inside<'a, S>(&self, samples: &'a [S], frame: usize) -> Option<&'a [S]> {
        let begin = (frame * self.hop_length).checked_sub(self.n_fft / 2)?;
        samples.get(begin..begin + self.n_fft)
    }

    /// Writes one frame's windowed samples into `windowed`, which has `n_fft` values.
    fn window_frame<S: Sample>(&self, samples: &[S], frame: usize, windowed: &mut [f32]) {
        // Sample `at` of the signal is sample `at + lead − begin` of the frame.
        let (begin, lead) = match (frame * self.hop_length).checked_sub(self.n_fft / 2) {
            Some(begin) => (begin.min(samples.len()), 0),
            None => (0, self.n_fft / 2 - frame * self.hop_length),
        };
        let present = &samples[begin..samples.len().min(begin + self.n_fft - lead)];
        let (before, inside) = windowed.split_at_mut(lead);
        let (inside, after) = inside.split_at_mut(present.len());
        for ((value, sample), weight) in inside.iter_mut().zip(present).zip(&self.window[lead..]) {
            *value = sample.value() * weight;
        }
        match self.pad_mode {
            PadMode::Constant => {
                before.fill(0.0);
                after.fill(0.0);
            }
            PadMode::Reflect => {
                let first = (frame * self.hop_length) as isize - (self.n_fft / 2) as isize;
                for (part, offset) in [(before, 0), (after, lead + present.len())] {
                    for ((value, at), weight) in part.iter_mut().zip(offset..).zip(&self.window[offset..]) {
                        *value = reflected(samples, first + at as isize) * weight;
                    }
                }
            }
        }
    }
}

/// Sample `at` of a signal that is mirrored at its first and last sample, again and again, as `numpy.pad(mode="reflect")`.
/// Without samples it is zero.
fn reflected<S: Sample>(samples: &[S], at: isize) -> f32 {
    let last = samples.len() as isize - 1;
    if last <= 0 {
        return samples.first().map_or(0.0, |sample| sample.value());
    }
    let at = at.rem_euclid(2 * last);
    samples[at.min(2 * last - at) as usize].value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::polar::Polar;
    use std::f64::consts::TAU;

    /// The definition in f64.
    fn naive(samples: &[f32], frame: usize, n_fft: usize, hop_length: usize, pad_mode: PadMode) -> Vec<Complex<f64>> {
        // Bounces off both ends one step at a time.
        let mirrored = |mut at: isize| {
            let last = samples.len() as isize - 1;
            while last > 0 && !(0..=last).contains(&at) {
                at = if at < 0 { -at } else { 2 * last - at };
            }
            at.min(last)
        };
        let begin = (frame * hop_length) as isize - (n_fft / 2) as isize;
        (0..=n_fft / 2)
            .map(|bin| {
                (0..n_fft)
                    .map(|t| {
                        let at = match pad_mode {
                            PadMode::Constant => begin + t as isize,
                            PadMode::Reflect if samples.len() == 1 => 0,
                            PadMode::Reflect => mirrored(begin + t as isize),
                        };
                        let sample = usize::try_from(at)
                            .ok()
                            .and_then(|at| samples.get(at))
                            .copied()
                            .unwrap_or(0.0);
                        let window = 0.5 - 0.5 * (TAU * t as f64 / n_fft as f64).cos();
                        Complex::from_polar(f64::from(sample) * window, -TAU * (bin * t) as f64 / n_fft as f64)
                    })
                    .sum()
            })
            .collect()
    }

    #[test]
    fn every_frame_matches_the_definition_at_every_length_and_hop() {
        let lengths = [(2, 1), (6, 4), (16, 4), (30, 7), (64, 64), (100, 33)];
        let modes = [PadMode::Constant, PadMode::Reflect];
        for ((n_fft, hop_length), pad_mode) in lengths.iter().flat_map(|&lengths| modes.map(|mode| (lengths, mode))) {
            let stft = Stft::new(n_fft, hop_length).with_pad_mode(pad_mode);
            let mut scratch = StftScratch::default();
            for length in [0, 1, 2, n_fft / 2, n_fft - 1, n_fft, n_fft + 1, 3 * n_fft + 5] {
                let samples: Vec<f32> = (0..length).map(|t| ((t * t) as f32 * 0.37).sin()).collect();
                assert_eq!(stft.frames(length), 1 + length / hop_length);
                // One frame more than the signal has, which may be completely past its end.
                for frame in 0..=stft.frames(length) {
                    let pair = [frame, frame / 2];
                    let mut power = vec![[f32::NAN; frame_pair::LANES]; frame_pair::groups(n_fft)];
                    stft.power_pair(&samples, pair, &mut scratch, &mut power);
                    let (power, padding) = power.as_flattened().split_at(2 * stft.bins());
                    assert!(padding.iter().all(|&value| value == 0.0));
                    for (at, frame) in pair.into_iter().enumerate() {
                        let truth = naive(&samples, frame, n_fft, hop_length, pad_mode);
                        for (ours, truth) in power[at..].iter().step_by(2).zip(truth) {
                            assert!(
                                (f64::from(*ours) - truth.norm_sqr()).abs() < 1e-3,
                                "{frame} of {length}"
                            );
                        }
                    }
                    let mut frames = [Polar::default(), Polar::default()];
                    frames.iter_mut().for_each(|frame| frame.resize(stft.bins()));
                    polar::separate(stft.pair(&samples, pair, &mut scratch), 2.0, &mut frames);
                    for (polar, frame) in frames.iter().zip(pair) {
                        let Polar { magnitudes, phasors } = polar;
                        let ours = magnitudes.iter().zip(&phasors.re).zip(&phasors.im);
                        let truth = naive(&samples, frame, n_fft, hop_length, pad_mode);
                        for (((magnitude, re), im), truth) in ours.zip(truth) {
                            let ours = Complex::new(*re, *im) * (0.5 * magnitude);
                            let error = (Complex::new(f64::from(ours.re), f64::from(ours.im)) - truth).norm();
                            assert!(
                                error < 2e-5,
                                "n_fft {n_fft}, hop {hop_length}, {pad_mode:?}, length {length}, frame {frame}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn power_of_a_quiet_frame_is_exact_next_to_a_loud_one() {
        let (n_fft, hop_length) = (64, 64);
        let stft = Stft::new(n_fft, hop_length);
        // A sine whose amplitude falls by 80 dB between frames 1 and 3.
        let samples: Vec<f32> = (0..256)
            .map(|at| (at as f32 * 0.7).sin() * if at < 96 { 1.0 } else { 1e-4 })
            .collect();
        let mut power = vec![[0.0; frame_pair::LANES]; frame_pair::groups(n_fft)];
        stft.power_pair(&samples, [1, 3], &mut StftScratch::default(), &mut power);
        let expected = naive(&samples, 3, n_fft, hop_length, PadMode::Constant);
        let bin = 7;
        let [loud, quiet] = [0, 1].map(|frame| power.as_flattened()[2 * bin + frame]);
        let (found, expected) = (f64::from(quiet), expected[bin].norm_sqr());
        assert!(loud > 1e7 * quiet, "{loud} {found}");
        assert!((found / expected - 1.0).abs() < 0.01, "{found} {expected}");
    }

    #[test]
    fn pcm_is_scaled_to_full_scale_one() {
        let stft = Stft::new(64, 16);
        let pcm_samples: Vec<i16> = (0..200).map(|t| (t * 331 % 65_536 - 32_768) as i16).collect();
        let values: Vec<f32> = pcm_samples.iter().map(|&sample| f32::from(sample) / 32_768.0).collect();
        let mut scratch = StftScratch::default();
        for frame in 0..stft.frames(200) {
            let power = |scratch: &mut StftScratch, pcm: bool| {
                let mut power = vec![[0.0; frame_pair::LANES]; frame_pair::groups(64)];
                match pcm {
                    true => stft.power_pair(&pcm_samples, [frame, 3], scratch, &mut power),
                    false => stft.power_pair(&values, [frame, 3], scratch, &mut power),
                }
                power
            };
            assert_eq!(power(&mut scratch, true), power(&mut scratch, false));
        }
    }

    #[test]
    fn inverse_transform_returns_both_windowed_frames() {
        let stft = Stft::new(128, 32);
        let samples: Vec<f32> = (0..400).map(|t| (t as f32 * 0.2).sin()).collect();
        let (mut scratch, mut frames) = (StftScratch::default(), [Polar::default(), Polar::default()]);
        frames.iter_mut().for_each(|frame| frame.resize(stft.bins()));
        polar::separate(stft.pair(&samples, [5, 8], &mut scratch), 1.0 / 128.0, &mut frames);
        let spectra = frames.map(|Polar { magnitudes, phasors }| {
            let times = |part: &[f32]| {
                magnitudes
                    .iter()
                    .zip(part)
                    .map(|(magnitude, part)| magnitude * part)
                    .collect()
            };
            Bins {
                re: times(&phasors.re),
                im: times(&phasors.im),
            }
        });
        for (t, value) in stft.inverse_pair(&spectra, &mut scratch).iter().enumerate() {
            for (frame, value) in [(5, value.re), (8, value.im)] {
                let expected = samples[frame * 32 - 64 + t] * stft.window()[t];
                assert!((value - expected).abs() < 1e-6, "{frame}: {t}");
            }
        }
    }

    #[test]
    fn frame_with_zeros_only_is_silent() {
        let stft = Stft::new(8, 4);
        // Frame 1 has samples 0 to 7, of which the first has the weight 0.
        for (at, silent) in [(0, true), (1, false), (7, false), (8, true)] {
            let mut samples = [0.0; 12];
            samples[at] = 1.0;
            assert_eq!(stft.is_silent(&samples, 1), silent, "{at}");
        }
        assert!(stft.is_silent(&[], 0) && stft.is_silent(&[1.0], 2) && !stft.is_silent(&[1.0], 0));
    }
}
