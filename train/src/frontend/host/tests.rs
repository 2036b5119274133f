//! Clips of a small data set in the host's front end.

use super::*;
use crate::data::run_data::RunData;
use crate::frontend::testing::clip;
use crate::models::ModelKind;
use crate::testing;

#[test]
fn stored_and_computed_mel_spectrograms_agree() {
    let root = testing::dataset();
    let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
    let cut = ClipPlan {
        hop: 9,
        ..ClipPlan::default()
    };
    // Noise of amplitude 0 makes the front end compute the spectrogram and changes nothing.
    let computed = ClipPlan {
        noise: Some(0.0),
        ..cut
    };
    let ((cut_waveform, cut_mel), (waveform, mel)) = (clip(&data, 7, &cut), clip(&data, 7, &computed));
    assert_eq!(cut_waveform, waveform);
    let std = &data.split.normalization.mel_std;
    for band in 0..128 {
        // The computed first two and last two frames see zeros beyond the clip, the stored ones see the track.
        for frame in 2..510 {
            let difference = (cut_mel[band * 512 + frame] - mel[band * 512 + frame]).abs();
            // f16 has an error of half a step near 64 dB: once for the value, once for the maximum.
            assert!(f64::from(difference) * std[band] < 0.0625, "band {band}, frame {frame}");
        }
    }
}

#[test]
fn the_training_set_is_normalized_to_mean_0_and_std_1() {
    let root = testing::dataset();
    let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for position in 0..4 {
        let (waveform, _) = clip(&data, position, &ClipPlan::default());
        for value in waveform {
            sum += f64::from(value);
            squares += f64::from(value).powi(2);
            count += 1.0;
        }
    }
    // The clips omit up to 15,000 of the tracks' 540,000 samples, from which the statistics were computed.
    assert!((sum / count).abs() < 0.01 && ((squares / count).sqrt() - 1.0).abs() < 0.01);
}

#[test]
fn a_faster_clip_has_no_silent_end() {
    let root = testing::dataset();
    let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
    // Track 7 has 2^19 + 35,000 samples, enough for a rate of 1.06.
    let plan = ClipPlan {
        stretch: Some(1.06),
        ..ClipPlan::default()
    };
    let (waveform, _) = clip(&data, 7, &plan);
    let loudest = |part: &[f32]| part.iter().fold(0.0f32, |loudest, value| loudest.max(value.abs()));
    assert!(loudest(&waveform[(1 << 19) - 4000..]) > 0.5 * loudest(&waveform));
    // Track 0 is one clip long: missing samples are silence and cause no panic.
    let (waveform, mel) = clip(
        &data,
        0,
        &ClipPlan {
            stretch: Some(1.25),
            ..plan
        },
    );
    assert!(waveform.iter().chain(&mel).all(|value| value.is_finite()));
}

#[test]
fn noise_has_the_planned_level_and_depends_on_the_key() {
    let root = testing::dataset();
    let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
    let plain = ClipPlan {
        hop: 3,
        key: [1, 2, 3],
        ..ClipPlan::default()
    };
    let noisy = ClipPlan {
        noise: Some(0.01),
        ..plain
    };
    let (clean, _) = clip(&data, 2, &plain);
    let (noisy_waveform, _) = clip(&data, 2, &noisy);
    let power: f64 = clean
        .iter()
        .zip(&noisy_waveform)
        .map(|(a, b)| f64::from(a - b).powi(2))
        .sum::<f64>()
        / clean.len() as f64;
    let amplitude = power.sqrt() * data.split.normalization.waveform_std;
    assert!((amplitude - 0.01).abs() < 1e-4, "{amplitude}");
    assert_eq!(clip(&data, 2, &noisy).0, noisy_waveform);
    assert_ne!(
        clip(
            &data,
            2,
            &ClipPlan {
                key: [1, 2, 4],
                ..noisy
            }
        )
        .0,
        noisy_waveform
    );
}

