//! Input of the statistical models: seven [statistics](super::moments) over time of each MFCC and of each chroma class.
//!
//! Both are computed from one STFT with librosa's defaults: a 2048-sample window every 512 samples. Minimum cost for 30
//! seconds at 44,100 Hz, 2,584 frames, in millions of multiplications and additions:
//!
//! | step | |
//! |---|---:|
//! | windows: 2048 per frame | 5 |
//! | FFT: 5/2 · 2048 · 11 per frame | 146 |
//! | chroma: 2 · 12 · 1025 per frame | 64 |
//! | mel bands: 2 · 2014 weights per frame | 10 |
//! | decibels: 20 · 128 per frame | 7 |
//! | DCT: 2 · 20 · 128 per frame | 13 |
//! | moments: 10 · 32 per frame, in f64 | 1 |
//!
//! The total is 246. One core of an Intel Xeon takes 7.9 ms, about a third of it for the FFTs.

use super::chroma::{ChromaFilterBank, N_CHROMA};
use super::frame_pair::{self, Group};
use super::mfcc::{Bands, Mfcc, N_MELS, N_MFCC};
use super::moments::{STATISTICS, statistics};
use super::stft::{Sample, Stft, StftScratch};
use ndarray::ArrayViewMut2;

/// Window and FFT length, in samples.
const N_FFT: usize = 2048;
/// Samples between frames.
const HOP_LENGTH: usize = 512;

/// A planned computation for one sample rate.
#[derive(Clone, Debug)]
pub struct TrackStatistics {
    stft: Stft,
    mfcc: Mfcc,
    chroma: ChromaFilterBank,
}

/// One thread's working memory for [`TrackStatistics`]: 644 bytes per frame of the longest track.
#[derive(Clone, Debug, Default)]
pub struct TrackStatisticsScratch {
    stft: StftScratch,
    power: Vec<Group>,
    bands: Vec<Bands>,
    mfcc: Vec<f32>,
    chroma: Vec<f32>,
    sorting: Vec<f32>,
}

impl TrackStatistics {
    /// Plans the computation for samples at `sample_rate` Hz.
    pub fn new(sample_rate: u32) -> Self {
        Self {
            stft: Stft::new(N_FFT, HOP_LENGTH),
            mfcc: Mfcc::new(sample_rate, N_FFT),
            chroma: ChromaFilterBank::new(sample_rate, N_FFT),
        }
    }

    /// Number of frames of `samples` samples, as in librosa.
    pub fn frames(&self, samples: usize) -> usize {
        self.stft.frames(samples)
    }

    /// Writes the statistics of a track's MFCCs, 7 × 20 values, and of its chroma, 7 × 12: all means first, then all
    /// standard deviations and so on.
    ///
    /// # Panics
    /// When `mfcc` does not have 140 values or `chroma` does not have 84.
    pub fn compute<S: Sample>(
        &self,
        samples: &[S],
        scratch: &mut TrackStatisticsScratch,
        mfcc: &mut [f32],
        chroma: &mut [f32],
    ) {
        let frames = self.frames(samples.len());
        // Moved out, because `features` borrows the scratch.
        let mut mfcc_frames = std::mem::take(&mut scratch.mfcc);
        let mut chroma_frames = std::mem::take(&mut scratch.chroma);
        mfcc_frames.resize(N_MFCC * frames, 0.0);
        chroma_frames.resize(N_CHROMA * frames, 0.0);
        const FITS: &str = "the buffer was resized to this shape";
        let mfcc_view = ArrayViewMut2::from_shape((N_MFCC, frames), &mut mfcc_frames).expect(FITS);
        let chroma_view = ArrayViewMut2::from_shape((N_CHROMA, frames), &mut chroma_frames).expect(FITS);
        self.features(samples, scratch, mfcc_view, chroma_view);
        for (values, rows, out) in [(&mfcc_frames, N_MFCC, mfcc), (&chroma_frames, N_CHROMA, chroma)] {
            assert_eq!(out.len(), STATISTICS * rows, "seven statistics per row");
            for (row, values) in values.chunks_exact(frames).enumerate() {
                let statistics = statistics(values, &mut scratch.sorting);
                for (out, value) in out[row..].iter_mut().step_by(rows).zip(statistics) {
                    *out = value as f32;
                }
            }
        }
        (scratch.mfcc, scratch.chroma) = (mfcc_frames, chroma_frames);
    }

