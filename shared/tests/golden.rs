//! Holds the signal processing against librosa. Each test prints its largest error; `--nocapture` shows it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the golden file fails with the place where it tried"
)]

use ndarray::Array2;
use safetensors::SafeTensors;
use shared::dsp::decibel::{Reference, power_to_db};
use shared::dsp::mel::{MelFilterBank, MelScratch, MelSpectrogram};
use shared::dsp::phase_vocoder::{TimeStretch, TimeStretchScratch};
use shared::features::FeatureConfig;

/// Of weights up to 0.02, in f32.
const FILTER_TOLERANCE: f32 = 1e-6;
/// Of a frame's largest power: an f32 FFT of 4096 samples against a f64 one.
const POWER_TOLERANCE: f32 = 1e-4;
/// Per value within 80 dB of the clip's maximum.
const DECIBEL_TOLERANCE: f32 = 0.01;
/// Below librosa in f64; librosa in f32 reaches 43 to 48 dB.
const STRETCH_SNR_DB: f64 = 55.0;

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
fn filter_bank() {
    let ours = MelFilterBank::new(44_100, 4096, 128, 0.0, 22_050.0).to_dense();
    let truth = matrix("mel/filterbank");
    assert_eq!(ours.dim(), truth.dim());
    let worst = ours.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("mel/filterbank: largest absolute error {worst:.2e}");
    assert!(worst <= FILTER_TOLERANCE);
}

#[test]
fn power() {
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
fn decibels() {
    let mut ours = mel_power();
    power_to_db(ours.as_slice_mut().unwrap(), Reference::Max, Some(80.0));
    let truth = matrix("mel/db_ref_max_top80");
    let worst = ours.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("mel/db_ref_max_top80: largest error {worst:.2e} dB");
    assert!(worst <= DECIBEL_TOLERANCE);
}

#[test]
fn time_stretch() {
    let (samples, _) = golden("input/waveform");
    for rate in [0.8, 1.25] {
        let (truth, _) = golden(&format!("time_stretch/{rate}"));
        assert_eq!(TimeStretch::stretched_len(samples.len(), rate), truth.len());
        let mut ours = vec![0.0; truth.len()];
        let mut scratch = TimeStretchScratch::default();
        TimeStretch::new(2048, 512).stretch(&samples, rate, &mut scratch, &mut ours);
        let energy = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
        let signal = energy(&mut truth.iter().copied());
        let noise = energy(&mut truth.iter().zip(&ours).map(|(a, b)| a - b));
        let snr = 10.0 * (signal / noise).log10();
        println!("time_stretch/{rate}: SNR {snr:.1} dB");
        assert!(snr >= STRETCH_SNR_DB);
    }
}