/// Opens the data with changed settings.
fn data(root: &std::path::Path, change: impl FnOnce(&mut crate::settings::RunConfig)) -> RunData {
    let mut config = testing::config(root, ModelKind::MmCrnn);
    change(&mut config);
    RunData::open(&config).unwrap()
}

#[test]
fn pcm8_rounds_samples_to_8_bits() {
    let root = testing::dataset();
    let fine = data(root.path(), |config| config.normalize = Normalize::None);
    let coarse = data(root.path(), |config| {
        config.normalize = Normalize::None;
        config.pcm8 = true;
    });
    let ((fine, fine_mel), (coarse, coarse_mel)) = (
        clip(&fine, 1, &ClipPlan::default()),
        clip(&coarse, 1, &ClipPlan::default()),
    );
    for (fine, coarse) in fine.iter().zip(&coarse) {
        assert_eq!(coarse * 128.0, (fine * 128.0).round_ties_even());
    }
    // Rounding is noise, which the spectrogram shows.
    assert!(fine_mel.iter().zip(&coarse_mel).any(|(a, b)| (a - b).abs() > 1.0));
}

#[test]
fn each_normalization_gives_its_expected_values() {
    let root = testing::dataset();
    let clip_with = |normalize| {
        let data = data(root.path(), |config| config.normalize = normalize);
        (clip(&data, 1, &ClipPlan::default()), data.split.normalization)
    };
    let ((raw, raw_mel), values) = clip_with(Normalize::None);
    let ((scored, scored_mel), _) = clip_with(Normalize::ZScore);
    let ((centred, centred_mel), _) = clip_with(Normalize::Mean);
    let ((ranged, ranged_mel), _) = clip_with(Normalize::MinMax);
    for at in (0..raw.len()).step_by(999) {
        let offset = f64::from(raw[at]) - values.waveform_mean;
        assert!((f64::from(centred[at]) - offset).abs() < 1e-6);
        assert!((f64::from(scored[at]) - offset / values.waveform_std).abs() < 1e-4);
    }
    for at in (0..raw_mel.len()).step_by(99) {
        let offset = f64::from(raw_mel[at]) - values.mel_mean[at / 512];
        assert!((f64::from(centred_mel[at]) - offset).abs() < 1e-4);
        assert!((f64::from(scored_mel[at]) - offset / values.mel_std[at / 512]).abs() < 1e-4);
    }
    for values in [ranged, ranged_mel] {
        let range = values
            .iter()
            .fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
        assert_eq!(range, (0.0, 1.0));
    }
}

#[test]
fn pitch_shift_keeps_the_length_and_changes_the_pitch() {
    let root = testing::dataset();
    let data = data(root.path(), |_| {});
    let plan = |semitones| ClipPlan {
        pitch_shift: Some(semitones),
        ..ClipPlan::default()
    };
    let ((up, _), (down, _)) = (clip(&data, 1, &plan(2.0)), clip(&data, 1, &plan(-2.0)));
    let crossings = |samples: &[f32]| {
        samples
            .windows(2)
            .filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0))
            .count()
    };
    assert!(
        crossings(&up) > crossings(&down),
        "{} {}",
        crossings(&up),
        crossings(&down)
    );
    assert!(up[(1 << 19) - 2000..].iter().any(|sample| sample.abs() > 0.1));
}

#[test]
fn gain_and_polarity_scale_the_waveform_and_noise_keeps_its_level() {
    let root = testing::dataset();
    let data = data(root.path(), |config| config.normalize = Normalize::None);
    let plan = |invert, gain_db, noise| ClipPlan {
        invert,
        gain_db,
        noise,
        key: [1, 2, 3],
        ..ClipPlan::default()
    };
    let (plain, _) = clip(&data, 1, &plan(false, None, None));
    let (inverted, _) = clip(&data, 1, &plan(true, None, None));
    assert!(plain.iter().zip(&inverted).all(|(a, b)| *a == -b));
    let (quiet, _) = clip(&data, 1, &plan(false, Some(-6.0), None));
    // 10^(-6/20)
    assert!(
        plain
            .iter()
            .zip(&quiet)
            .all(|(a, b)| (a * 0.501_187_2 - b).abs() < 1e-6)
    );
    let (noisy, _) = clip(&data, 1, &plan(false, Some(-6.0), Some(0.01)));
    let power: f64 = quiet.iter().zip(&noisy).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let amplitude = (power / quiet.len() as f64).sqrt();
    assert!((amplitude - 0.01).abs() < 1e-4, "{amplitude}");
}