    /// Writes a track's MFCCs, `[20, frames]`, and its chroma, `[12, frames]`.
    ///
    /// # Panics
    /// When either does not have this shape.
    pub fn features<S: Sample>(
        &self,
        samples: &[S],
        scratch: &mut TrackStatisticsScratch,
        mfcc: ArrayViewMut2<'_, f32>,
        mut chroma: ArrayViewMut2<'_, f32>,
    ) {
        let frames = self.frames(samples.len());
        assert_eq!(chroma.dim(), (N_CHROMA, frames), "a row per class, a column per frame");
        scratch.power.resize(frame_pair::groups(N_FFT), Group::default());
        scratch.bands.resize(frames.div_ceil(2), [[0.0; 2]; N_MELS]);
        for (first, bands) in (0..frames).step_by(2).zip(&mut scratch.bands) {
            self.stft
                .power_pair(samples, [first, first + 1], &mut scratch.stft, &mut scratch.power);
            self.mfcc.bands(&scratch.power, bands);
            for (class, values) in self.chroma.pair(&scratch.power).into_iter().enumerate() {
                for (frame, value) in (first..frames).zip(values) {
                    chroma[[class, frame]] = value;
                }
            }
            // An unpaired last frame is transformed together with the next one, which is not used.
            if first + 1 == frames {
                bands.iter_mut().for_each(|band| band[1] = 0.0);
            }
        }
        self.mfcc.coefficients(&mut scratch.bands, mfcc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::mel::MelFilterBank;
    use ndarray::Array2;
    use rustfft::num_complex::Complex;
    use std::f64::consts::{PI, TAU};

    fn tune(length: usize) -> Vec<f32> {
        (0..length)
            .map(|t| 0.4 * (t as f32 * 0.05).sin() + 0.1 * ((t * t % 1013) as f32 / 506.0 - 1.0))
            .collect()
    }

    /// A frame's power, computed directly in f64.
    fn power(samples: &[f32], frame: usize) -> Vec<f64> {
        let sample = |t: usize| (frame * 512 + t).checked_sub(1024).and_then(|at| samples.get(at));
        let windowed: Vec<f64> = (0..2048)
            .map(|t| sample(t).map_or(0.0, |&x| f64::from(x) * (0.5 - 0.5 * (TAU * t as f64 / 2048.0).cos())))
            .collect();
        let turns: Vec<Complex<f64>> = (0..2048)
            .map(|at| Complex::from_polar(1.0, -TAU * at as f64 / 2048.0))
            .collect();
        let spectrum = |bin: usize| -> Complex<f64> { (0..2048).map(|t| turns[bin * t % 2048] * windowed[t]).sum() };
        (0..=1024).map(|bin| spectrum(bin).norm_sqr()).collect()
    }

    #[test]
    fn features_match_the_definition_at_every_length_and_rate() {
        let mut scratch = TrackStatisticsScratch::default();
        for (length, rate) in [(1, 44_100), (511, 44_100), (513, 16_000), (1537, 22_050)] {
            let (samples, plan) = (tune(length), TrackStatistics::new(rate));
            let frames = plan.frames(length);
            assert_eq!(frames, 1 + length / 512);
            let (mut mfcc, mut chroma) = (Array2::zeros((20, frames)), Array2::zeros((12, frames)));
            plan.features(&samples, &mut scratch, mfcc.view_mut(), chroma.view_mut());
            let powers: Vec<Vec<f64>> = (0..frames).map(|frame| power(&samples, frame)).collect();
            let product = |filters: &Array2<f32>, power: &[f64]| -> Vec<f64> {
                let row =
                    |row: ndarray::ArrayView1<'_, f32>| row.iter().zip(power).map(|(a, b)| f64::from(*a) * b).sum();
                filters.rows().into_iter().map(row).collect()
            };
            let mel = MelFilterBank::new(rate, 2048, 128, 0.0, rate as f32 / 2.0).to_dense();
            let decibels: Vec<Vec<f64>> = (powers.iter())
                .map(|power| {
                    product(&mel, power)
                        .iter()
                        .map(|value| 10.0 * value.max(1e-10).log10())
                        .collect()
                })
                .collect();
            let top = decibels.iter().flatten().copied().fold(f64::MIN, f64::max);
            let classes = ChromaFilterBank::new(rate, 2048).to_dense();
            for frame in 0..frames {
                for k in 0..20 {
                    let term = |(n, value): (usize, &f64)| {
                        value.max(top - 80.0) * (PI * k as f64 * (n as f64 + 0.5) / 128.0).cos()
                    };
                    let sum: f64 = decibels[frame].iter().enumerate().map(term).sum();
                    let truth = sum * if k == 0 { 1.0 } else { 2.0f64.sqrt() } / 128.0f64.sqrt();
                    let ours = f64::from(mfcc[[k, frame]]);
                    assert!(
                        (ours - truth).abs() < 0.01,
                        "{length}: coefficient {k} of frame {frame}: {ours} {truth}"
                    );
                }
                let raw = product(&classes, &powers[frame]);
                let largest = raw.iter().copied().fold(0.0, f64::max);
                for (class, value) in raw.iter().enumerate() {
                    assert!(
                        (f64::from(chroma[[class, frame]]) - value / largest).abs() < 1e-4,
                        "{length}: {class}"
                    );
                }
            }
        }
    }

    #[test]
    fn statistics_are_ordered_by_kind_and_then_by_row() {
        let plan = TrackStatistics::new(22_050);
        let samples = tune(10_001);
        let mut scratch = TrackStatisticsScratch::default();
        let (mut mfcc, mut chroma) = (vec![f32::NAN; 140], vec![f32::NAN; 84]);
        plan.compute(&samples, &mut scratch, &mut mfcc, &mut chroma);
        let frames = plan.frames(samples.len());
        let (mut coefficients, mut classes) = (Array2::zeros((20, frames)), Array2::zeros((12, frames)));
        plan.features(&samples, &mut scratch, coefficients.view_mut(), classes.view_mut());
        for (found, rows) in [(mfcc, coefficients), (chroma, classes)] {
            let count = rows.nrows();
            for (row, values) in rows.rows().into_iter().enumerate() {
                let expected = statistics(values.as_slice().unwrap(), &mut Vec::new());
                for (kind, expected) in expected.into_iter().enumerate() {
                    assert_eq!(found[kind * count + row], expected as f32);
                }
            }
        }
    }

    #[test]
    fn silent_and_empty_input_is_finite_with_a_new_or_reused_scratch() {
        let plan = TrackStatistics::new(44_100);
        let mut scratch = TrackStatisticsScratch::default();
        let run = |samples: &[i16], scratch: &mut TrackStatisticsScratch| {
            let (mut mfcc, mut chroma) = (vec![f32::NAN; 140], vec![f32::NAN; 84]);
            plan.compute(samples, scratch, &mut mfcc, &mut chroma);
            [mfcc, chroma]
        };
        let noise: Vec<i16> = (0..30_000i32).map(|t| (t * t % 65_521 - 32_760) as i16).collect();
        run(&noise, &mut scratch);
        for samples in [&[0; 20_000][..], &[], &noise[..7001]] {
            let found = run(samples, &mut scratch);
            assert!(found.iter().flatten().all(|value| value.is_finite()));
            assert_eq!(found, run(samples, &mut TrackStatisticsScratch::default()));
        }
    }
}
