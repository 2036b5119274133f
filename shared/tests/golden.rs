//! Compares the signal processing with librosa and scipy. Each test prints its largest error; see it with
//! `--nocapture`.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the golden file fails with the place where it tried"
)]

use ndarray::Array2;
use safetensors::SafeTensors;
use shared::dataset::statistics::{CHROMA_STATISTICS, MFCC_STATISTICS};
use shared::dsp::decibel::{Reference, power_to_db};
use shared::dsp::features::FeatureConfig;
use shared::dsp::mel::{MelFilterBank, MelScratch, MelSpectrogram};
use shared::dsp::pcm8;
use shared::dsp::phase_vocoder::{TimeStretch, TimeStretchScratch};
use shared::dsp::pitch_shift::{PitchShift, PitchShiftScratch};
use shared::dsp::psd::{PsdScratch, PsdSpectrogram, clamp_to_unit};
use shared::dsp::track_statistics::{TrackStatistics, TrackStatisticsScratch};

/// Absolute, for f32 weights up to 0.02.
const FILTER_TOLERANCE: f32 = 1e-6;
/// Relative to the maximum power of the frame. Compares an f32 FFT of 4096 samples with an f64 FFT.
const POWER_TOLERANCE: f32 = 1e-4;
/// Absolute, for values within 80 dB of the maximum of the clip.
const DECIBEL_TOLERANCE: f32 = 0.01;
/// Minimum SNR relative to librosa in f64; librosa in f32 reaches 43 to 48 dB.
const STRETCH_SNR_DB: f64 = 55.0;
/// Absolute, for coefficients up to 1000: f32 sums of 128 values, each exact to 5e-5 dB.
const MFCC_TOLERANCE: f32 = 1e-3;
/// Absolute, for values up to 1.
const CHROMA_TOLERANCE: f32 = 1e-5;
/// For the statistics of both: absolute up to 1, relative above.
const STATISTICS_TOLERANCE: f32 = 1e-4;
/// Relative to the maximum density of the frame. scipy also transforms f32 samples in f32.
const PSD_TOLERANCE: f32 = 1e-5;
/// Absolute, for densities up to 1.
const CLAMPED_TOLERANCE: f32 = 1e-5;
/// Minimum SNR relative to librosa, whose resampler (soxr) has a different transition band.
const PITCH_SHIFT_SNR_DB: f64 = 60.0;

fn golden(name: &str) -> (Vec<f32>, Vec<usize>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/golden.safetensors");
    let file = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let tensor = file.tensor(name).unwrap();
    (
        bytemuck::allocation::pod_collect_to_vec(tensor.data()),
        tensor.shape().to_vec(),
    )
}

fn matrix(name: &str) -> Array2<f32> {
    let (values, shape) = golden(name);
    Array2::from_shape_vec((shape[0], shape[1]), values).unwrap()
}

fn mel_power() -> Array2<f32> {
    let mel = MelSpectrogram::new(&FeatureConfig::default());
    let (samples, _) = golden("input/waveform");
    let mut power = Array2::zeros((128, mel.frames(samples.len())));
    mel.power(&samples, &mut MelScratch::default(), power.view_mut());
    power
}

#[test]
fn mel_filter_bank_matches_librosa() {
    let ours = MelFilterBank::new(44_100, 4096, 128, 0.0, 22_050.0).to_dense();
    let truth = matrix("mel/filterbank");
    assert_eq!(ours.dim(), truth.dim());
    let worst = ours.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("mel/filterbank: largest absolute error {worst:.2e}");
    assert!(worst <= FILTER_TOLERANCE);
}

#[test]
fn mel_power_matches_librosa() {
    let (ours, truth) = (mel_power(), matrix("mel/power"));
    assert_eq!(ours.dim(), truth.dim());
    let mut worst = 0.0f32;
    for (ours, truth) in ours.columns().into_iter().zip(truth.columns()) {
        let top = truth.iter().copied().fold(0.0, f32::max);
        worst = ours
            .iter()
            .zip(truth)
            .fold(worst, |worst, (a, b)| worst.max((a - b).abs() / top));
    }
    println!("mel/power: largest error {worst:.2e} of the frame's maximum");
    assert!(worst <= POWER_TOLERANCE);
}

#[test]
fn decibels_match_librosa() {
    let mut ours = mel_power();
    power_to_db(ours.as_slice_mut().unwrap(), Reference::Max, Some(80.0));
    let truth = matrix("mel/db_ref_max_top80");
    let worst = ours.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("mel/db_ref_max_top80: largest error {worst:.2e} dB");
    assert!(worst <= DECIBEL_TOLERANCE);
}

#[test]
fn time_stretch_matches_librosa() {
    let (samples, _) = golden("input/waveform");
    for rate in [0.8, 1.25] {
        let (truth, _) = golden(&format!("time_stretch/{rate}"));
        assert_eq!(TimeStretch::stretched_len(samples.len(), rate), truth.len());
        let mut ours = vec![0.0; truth.len()];
        let mut scratch = TimeStretchScratch::default();
        TimeStretch::new(2048, 512).stretch(&samples, rate, &mut scratch, &mut ours);
        let snr = snr_db(&ours, &truth);
        println!("time_stretch/{rate}: SNR {snr:.1} dB");
        assert!(snr >= STRETCH_SNR_DB);
    }
}

