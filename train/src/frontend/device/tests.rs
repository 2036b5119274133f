//! Compares the device's front end with the host's on the same clips, and with librosa's results. Each test prints its
//! largest error (`--nocapture`).

use super::*;
use crate::data::run_data::RunData;
use crate::frontend::testing::clip;
use crate::models::ModelKind;
use crate::testing;
use safetensors::SafeTensors;
use shared::dsp::phase_vocoder::TimeStretchScratch;
use tempfile::TempDir;

const BOTH: InputKind = InputKind {
    waveform: Some(WaveformKind::Normalized),
    spectrogram: Some(SpectrogramKind::Mel),
    statistics: false,
};

// Each bound is a few times the largest observed error, which is in parentheses.

/// Per value within 80 dB of the clip's maximum: two FFTs in f32, and two vocoders for a stretched clip (1.3e-3).
const DECIBEL_TOLERANCE: f64 = 0.005;
/// The same samples through the same two operations (0).
const WAVEFORM_TOLERANCE: f64 = 1e-6;
/// Vocoder on the host and on the device, on noisy tones (104).
const STRETCH_SNR_DB: f64 = 90.0;
/// The same for a clean sweep. Before the sweep reaches a bin, its phase is only rounding error, which then stays in
/// the sum (75).
const SWEEP_SNR_DB: f64 = 60.0;
/// Relative to a frame's largest power in librosa with f64 (3.1e-7).
const GOLDEN_POWER_TOLERANCE: f64 = 3e-6;
/// Per value within 80 dB of the clip's maximum, compared with librosa in f64 (3.8e-5).
const GOLDEN_DECIBEL_TOLERANCE: f64 = 5e-4;
/// Signal-to-error ratio, compared with librosa in f64 (93). librosa in f32 reaches 43 to 48 dB.
const GOLDEN_SNR_DB: f64 = 85.0;

/// All tests run on the CPU, or on the device of `scripts/test_gpu.sh`.
fn device() -> Device {
    testing::named_device().unwrap_or_else(Device::flex)
}

/// On the CPU all values must be equal. A GPU may choose other kernels for another batch, which round differently.
fn assert_same(found: &[f32], expected: &[f32]) {
    if device() == Device::flex() {
        assert_eq!(found, expected);
        return;
    }
    assert_eq!(found.len(), expected.len());
    let worst = largest_difference(found, expected);
    assert!(worst < 1e-3, "{worst}");
}

fn data() -> (TempDir, RunData) {
    let root = testing::dataset();
    let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
    (root, data)
}

fn front_end(data: &RunData, device: &Device) -> DeviceFrontEnd {
    DeviceFrontEnd::new(
        BOTH,
        data.dataset.features(),
        (Normalize::ZScore, &data.split.normalization),
        device,
    )
    .unwrap()
}

fn plan(noise: Option<f32>, stretch: Option<f64>, track: u64) -> ClipPlan {
    ClipPlan {
        hop: 0,
        noise,
        stretch,
        key: [1, 2, track],
        ..ClipPlan::default()
    }
}

/// Raw samples of the tracks at `positions`, each `length` long.
fn pcm(data: &RunData, positions: &[usize], plans: &[ClipPlan], length: usize) -> Vec<i16> {
    let mut values = vec![0i16; positions.len() * length];
    for ((row, &position), plan) in values.chunks_exact_mut(length).zip(positions).zip(plans) {
        let track = data.dataset.waveform(position);
        let track = &track[(plan.hop * 1024).min(track.len())..];
        let available = track.len().min(length);
        row[..available].copy_from_slice(&track[..available]);
    }
    values
}

/// Samples as the front end takes them.
fn bytes(samples: &[i16]) -> Bytes {
    Bytes::from_elems(bytemuck::pod_collect_to_vec::<i16, i32>(samples))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// The host's result for a clip. A clip without noise gets noise of amplitude 0, so the host computes its mel
/// spectrogram instead of cutting it out of the stored one.
fn host(data: &RunData, position: usize, plan: &ClipPlan) -> (Vec<f32>, Vec<f32>) {
    let noise = plan.noise.or(Some(0.0));
    clip(data, position, &ClipPlan { noise, ..*plan })
}

fn largest_difference<'a>(ours: impl IntoIterator<Item = &'a f32>, truth: impl IntoIterator<Item = &'a f32>) -> f64 {
    let differences = ours.into_iter().zip(truth).map(|(a, b)| f64::from((a - b).abs()));
    differences.fold(0.0, f64::max)
}

