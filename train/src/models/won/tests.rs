//! Tests of Won et al.'s networks: parameter counts, accepted shapes, names, results of the published weights and of a
//! PyTorch implementation.

use super::super::testing::{self, parameter_count};
use crate::models::{
    Blueprint, InputShape, Model, ModelInput, ModelKind, export_pytorch, import_weights, transfer_weights,
};
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

const KINDS: [ModelKind; 10] = [
    ModelKind::WonFcn,
    ModelKind::WonCrnn,
    ModelKind::Musicnn,
    ModelKind::MusicnnMsd,
    ModelKind::ShortChunk,
    ModelKind::ShortChunkRes,
    ModelKind::SampleLevel,
    ModelKind::SampleLevelSe,
    ModelKind::HarmonicCnn,
    ModelKind::SelfAttention,
];

#[test]
fn parameter_counts_are_those_of_the_authors_networks() {
    // For 50, 10 and 8 outputs.
    let counts = [
        [447_732, 445_132, 445_002],
        [394_100, 392_780, 392_714],
        [784_300, 776_260, 775_858],
        [7_972_000, 7_951_960, 7_950_958],
        [3_687_348, 3_666_828, 3_665_802],
        [12_104_244, 12_083_724, 12_082_698],
        [1_869_874, 1_849_354, 1_848_328],
        [6_951_858, 6_931_338, 6_930_312],
        [3_631_551, 3_621_271, 3_620_757],
        [10_521_652, 10_511_372, 10_510_858],
    ];
    for (kind, expected) in KINDS.into_iter().zip(counts) {
        let found = [50, 10, 8].map(|classes| parameter_count(kind, classes));
        assert_eq!(found, expected, "{kind}");
    }
}

#[test]
fn usual_clips_are_those_of_the_paper() {
    let mel = |kind: ModelKind| kind.description().usual_shape.spectrogram;
    assert_eq!(mel(ModelKind::WonFcn), [96, 1813]);
    assert_eq!(mel(ModelKind::WonCrnn), [96, 1813]);
    assert_eq!(mel(ModelKind::Musicnn), [96, 188]);
    assert_eq!(mel(ModelKind::ShortChunk), [128, 231]);
    assert_eq!(mel(ModelKind::SelfAttention), [128, 938]);
    for kind in KINDS {
        let description = kind.description();
        let features = description.features.unwrap();
        assert_eq!(features.clip_samples, description.usual_shape.samples, "{kind}");
        let bands = if mel(kind)[0] == 128 { "won-128" } else { "won" };
        assert_eq!(features.preset, bands, "{kind}");
        assert!(description.normalizes_input, "{kind}");
    }
}

#[test]
fn clips_that_are_too_short_or_have_other_bands_are_refused() {
    let accepts = |kind: ModelKind, samples, spectrogram| {
        let shape = InputShape {
            samples,
            spectrogram,
            statistics: 0,
        };
        (kind.description().accepts)(&shape)
    };
    for (kind, shortest) in [
        (ModelKind::WonFcn, [96, 1280]),
        (ModelKind::WonCrnn, [96, 96]),
        (ModelKind::Musicnn, [67, 1]),
        (ModelKind::ShortChunk, [128, 128]),
        (ModelKind::ShortChunkRes, [1, 1]),
        (ModelKind::SelfAttention, [1, 1]),
    ] {
        let [bands, frames] = shortest;
        assert_eq!(accepts(kind, 0, shortest), Ok(()), "{kind}");
        let refused = accepts(kind, 0, [bands, frames - 1]).unwrap_err();
        assert!(refused.contains("mel bands"), "{kind}: {refused}");
        accepts(kind, 0, [bands - 1, frames]).unwrap_err();
        accepts(kind, 0, [256, 0]).unwrap_err();
        // The paper trains these with both numbers of bands.
        if kind != ModelKind::ShortChunk {
            assert_eq!(accepts(kind, 0, [96, 1813]), Ok(()), "{kind}");
        }
        assert_eq!(accepts(kind, 0, [128, 1813]), Ok(()), "{kind}");
    }
    for (kind, shortest) in [
        (ModelKind::SampleLevel, 59_049),
        (ModelKind::SampleLevelSe, 59_049),
        (ModelKind::HarmonicCnn, 287 * 256 + 1),
    ] {
        assert_eq!(accepts(kind, shortest, [0, 0]), Ok(()), "{kind}");
        let refused = accepts(kind, shortest - 1, [0, 0]).unwrap_err();
        assert!(refused.contains(&shortest.to_string()), "{kind}: {refused}");
    }
}