#[test]
fn masks_apply_to_cut_and_to_computed_spectrograms() {
    let root = testing::dataset();
    for model in [ModelKind::Crnn, ModelKind::Crnn2dGru] {
        let data = RunData::open(&testing::config(root.path(), model)).unwrap();
        let [rows, columns] = data.front_end.shape().spectrogram;
        let augment = Augment {
            spec_augment: true,
            ..Augment::NONE
        };
        let plan = ClipPlan {
            hop: 0,
            ..ClipPlan::training(augment, 1, 0, 2, 1 << 19, 0, &data.features)
        };
        assert!(plan.is_plain());
        let run = |plan: &ClipPlan| {
            let mut values = vec![0.0; rows * columns];
            let out = ClipOutput {
                spectrogram: Some(&mut values),
                ..ClipOutput::default()
            };
            data.front_end
                .run(&data.dataset, 1, plan, &mut HostScratch::default(), out);
            values
        };
        let mut expected = run(&ClipPlan {
            spec_augment: None,
            ..plan
        });
        let masked = run(&plan);
        assert_ne!(masked, expected);
        mask_spectrogram(&mut expected, [rows, columns], &plan.spec_augment.unwrap());
        assert_eq!(masked, expected);
    }
}

/// Samples without a stored spectrogram.
struct SamplesOnly(Vec<i16>);

impl Track for SamplesOnly {
    fn waveform(&self) -> &[i16] {
        &self.0
    }

    fn mel(&self) -> MelView<'_> {
        panic!("the stored spectrogram is not used")
    }
}

#[test]
fn clip_with_reflect_padding_is_computed_from_its_samples_alone() {
    use shared::dsp::feature_preset::FeaturePreset;
    let features = FeaturePreset::Won128.config();
    let normalization = Normalization {
        tracks: 1,
        waveform_mean: 0.0,
        waveform_std: 1.0,
        mel_mean: vec![0.0; 128],
        mel_std: vec![1.0; 128],
        constant_bands: Vec::new(),
    };
    let setup = HostSetup {
        input: ModelKind::Cnn2d.description().input,
        features: &features,
        pcm8: false,
        normalize: Normalize::None,
        normalization: &normalization,
        statistics: Vec::new(),
    };
    let front_end = HostFrontEnd::new(setup, 1);
    assert_eq!(front_end.shape().spectrogram, [128, 231]);
    let sample = |at: usize| ((at * at) as f32 * 1e-5).sin() * 9000.0;
    let track: Vec<i16> = (0..70_000).map(|at| sample(at) as i16).collect();
    let run = |samples: &[i16], hop: usize| {
        let mut mel = vec![0.0; 128 * 231];
        let plan = ClipPlan {
            hop,
            ..ClipPlan::default()
        };
        let out = ClipOutput {
            spectrogram: Some(&mut mel),
            ..ClipOutput::default()
        };
        front_end.run_track(&SamplesOnly(samples.to_vec()), &plan, &mut HostScratch::default(), out);
        mel
    };
    // The neighbouring samples do not matter.
    let alone = run(&track[20 * 256..][..59_049], 0);
    assert_eq!(run(&track, 20), alone);
    let mut power = ndarray::Array2::zeros((128, 231));
    let mel = shared::dsp::mel::MelSpectrogram::new(&features);
    mel.power(&track[20 * 256..][..59_049], &mut Default::default(), power.view_mut());
    features.decibel_scale().apply_to_power(power.as_slice_mut().unwrap());
    assert_eq!(alone, power.as_slice().unwrap());
}