/// Largest difference in dB between normalized spectrograms `[128, 512]`.
fn largest_decibels(data: &RunData, ours: &[f32], truth: &[f32]) -> f64 {
    let bands = ours.chunks_exact(512).zip(truth.chunks_exact(512));
    let stds = &data.split.normalization.mel_std;
    bands
        .zip(stds)
        .map(|((ours, truth), std)| largest_difference(ours, truth) * std)
        .fold(0.0, f64::max)
}

fn snr(ours: &[f32], truth: &[f32]) -> f64 {
    assert_eq!(ours.len(), truth.len());
    let energy = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
    let noise = energy(&mut truth.iter().zip(ours).map(|(a, b)| a - b));
    10.0 * (energy(&mut truth.iter().copied()) / noise).log10()
}

#[test]
fn a_batch_of_plain_noisy_and_stretched_clips_matches_the_host() {
    let (_root, data) = data();
    // Track 0 is one clip long, so its source ends in zeros at rate 1.25. Track 7 is 35,000 samples longer, which is
    // not enough for 1.07. The first and the last clip begin late and also end in zeros.
    let positions = [4, 0, 7, 1, 7, 3];
    let plans = [
        ClipPlan {
            hop: 40,
            ..plan(None, None, 0)
        },
        plan(None, Some(1.25), 1),
        plan(None, Some(0.8), 2),
        plan(Some(0.0), Some(0.93), 3),
        plan(None, Some(1.07), 4),
        ClipPlan {
            hop: 3,
            ..plan(Some(0.0), None, 5)
        },
    ];
    let length = plan(None, Some(1.25), 0).source_samples(1 << 19);
    let device = device();
    let made = front_end(&data, &device).run(bytes(&pcm(&data, &positions, &plans, length)), &plans);
    let (waveform, mel) = (made.waveform.unwrap(), made.spectrogram.unwrap());
    assert_eq!(waveform.dims(), [6, 1, 1 << 19]);
    assert_eq!(mel.dims(), [6, 1, 128, 512]);
    let (waveform, mel) = (values(waveform), values(mel));
    for (row, (position, plan)) in positions.iter().zip(&plans).enumerate() {
        let (host_waveform, host_mel) = host(&data, *position, plan);
        let waveform = &waveform[row << 19..][..1 << 19];
        let decibels = largest_decibels(&data, &mel[row << 16..][..1 << 16], &host_mel);
        match plan.stretch {
            None => {
                let worst = largest_difference(waveform, &host_waveform);
                println!("plain clip: waveform {worst:.2e} standard deviations, mel {decibels:.2e} dB");
                assert!(worst < WAVEFORM_TOLERANCE && decibels < DECIBEL_TOLERANCE);
            }
            Some(rate) => {
                let snr = snr(waveform, &host_waveform);
                println!("rate {rate}: waveform SNR {snr:.1} dB, mel {decibels:.2e} dB");
                assert!(snr > STRETCH_SNR_DB && decibels < DECIBEL_TOLERANCE);
            }
        }
    }
}