#[test]
fn the_shortest_and_longer_clips_give_logits() {
    let device = Device::flex();
    for (kind, samples, spectrogram) in [
        (ModelKind::Musicnn, 0, [67, 1]),
        (ModelKind::Musicnn, 0, [128, 40]),
        (ModelKind::ShortChunkRes, 0, [96, 1]),
        (ModelKind::SelfAttention, 0, [128, 9]),
        (ModelKind::WonCrnn, 0, [128, 100]),
        (ModelKind::SampleLevel, 2 * 59_049, [0, 0]),
        (ModelKind::HarmonicCnn, 287 * 256 + 1, [0, 0]),
    ] {
        let shape = InputShape {
            samples,
            spectrogram,
            statistics: 0,
        };
        assert_eq!((kind.description().accepts)(&shape), Ok(()), "{kind}");
        let blueprint = Blueprint {
            shape,
            classes: 3,
            dropout: 0.5,
        };
        let logits = kind
            .init(&blueprint, &device)
            .forward(testing::input(1, &shape, &device));
        let logits: Vec<f32> = logits.into_data().try_to_vec().unwrap();
        assert!(
            logits.len() == 3 && logits.iter().all(|value| value.is_finite()),
            "{kind}: {logits:?}"
        );
    }
}

/// `hashed` of `scripts/reference/make_won_golden.py`: uniform in [-1, 1), a function of seed and index only.
fn hashed(seed: u32, count: usize) -> Vec<f32> {
    let value = |index: u32| {
        let x = index ^ seed.wrapping_mul(0x9E37_79B9);
        let x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
        let x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
        ((x ^ (x >> 16)) >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count as u32).map(value).collect()
}

/// The script's value range of a parameter: what is added to, and multiplied with, values in [-1, 1).
fn range(name: &str, shape: &[usize]) -> [f32; 2] {
    let leaf = name.rsplit('.').next().unwrap_or_default();
    match leaf {
        "bw_Q" => [1.25, 0.0],
        "running_var" => [1.0, 0.5],
        "weight" if shape.len() == 1 => [1.0, 0.1],
        _ if leaf.starts_with("weight") => {
            let fan_in: usize = shape[1..].iter().product();
            [0.0, (6.0 / fan_in as f64).sqrt() as f32]
        }
        _ => [0.0, 0.1],
    }
}

/// The model with the script's weights: the tensors are numbered in the order of the authors' names.
fn with_hashed_weights(model: Model, directory: &Path) -> Model {
    let names = export_pytorch(&model).unwrap();
    let names = SafeTensors::deserialize(&names).unwrap();
    let mut shapes: Vec<(&str, Vec<usize>)> = names
        .iter()
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .map(|(name, view)| (name, view.shape().to_vec()))
        .collect();
    shapes.sort();
    let tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .enumerate()
        .map(|(number, (name, shape))| {
            let [offset, scale] = range(name, &shape);
            let values = hashed(number as u32, shape.iter().product());
            let bytes = values.iter().flat_map(|value| (offset + value * scale).to_le_bytes());
            (name, shape, bytes.collect())
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let pytorch = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let path = directory.join("hashed.safetensors");
    std::fs::write(&path, safetensors::serialize(views, Some(pytorch)).unwrap()).unwrap();
    import_weights(model, &path).unwrap().0
}

/// The largest difference.
fn difference(found: Tensor<2>, expected: &[f32]) -> f32 {
    let found: Vec<f32> = found.into_data().try_to_vec().unwrap();
    assert_eq!(found.len(), expected.len());
    let differences = found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (found - expected).abs());
    // Unlike `f32::max`, this keeps NaN.
    differences.fold(0.0, |worst, value| if value <= worst { worst } else { value })
}

fn values(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    bytemuck::pod_collect_to_vec(file.tensor(name).unwrap().data())
}

/// Networks without published weights.
#[test]
fn embeddings_and_logits_match_pytorch() {
    const CLASSES: usize = 5;
    const CLIPS: usize = 2;
    const INPUT_SEED: u32 = 1000;
    /// Relative to the root mean square of the expected values.
    const TOLERANCE: f32 = 2e-4;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/won.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let (device, directory) = (Device::flex(), tempfile::tempdir().unwrap());
    for kind in KINDS {
        let shape = kind.description().usual_shape;
        let model = with_hashed_weights(testing::model(kind, CLASSES, &device), directory.path());
        let noise = |scale: f32, shape: &[usize]| {
            let values = hashed(INPUT_SEED, shape.iter().product());
            TensorData::new(
                values.iter().map(|value| value * scale).collect::<Vec<f32>>(),
                shape.to_vec(),
            )
        };
        let [bands, frames] = shape.spectrogram;
        let input = ModelInput {
            waveform: (bands == 0).then(|| Tensor::from_data(noise(0.5, &[CLIPS, 1, shape.samples]), &device)),
            spectrogram: (bands > 0).then(|| Tensor::from_data(noise(3.0, &[CLIPS, 1, bands, frames]), &device)),
            statistics: None,
        };
        let embeddings = model.embed(input);
        for (name, found) in [
            ("embeddings", embeddings.clone()),
            ("logits", model.classify(embeddings)),
        ] {
            let expected = values(&golden, &format!("{kind}/{name}"));
            let rms = (expected.iter().map(|value| value * value).sum::<f32>() / expected.len() as f32).sqrt();
            let error = difference(found, &expected) / rms;
            println!("{kind}: {name} differ by {error:.1e} of their root mean square, {rms:.3}");
            assert!(error < TOLERANCE, "{kind}: {name} differ by {error}");
        }
    }
}

/// The directory of the published weights, if the environment variable names the one above it.
fn pretrained() -> Option<PathBuf> {
    let Some(directory) = std::env::var_os("CRATEDIGGER_REFERENCE") else {
        println!("skipped: CRATEDIGGER_REFERENCE does not name a directory with pretrained/won_golden.safetensors");
        return None;
    };
    Some(PathBuf::from(directory).join("pretrained"))
}

const PUBLISHED: [(&str, ModelKind); 7] = [
    ("mtat-fcn", ModelKind::WonFcn),
    ("msd-fcn", ModelKind::WonFcn),
    ("jamendo-fcn", ModelKind::WonFcn),
    ("msd-crnn", ModelKind::WonCrnn),
    ("jamendo-crnn", ModelKind::WonCrnn),
    ("mtat-musicnn", ModelKind::Musicnn),
    ("jamendo-musicnn", ModelKind::Musicnn),
];

#[test]
fn published_weights_give_the_published_results() {
    const TOLERANCE: f32 = 1e-3;
    let Some(directory) = pretrained() else { return };
    let device = Device::flex();
    let bytes = std::fs::read(directory.join("won_golden.safetensors")).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let mut worst = 0.0f32;
    for (weights, kind) in PUBLISHED {
        let model = testing::model(kind, 50, &device);
        let (model, _) = import_weights(model, &directory.join(format!("{weights}.pth"))).unwrap();
        for piece in ["actionable", "dubstep", "thejazzpiano"] {
            let samples: Vec<i16> =
                bytemuck::pod_collect_to_vec(golden.tensor(&format!("{piece}/samples")).unwrap().data());
            let clip = &samples[..kind.description().usual_shape.samples];
            let embedding = model.embed(ModelInput {
                waveform: None,
                spectrogram: Some(decibels(clip, &device)),
                statistics: None,
            });
            let logits = model.classify(embedding.clone());
            for (name, found) in [("embedding", embedding), ("logits", logits)] {
                let error = difference(found, &values(&golden, &format!("{piece}/{weights}/{name}")));
                assert!(error < TOLERANCE, "{weights}, {piece}: {name} differs by {error}");
                worst = worst.max(error);
            }
        }
    }
    println!("the largest difference is {worst:.1e}");
}

#[test]
fn published_weights_initialize_a_network_for_other_classes_and_are_exported_with_their_names() {
    let Some(directory) = pretrained() else { return };
    let device = Device::flex();
    for (weights, kind) in PUBLISHED {
        let path = directory.join(format!("{weights}.pth"));
        let (_, transfer) = transfer_weights(testing::model(kind, 8, &device), &path, false).unwrap();
        let classifier = kind.description().classifier;
        assert_eq!(
            transfer.newly_initialized.len(),
            2,
            "{weights}: {:?}",
            transfer.newly_initialized
        );
        assert!(
            transfer
                .newly_initialized
                .iter()
                .all(|name| name.starts_with(classifier)),
            "{weights}"
        );
    }
    // Names of the authors' layers.
    for (weights, kind, name) in [
        ("mtat-fcn", ModelKind::WonFcn, "layer5.conv.weight"),
        ("msd-crnn", ModelKind::WonCrnn, "layer5.weight_ih_l1"),
        ("mtat-musicnn", ModelKind::Musicnn, "layers.4.bn.running_mean"),
        ("mtat-musicnn", ModelKind::Musicnn, "dense1.weight"),
    ] {
        let path = directory.join(format!("{weights}.pth"));
        let (model, _) = import_weights(testing::model(kind, 50, &device), &path).unwrap();
        let exported = export_pytorch(&model).unwrap();
        let exported = SafeTensors::deserialize(&exported).unwrap();
        assert!(exported.tensor(name).is_ok(), "{weights}: {:?}", exported.names());
    }
}

/// The mel spectrogram of 16-bit samples as torchaudio computes it for the authors: decibels, `[1, 1, 96, frames]`.
fn decibels(samples: &[i16], device: &Device) -> Tensor<4> {
    const N_FFT: usize = 512;
    const BINS: usize = N_FFT / 2 + 1;
    const BANDS: usize = 96;
    let samples: Vec<f32> = samples.iter().map(|&sample| f32::from(sample) / 32_768.0).collect();
    let count = samples.len();
    let waveform = Tensor::<2>::from_data(TensorData::new(samples, [1, count]), device);
    let padded = waveform.pad([(0, 0), (N_FFT / 2, N_FFT / 2)], PadMode::Reflect);
    let windows: Tensor<3> = padded.unfold(1, N_FFT, super::HOP);
    let frames = windows.dims()[1];

    let matrix = |rows: usize, columns: usize, value: &dyn Fn(usize, usize) -> f64| {
        let values: Vec<f32> = (0..rows * columns)
            .map(|at| value(at / columns, at % columns) as f32)
            .collect();
        Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), device)
    };
    let turn = |sample: usize, bin: usize| TAU * ((sample * bin) % N_FFT) as f64 / N_FFT as f64;
    let window = |sample: usize| 0.5 - 0.5 * (TAU * sample as f64 / N_FFT as f64).cos();
    let cosine = matrix(N_FFT, BINS, &|sample, bin| window(sample) * turn(sample, bin).cos());
    let sine = matrix(N_FFT, BINS, &|sample, bin| window(sample) * turn(sample, bin).sin());
    let mel = |frequency: f64| 2595.0 * (1.0 + frequency / 700.0).log10();
    let edge = |at: usize| {
        let mel = mel(8000.0) * at as f64 / (BANDS + 1) as f64;
        700.0 * (10f64.powf(mel / 2595.0) - 1.0)
    };
    let filters = matrix(BINS, BANDS, &|bin, band| {
        let frequency = 8000.0 * bin as f64 / (BINS - 1) as f64;
        let [low, centre, high] = [edge(band), edge(band + 1), edge(band + 2)];
        let rising = (frequency - low) / (centre - low);
        let falling = (high - frequency) / (high - centre);
        rising.min(falling).max(0.0)
    });

    let windows = windows.reshape([frames, N_FFT]);
    let power = windows.clone().matmul(cosine).square() + windows.matmul(sine).square();
    let bands = power.matmul(filters).clamp_min(1e-10).log() * (10.0 / std::f64::consts::LN_10);
    bands.transpose().reshape([1, 1, BANDS, frames])
}
