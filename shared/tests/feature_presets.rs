//! Compares the mel spectrograms of the feature presets with torchaudio and librosa. The expected values are written by
//! `scripts/reference/make_features_golden.py`. Each test prints its largest error; see it with `--nocapture`.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the golden file fails with the place where it tried"
)]

use ndarray::{Array2, Axis, Slice};
use safetensors::SafeTensors;
use shared::dsp::feature_preset::FeaturePreset;
use shared::dsp::features::{DbReference, FeatureConfig};
use shared::dsp::mel::{MelFilterBank, MelScratch, MelSpectrogram};

const PRESETS: [(&str, FeaturePreset); 5] = [
    ("won", FeaturePreset::Won),
    ("won-128", FeaturePreset::Won128),
    ("choi", FeaturePreset::Choi),
    ("dwivedi", FeaturePreset::Dwivedi),
    ("dong", FeaturePreset::Dong),
];

/// Relative to the bank's largest weight. librosa computes weights in f64 (5e-8) and torchaudio in f32.
const FILTER_TOLERANCE: f32 = 1e-6;
const TORCHAUDIO_FILTER_TOLERANCE: f32 = 1e-4;
/// Relative to the maximum power of a pair of frames, which are transformed at once: a silent frame has the rounding
/// errors of the other one.
const POWER_TOLERANCE: f32 = 1e-4;
/// Absolute, for values at most 80 dB below the maximum.
const DECIBEL_TOLERANCE: f32 = 0.01;

fn golden(name: &str) -> Array2<f32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/features.safetensors");
    let file = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let tensor = file.tensor(name).unwrap();
    let values = bytemuck::allocation::pod_collect_to_vec(tensor.data());
    Array2::from_shape_vec((tensor.shape()[0], tensor.shape()[1]), values).unwrap()
}

/// The same as `samples` in the script.
fn samples() -> Vec<i16> {
    let sample = |at: u32| {
        let mut x = at;
        x ^= x >> 16;
        x = x.wrapping_mul(0x85EB_CA6B);
        x ^= x >> 13;
        x = x.wrapping_mul(0xC2B2_AE35);
        x ^= x >> 16;
        let noise = (x >> 17) as i32 - 16_384;
        if (5000..7000).contains(&at) {
            0
        } else {
            (noise >> (at / 3000)) as i16
        }
    };
    (0..12_000).map(sample).collect()
}

/// Every third band, as stored.
fn thirds(spectrogram: &Array2<f32>) -> Array2<f32> {
    spectrogram.slice_axis(Axis(0), Slice::new(0, None, 3)).to_owned()
}

fn power(features: &FeatureConfig) -> Array2<f32> {
    let (mel, samples) = (MelSpectrogram::new(features), samples());
    let mut power = Array2::zeros((features.n_mels, mel.frames(samples.len())));
    mel.power(&samples, &mut MelScratch::default(), power.view_mut());
    power
}

#[test]
fn filter_banks_match_torchaudio_and_librosa() {
    for (name, preset) in PRESETS {
        let ours = MelFilterBank::for_features(&preset.config()).to_dense();
        let sparse = golden(&format!("{name}/filters"));
        assert_eq!(sparse.nrows(), ours.nrows());
        let mut truth = Array2::zeros(ours.dim());
        for (mut row, stored) in truth.rows_mut().into_iter().zip(sparse.rows()) {
            let first = stored[0] as usize;
            for (at, weight) in stored.iter().skip(1).enumerate().filter(|(_, weight)| **weight > 0.0) {
                row[first + at] = *weight;
            }
        }
        let top = truth.iter().copied().fold(0.0, f32::max);
        let worst = ours.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / top;
        println!("{name}/filters: largest error {worst:.2e} of the largest weight");
        assert!(
            worst
                <= if name.starts_with("won") {
                    TORCHAUDIO_FILTER_TOLERANCE
                } else {
                    FILTER_TOLERANCE
                }
        );
    }
}

#[test]
fn powers_match_torchaudio_and_librosa() {
    for (name, preset) in PRESETS {
        let (ours, truth) = (thirds(&power(&preset.config())), golden(&format!("{name}/power")));
        assert_eq!(ours.dim(), truth.dim());
        let mut worst = 0.0f32;
        for frame in 0..truth.ncols() {
            let pair = [frame & !1, (frame | 1).min(truth.ncols() - 1)];
            let values = pair.into_iter().flat_map(|frame| truth.column(frame));
            let top = values.copied().fold(f32::MIN_POSITIVE, f32::max);
            let errors = ours
                .column(frame)
                .into_iter()
                .zip(truth.column(frame))
                .map(|(a, b)| (a - b).abs() / top);
            worst = errors.fold(worst, f32::max);
        }
        println!("{name}/power: largest error {worst:.2e} of the maximum of two frames");
        assert!(worst <= POWER_TOLERANCE);
    }
}

#[test]
fn decibels_match_torchaudio_and_librosa() {
    for (name, preset) in PRESETS {
        let features = preset.config();
        let mut ours = power(&features);
        features.decibel_scale().apply_to_power(ours.as_slice_mut().unwrap());
        let (ours, truth) = (thirds(&ours), golden(&format!("{name}/db")));
        assert_eq!(ours.dim(), truth.dim());
        let range = 80.0 * features.db_multiplier as f32 / 10.0;
        let top = truth.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let loud = ours.iter().zip(&truth).filter(|(_, truth)| **truth >= top - range);
        let errors: Vec<f32> = loud.map(|(ours, truth)| (ours - truth).abs()).collect();
        let (worst, compared) = (errors.iter().copied().fold(0.0, f32::max), errors.len());
        println!(
            "{name}/db: largest error {worst:.2e} dB in {compared} of {} values",
            truth.len()
        );
        assert!(worst <= DECIBEL_TOLERANCE && 3 * compared > 2 * truth.len());
        if features.db_reference == DbReference::One {
            // The silent frames are at the floor in both.
            let low = |values: &Array2<f32>| values.iter().copied().fold(f32::INFINITY, f32::min);
            assert!((low(&ours) - low(&truth)).abs() < DECIBEL_TOLERANCE);
        }
    }
}