#[test]
fn gain_polarity_and_masks_match_the_host() {
    let (_root, data) = data();
    let augment = Augment {
        gain: true,
        polarity: true,
        spec_augment: true,
        ..Augment::NONE
    };
    let positions = [4, 0, 7, 1, 3];
    let mut plans = positions.map(|position| {
        // Noise of amplitude 0, so the host computes the spectrogram of a clip with unchanged samples too.
        ClipPlan {
            hop: 0,
            noise: Some(0.0),
            ..ClipPlan::training(augment, 3, 0, position as u64, 1 << 19, 0, data.dataset.features())
        }
    });
    plans[0].gain_db = Some(-5.0);
    plans[1].gain_db = Some(5.5);
    plans[1].invert = true;
    plans[2].stretch = Some(0.9);
    plans[4].spec_augment = None;
    let length = plan(None, Some(1.25), 0).source_samples(1 << 19);
    let made = front_end(&data, &device()).run(bytes(&pcm(&data, &positions, &plans, length)), &plans);
    let (waveform, mel) = (values(made.waveform.unwrap()), values(made.spectrogram.unwrap()));
    let mut masked = 0;
    for (row, (position, plan)) in positions.iter().zip(&plans).enumerate() {
        let (host_waveform, host_mel) = clip(&data, *position, plan);
        let snr = snr(&waveform[row << 19..][..1 << 19], &host_waveform);
        let mel = &mel[row << 16..][..1 << 16];
        let decibels = largest_decibels(&data, mel, &host_mel);
        println!("{plan:?}: waveform SNR {snr:.1} dB, mel {decibels:.2e} dB");
        assert!(snr > STRETCH_SNR_DB && decibels < DECIBEL_TOLERANCE);
        let unmasked = ClipPlan {
            spec_augment: None,
            ..*plan
        };
        let (_, unmasked) = clip(&data, *position, &unmasked);
        let changed = host_mel.iter().zip(&unmasked).filter(|(a, b)| a != b).count();
        assert_eq!(changed > 0, plan.spec_augment.is_some());
        masked += changed;
    }
    // The expected fraction is about 1 - (1 - 1/16)^2 (1 - 1/32)^2 = 0.175 of four clips.
    assert!((20_000..90_000).contains(&masked), "{masked}");
}

#[test]
fn noise_has_the_planned_level_and_depends_on_the_key_only() {
    let (_root, data) = data();
    let device = device();
    let front_end = front_end(&data, &device);
    let run = |plans: &[ClipPlan], length: usize| {
        let positions = vec![2; plans.len()];
        values(
            front_end
                .run(bytes(&pcm(&data, &positions, plans, length)), plans)
                .waveform
                .unwrap(),
        )
    };
    let (clean, noisy) = (plan(None, None, 7), plan(Some(0.01), None, 7));
    let made = run(&[noisy, clean, plan(Some(0.002), None, 8)], 1 << 19);
    let [first, clean, other] = [0, 1, 2].map(|row| &made[row << 19..][..1 << 19]);
    for (noisy, planned) in [(first, 0.01), (other, 0.002)] {
        let power: f64 = noisy.iter().zip(clean).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let amplitude = (power / clean.len() as f64).sqrt() * data.split.normalization.waveform_std;
        // The standard error is a thousandth of the amplitude.
        assert!((amplitude / planned - 1.0).abs() < 0.005, "{amplitude} for {planned}");
    }
    // In other rows of another batch, with more samples than the clips need.
    let elsewhere = run(&[plan(Some(0.002), None, 8), noisy], (1 << 19) + 9000);
    assert_same(&elsewhere[1 << 19..], first);
    assert_same(&elsewhere[..1 << 19], other);
}

#[test]
fn silence_gives_finite_input_and_samples_after_the_source_are_ignored() {
    let (_root, data) = data();
    let device = device();
    let front_end = front_end(&data, &device);
    let plans = [
        plan(None, None, 0),
        plan(None, Some(0.9), 1),
        plan(Some(0.01), Some(0.9), 2),
    ];
    let length = plan(None, Some(1.25), 0).source_samples(1 << 19);
    let mut source = vec![0i16; 3 * length];
    let made = |source: &[i16]| {
        let made = front_end.run(bytes(source), &plans);
        (values(made.waveform.unwrap()), values(made.spectrogram.unwrap()))
    };
    let (waveform, mel) = made(&source);
    assert!(waveform.iter().chain(&mel).all(|value| value.is_finite()));
    let mean = front_end.waveform_mean as f32 * front_end.waveform_scale as f32;
    assert!(waveform[..2 << 19].iter().all(|value| (value + mean).abs() < 1e-6));
    for (row, plan) in source.chunks_exact_mut(length).zip(&plans) {
        row[plan.source_samples(1 << 19)..].fill(i16::MIN);
    }
    let again = made(&source);
    assert_same(&again.0, &waveform);
    assert_same(&again.1, &mel);
}