/// The largest of `|ours − truth| / scale(truth)`.
fn worst_by(ours: &[f32], truth: &[f32], scale: impl Fn(f32) -> f32) -> f32 {
    assert_eq!(ours.len(), truth.len());
    let errors = ours.iter().zip(truth).map(|(a, b)| (a - b).abs() / scale(*b));
    // `<=` is false for NaN, so NaN becomes the result.
    errors.fold(0.0, |worst, error| if error <= worst { worst } else { error })
}

fn snr_db(ours: &[f32], truth: &[f32]) -> f64 {
    assert_eq!(ours.len(), truth.len());
    let energy = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
    let signal = energy(&mut truth.iter().copied());
    let noise = energy(&mut truth.iter().zip(ours).map(|(a, b)| a - b));
    10.0 * (signal / noise).log10()
}

/// MFCCs `[20, frames]` and chroma `[12, frames]` of the waveform.
fn track_features() -> [Array2<f32>; 2] {
    let (samples, _) = golden("input/waveform");
    let plan = TrackStatistics::new(44_100);
    let frames = plan.frames(samples.len());
    let (mut mfcc, mut chroma) = (Array2::zeros((20, frames)), Array2::zeros((12, frames)));
    let mut scratch = TrackStatisticsScratch::default();
    plan.features(&samples, &mut scratch, mfcc.view_mut(), chroma.view_mut());
    [mfcc, chroma]
}

#[test]
fn mfcc_and_chroma_match_librosa() {
    let [mfcc, chroma] = track_features();
    for (name, ours, tolerance) in [
        ("mfcc/coefficients", mfcc, MFCC_TOLERANCE),
        ("chroma/frames", chroma, CHROMA_TOLERANCE),
    ] {
        let truth = matrix(name);
        assert_eq!(ours.dim(), truth.dim());
        let worst = worst_by(ours.as_slice().unwrap(), truth.as_slice().unwrap(), |_| 1.0);
        println!("{name}: largest absolute error {worst:.2e}");
        assert!(worst <= tolerance);
    }
}

#[test]
fn track_statistics_match_librosa_and_scipy() {
    let (samples, _) = golden("input/waveform");
    let (mut mfcc, mut chroma) = (vec![0.0; MFCC_STATISTICS], vec![0.0; CHROMA_STATISTICS]);
    let mut scratch = TrackStatisticsScratch::default();
    TrackStatistics::new(44_100).compute(&samples, &mut scratch, &mut mfcc, &mut chroma);
    for (name, ours) in [("mfcc/statistics", mfcc), ("chroma/statistics", chroma)] {
        let (truth, shape) = golden(name);
        assert_eq!(shape[0], 7);
        let worst = worst_by(&ours, &truth, |truth| truth.abs().max(1.0));
        println!("{name}: largest error {worst:.2e}, relative above 1");
        assert!(worst <= STATISTICS_TOLERANCE);
    }
}

#[test]
fn power_spectral_density_matches_scipy() {
    let (samples, _) = golden("psd/input_pcm8");
    let psd = PsdSpectrogram::new(16_000);
    let mut ours = Array2::zeros((129, psd.frames(samples.len())));
    psd.power(&samples, &mut PsdScratch::default(), ours.view_mut());
    let truth = matrix("psd/spectrogram");
    assert_eq!(ours.dim(), truth.dim());
    let mut worst = 0.0f32;
    for (ours, truth) in ours.columns().into_iter().zip(truth.columns()) {
        let top = truth.iter().copied().fold(0.0, f32::max);
        worst = worst.max(worst_by(&ours.to_vec(), &truth.to_vec(), |_| top));
    }
    println!("psd/spectrogram: largest error {worst:.2e} of the frame's maximum");
    assert!(worst <= PSD_TOLERANCE);
    clamp_to_unit(ours.view_mut(), 512.0);
    let truth = matrix("psd/clamped_unit");
    let worst = worst_by(ours.as_slice().unwrap(), truth.as_slice().unwrap(), |_| 1.0);
    println!("psd/clamped_unit: largest absolute error {worst:.2e}");
    assert!(worst <= CLAMPED_TOLERANCE);
}

#[test]
fn eight_bit_samples_match_numpy() {
    let (steps, _) = golden("psd/input_pcm8");
    let values: Vec<f32> = steps.iter().map(|step| step / 128.0).collect();
    let mut pcm8 = vec![0; values.len()];
    pcm8::quantize(&values, &mut pcm8);
    assert!(pcm8.iter().zip(&steps).all(|(&ours, &truth)| f32::from(ours) == truth));
    let mut back = vec![0.0; values.len()];
    pcm8::dequantize(&pcm8, &mut back);
    assert_eq!(back, values);
}

#[test]
fn pitch_shift_matches_librosa() {
    let (samples, _) = golden("input/waveform");
    let (truth, _) = golden("pitch_shift/2");
    let mut ours = vec![0.0; truth.len()];
    let mut scratch = PitchShiftScratch::default();
    PitchShift::new(2048, 512).shift(&samples, 2.0, &mut scratch, &mut ours);
    let snr = snr_db(&ours, &truth);
    println!("pitch_shift/2: SNR {snr:.1} dB");
    assert!(snr >= PITCH_SHIFT_SNR_DB);
}
