//! Pitch shift, as `librosa.effects.pitch_shift`: a time stretch, followed by resampling to the original length.

use super::phase_vocoder::{TimeStretch, TimeStretchScratch};
use super::resample::{SincResampler, SincScratch};

/// Semitones in an octave.
const SEMITONES: f64 = 12.0;

/// The largest shift, in semitones: two octaves.
pub const MAX_STEPS: f64 = 24.0;

/// A planned pitch shift.
#[derive(Clone, Debug)]
pub struct PitchShift {
    stretch: TimeStretch,
    resampler: SincResampler,
}

/// One thread's working memory for [`PitchShift`], including the stretched signal.
#[derive(Clone, Debug, Default)]
pub struct PitchShiftScratch {
    stretch: TimeStretchScratch,
    resample: SincScratch,
    stretched: Vec<f32>,
}

impl PitchShift {
    /// Plans a pitch shift. librosa's defaults are `n_fft` 2048 and `hop_length` 512.
    pub fn new(n_fft: usize, hop_length: usize) -> Self {
        Self {
            stretch: TimeStretch::new(n_fft, hop_length),
            resampler: SincResampler::new(),
        }
    }

    /// Allocates the memory that shifts of `samples` samples by up to `n_steps` semitones up or down need.
    pub fn reserve(&self, samples: usize, n_steps: f64, scratch: &mut PitchShiftScratch) {
        let rate = (-n_steps.abs() / SEMITONES).exp2();
        // The lowest rate gives both the longest stretched signal and the longest resampling filter.
        let longest = TimeStretch::stretched_len(samples, rate);
        let more = longest.saturating_sub(scratch.stretched.len());
        scratch.stretched.reserve(more);
        SincResampler::reserve(rate, &mut scratch.resample);
    }

    /// Raises the pitch of `input` by `n_steps` semitones, or lowers it if `n_steps` is negative, without changing its
    /// speed. The result is as long as `input` and is cut or zero-padded to fit `out`.
    ///
    /// # Panics
    /// When `n_steps` is not a number between −[`MAX_STEPS`] and [`MAX_STEPS`].
    pub fn shift(&self, input: &[f32], n_steps: f64, scratch: &mut PitchShiftScratch, out: &mut [f32]) {
        assert!(n_steps.abs() <= MAX_STEPS, "a pitch is shifted by two octaves at most");
        let rate = (-n_steps / SEMITONES).exp2();
        let (out, after) = out.split_at_mut(out.len().min(input.len()));
        after.fill(0.0);
        // Stretch only as much as the output depends on.
        let needed = (out.len() as f64 / rate).ceil() as usize + SincResampler::reach(rate);
        let length = TimeStretch::stretched_len(input.len(), rate).min(needed);
        scratch.stretched.resize(length, 0.0);
        self.stretch
            .stretch(input, rate, &mut scratch.stretch, &mut scratch.stretched);
        self.resampler
            .resample(&scratch.stretched, rate, &mut scratch.resample, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::TAU;

    fn shift(input: &[f32], n_steps: f64, length: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; length];
        PitchShift::new(2048, 512).shift(input, n_steps, &mut PitchShiftScratch::default(), &mut out);
        out
    }

    /// A sine of `turns` cycles per sample.
    fn tone(turns: f64, length: usize) -> Vec<f32> {
        (0..length)
            .map(|t| 0.5 * (TAU * turns * t as f64).sin() as f32)
            .collect()
    }

    /// Frequency of a sine in cycles per sample, from the phase change between the two halves of its correlation with a
    /// sine of `near` cycles per sample.
    fn frequency(samples: &[f32], near: f64) -> f64 {
        let length = samples.len() / 2;
        let phase = |begin: usize| -> f64 {
            let (mut re, mut im) = (0.0, 0.0);
            for (t, &sample) in samples.iter().enumerate().skip(begin).take(length) {
                let weight = 0.5 - 0.5 * (TAU * (t - begin) as f64 / length as f64).cos();
                let (sin, cos) = (TAU * near * t as f64).sin_cos();
                re += weight * cos * f64::from(sample);
                im -= weight * sin * f64::from(sample);
            }
            im.atan2(re)
        };
        let turned = (phase(length) - phase(0)) / TAU;
        near + (turned - turned.round()) / length as f64
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn shifted_sine_has_the_shifted_frequency(turns in 0.01f64..0.1, n_steps in -12.0f64..12.0) {
            let out = shift(&tone(turns, 40_000), n_steps, 40_000);
            let shifted = turns * (n_steps / 12.0).exp2();
            let inside = &out[6000..34_000];
            let found = frequency(inside, shifted);
            // A hundredth of a semitone is 6e-4.
            prop_assert!((found / shifted - 1.0).abs() < 1e-4, "{found} for {shifted}");
            // It is not louder than before. For a steady tone between two bins the vocoder loses up to 24 % of the
            // power, as librosa does.
            let power = inside.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / inside.len() as f64;
            prop_assert!((0.7..1.01).contains(&(power / 0.125)), "{power}");
        }

        #[test]
        fn output_is_finite_for_any_shift_and_length(n_steps in -24.0f64..24.0, length in 0usize..5000, out in 0usize..6000) {
            let shifted = shift(&tone(0.02, length), n_steps, out);
            prop_assert!(shifted.iter().all(|sample| sample.is_finite() && sample.abs() < 4.0));
            prop_assert!(shifted[length.min(out)..].iter().all(|&sample| sample == 0.0));
        }
    }

    #[test]
    fn shift_by_zero_steps_changes_nothing() {
        let input = tone(0.013, 20_000);
        let worst = input
            .iter()
            .zip(shift(&input, 0.0, 20_000))
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst < 1e-5, "{worst}");
    }

    #[test]
    fn short_output_matches_the_beginning_of_the_full_output() {
        let input = tone(0.03, 30_000);
        for n_steps in [-5.0, 2.5] {
            let (short, full) = (shift(&input, n_steps, 9001), shift(&input, n_steps, 30_000));
            // The last frame is transformed with its neighbour or alone.
            assert!(short.iter().zip(&full).all(|(short, full)| (short - full).abs() < 1e-6));
        }
    }

    #[test]
    fn reused_scratch_gives_the_same_result_as_a_new_one() {
        let (shifter, mut scratch) = (PitchShift::new(2048, 512), PitchShiftScratch::default());
        let mut out = vec![0.0; 10_000];
        for (turns, n_steps) in [(0.02, 3.0), (0.05, -4.0), (0.01, 0.5)] {
            let input = tone(turns, 12_345);
            shifter.shift(&input, n_steps, &mut scratch, &mut out);
            assert_eq!(out, shift(&input, n_steps, 10_000));
        }
    }
}