#[test]
fn input_on_an_autodiff_device_is_a_constant() {
    let (_root, data) = data();
    let device = device().autodiff();
    let plans = [plan(None, None, 0)];
    let made = front_end(&data, &device).run(bytes(&pcm(&data, &[0], &plans, 1 << 19)), &plans);
    let (waveform, mel) = (made.waveform.unwrap(), made.spectrogram.unwrap());
    assert!(waveform.is_autodiff() && !waveform.is_tracked());
    assert!(mel.is_autodiff() && !mel.is_tracked());
}

#[test]
fn unsupported_settings_are_errors() {
    let (_root, data) = data();
    let normalization = &data.split.normalization;
    let new =
        |features: &FeatureConfig| DeviceFrontEnd::new(BOTH, features, (Normalize::ZScore, normalization), &device());
    let features = FeatureConfig::default();
    let odd = FeatureConfig {
        n_fft: 4000,
        ..features.clone()
    };
    assert_eq!(new(&odd).unwrap_err(), UnsupportedFeatures::FftLength(4000));
    let long = FeatureConfig {
        clip_samples: 1 << 25,
        ..features
    };
    assert!(new(&long).unwrap_err().to_string().contains("33554432 samples"));
}

fn golden(name: &str) -> (Vec<f32>, Vec<usize>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/golden.safetensors");
    let file = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let tensor = file.tensor(name).unwrap();
    let values = bytemuck::allocation::pod_collect_to_vec(tensor.data());
    (values, tensor.shape().to_vec())
}

#[test]
fn mel_spectrogram_matches_librosa() {
    let device = device();
    let normalization = Normalization {
        tracks: 1,
        waveform_mean: 0.0,
        waveform_std: 1.0,
        mel_mean: vec![0.0; 128],
        mel_std: vec![1.0; 128],
        constant_bands: Vec::new(),
    };
    let mel = MelDecibels::new(&FeatureConfig::default(), &normalization, &device);
    let (samples, shape) = golden("input/waveform");
    let samples: Tensor<2> = Tensor::from_data(TensorData::new(samples, [1, shape[0]]), &device);
    let (truth, shape) = golden("mel/power");
    let (n_mels, frames) = (shape[0], shape[1]);
    let power = mel.power(samples.clone(), frames);
    let ours = values(power);
    let mut worst = 0.0f64;
    for frame in 0..frames {
        let column: Vec<f32> = truth[frame..].iter().step_by(frames).copied().collect();
        let top = f64::from(column.iter().copied().fold(0.0, f32::max));
        worst = worst.max(largest_difference(&ours[frame * n_mels..][..n_mels], &column) / top);
    }
    println!("mel/power: largest error {worst:.2e} of the frame's maximum");
    assert!(worst <= GOLDEN_POWER_TOLERANCE);
    let (truth, _) = golden("mel/db_ref_max_top80");
    let worst = largest_difference(&values(mel.normalized(samples, frames)), &truth);
    println!("mel/db_ref_max_top80: largest error {worst:.2e} dB");
    assert!(worst <= GOLDEN_DECIBEL_TOLERANCE);
}

#[test]
fn time_stretch_matches_librosa() {
    let device = device();
    let (samples, shape) = golden("input/waveform");
    for rate in [0.8, 1.25] {
        let (truth, _) = golden(&format!("time_stretch/{rate}"));
        let source: Tensor<2> = Tensor::from_data(TensorData::new(samples.clone(), [1, shape[0]]), &device);
        let speed = Speed {
            source_samples: shape[0],
            rate,
        };
        let ours = values(DeviceStretch::new(truth.len(), &device).run(source, &[speed]));
        let snr = snr(&ours, &truth);
        println!("time_stretch/{rate}: SNR {snr:.1} dB");
        assert!(snr >= GOLDEN_SNR_DB);
    }
}

#[test]
fn stretching_any_length_matches_the_host() {
    let device = device();
    let host = shared::dsp::phase_vocoder::TimeStretch::new(2048, 512);
    for clip_samples in [1, 511, 512, 1024, 2049, 10_000] {
        let speeds = [0.8, 1.0, 1.19, 2.0].map(|rate| Speed {
            source_samples: (clip_samples as f64 * rate).ceil() as usize,
            rate,
        });
        let length = 2 * clip_samples + 700;
        // Samples after each clip's source are not zero.
        let samples: Vec<f32> = (0..4 * length).map(|t| (1.0 + (t * t) as f32 * 1e-3).sin()).collect();
        let rows: Tensor<2> = Tensor::from_data(TensorData::new(samples.clone(), [4, length]), &device);
        let made = values(DeviceStretch::new(clip_samples, &device).run(rows, &speeds));
        for (row, speed) in speeds.iter().enumerate() {
            let mut truth = vec![0.0; clip_samples];
            let source = &samples[row * length..][..speed.source_samples];
            host.stretch(source, speed.rate, &mut TimeStretchScratch::default(), &mut truth);
            let ours = &made[row * clip_samples..][..clip_samples];
            let snr = snr(ours, &truth);
            assert!(snr > SWEEP_SNR_DB, "{clip_samples} samples, {speed:?}: {snr:.1} dB");
        }
    }
}

#[test]
fn presets_match_the_host() {
    use crate::frontend::spectrogram::{SpectrogramMaker, SpectrogramScratch};
    use clap::ValueEnum;
    use shared::dsp::feature_preset::FeaturePreset;
    let device = device();
    let input = InputKind { waveform: None, ..BOTH };
    for preset in FeaturePreset::value_variants() {
        // Few frames, and a clip that is not a whole number of hops long if the settings allow it.
        let mut features = preset.config();
        features.clip_samples = 10 * features.n_fft + usize::from(features.final_frame) * features.hop_length / 2;
        features.validate().unwrap();
        let normalization = Normalization {
            tracks: 1,
            waveform_mean: 0.0,
            waveform_std: 1.0,
            mel_mean: vec![3.0; features.n_mels],
            mel_std: vec![2.0; features.n_mels],
            constant_bands: Vec::new(),
        };
        let mut noise = 1u32;
        let samples: Vec<i16> = (0..2 * features.clip_samples)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 18) as i16 - 8192
            })
            .collect();
        for normalize in [Normalize::None, Normalize::Mean, Normalize::ZScore] {
            let on_device = DeviceFrontEnd::new(input, &features, (normalize, &normalization), &device).unwrap();
            let plans = [ClipPlan::default(); 2];
            let ours = on_device.run(bytes(&samples), &plans).spectrogram.unwrap();
            assert_eq!(ours.dims(), [2, 1, features.n_mels, features.clip_frames()]);
            let on_host = SpectrogramMaker::new(SpectrogramKind::Mel, &features, normalize, &normalization);
            let mut truth = Vec::new();
            for clip in samples.chunks_exact(features.clip_samples) {
                let clip: Vec<f32> = clip.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
                let mut out = vec![0.0; features.n_mels * features.clip_frames()];
                on_host.compute(&clip, None, &mut SpectrogramScratch::default(), &mut out);
                truth.extend(out);
            }
            let worst = largest_difference(&values(ours), &truth);
            println!("{preset:?}, {normalize:?}: largest difference {worst:.2e} dB");
            assert!(worst < DECIBEL_TOLERANCE);
        }
    }
}

#[test]
fn positions_count_from_zero() {
    for count in [1, 2, 3, 1000, 70_001] {
        let made: Vec<i32> = positions(count, &device()).into_data().try_to_vec().unwrap();
        assert!(made.into_iter().eq(0..count as i32), "{count}");
    }
}

#[test]
fn pairs_of_samples_are_unpacked_exactly() {
    let pcm = [
        i16::MIN,
        i16::MAX,
        -1,
        1,
        0,
        -2,
        256,
        -257,
        32,
        i16::MIN,
        7,
        -7,
        3,
        4,
        -32_767,
    ];
    for (clips, count) in [(1, 2), (7, 14), (2, 12), (3, 12)] {
        let unpacked = unpack(bytes(&pcm[..count]), clips, &device());
        assert_eq!(unpacked.dims(), [clips, count / clips]);
        let expected: Vec<f32> = pcm[..count].iter().map(|&sample| f32::from(sample)).collect();
        assert_eq!(values(unpacked), expected);
    }
}
