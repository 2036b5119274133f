//! Tests of paper 4's models: parameter counts, penalties, frozen layers and initial weights.

use super::*;
use crate::models::testing::{self, conv, dense, parameter_count};
use crate::models::{Model, ModelKind, export_weights, parameters, transfer_weights, visit_named};
use regex::RegexSet;
use safetensors::SafeTensors;

#[test]
fn parameter_counts_match_the_paper() {
    // 7,050 + 2,550 + 408.
    let mfcc = dense(140, 50) + dense(50, 50) + dense(50, 8);
    // 320 + 15,392 + 528 + 88,328.
    let small = conv(9, 1, 32) + conv(15, 32, 32) + dense(32, 16) + dense(30 * 23 * 16, 8);
    // 1,792 + 36,928 + 73,856 + 147,584 + 295,168 + 2 · 590,080 + 1,180,160 + 5 · 2,359,808 = 14,714,688.
    let features = conv(9, 3, 64)
        + conv(9, 64, 64)
        + conv(9, 64, 128)
        + conv(9, 128, 128)
        + conv(9, 128, 256)
        + 2 * conv(9, 256, 256)
        + conv(9, 256, 512)
        + 5 * conv(9, 512, 512);
    // 393,232 + 136, and 24,592 + 136.
    let (large, little) = (
        dense(512 * 4 * 12, 16) + dense(16, 8),
        dense(512 * 3, 16) + dense(16, 8),
    );
    // 448 + 435.
    let halving = conv(9, 3, 16) + conv(9, 16, 3);
    for (kind, counted, stated) in [
        (ModelKind::MfccDense, mfcc, 10_008),
        (ModelKind::SmallCnn, small, 104_568),
        (ModelKind::Vgg16, features + large, 15_108_056),
        (ModelKind::Vgg16Progressive42x100, features + little, 14_739_416),
        (
            ModelKind::Vgg16Progressive84x100,
            features + halving + little,
            14_740_299,
        ),
    ] {
        assert_eq!((parameter_count(kind, 8), counted), (stated, stated), "{kind}");
    }
}

fn names(kind: ModelKind) -> Vec<String> {
    let parameters = parameters(&testing::model(kind, 8, &Device::flex()));
    parameters.into_iter().map(|parameter| parameter.name).collect()
}

/// Names of the parameters that a pattern matches.
fn matched(kind: ModelKind, patterns: &[&str]) -> Vec<String> {
    let patterns = RegexSet::new(patterns).unwrap();
    names(kind).into_iter().filter(|name| patterns.is_match(name)).collect()
}

#[test]
fn penalties_apply_to_the_layers_that_the_paper_names() {
    let penalized = |kind: ModelKind| {
        let patterns: Vec<_> = kind
            .description()
            .defaults
            .l2
            .iter()
            .map(|(pattern, _)| *pattern)
            .collect();
        let mut names = matched(kind, &patterns);
        names.retain(|name| name.ends_with(".weight"));
        names
    };
    assert_eq!(penalized(ModelKind::MfccDense), ["linear0.weight", "linear1.weight"]);
    let convolutions = ["conv0.weight", "conv1.weight", "linear0.weight"];
    assert_eq!(penalized(ModelKind::SmallCnn), convolutions);
    for kind in [
        ModelKind::Vgg16,
        ModelKind::Vgg16Progressive42x100,
        ModelKind::Vgg16Progressive84x100,
    ] {
        assert_eq!(penalized(kind), ["linear0.weight"], "{kind}");
    }
}

#[test]
fn epochs_match_the_notebooks() {
    for (kind, epochs) in [
        (ModelKind::MfccDense, 200),
        (ModelKind::SmallCnn, 50),
        (ModelKind::Vgg16, 50),
        (ModelKind::Vgg16Progressive42x100, 500),
        (ModelKind::Vgg16Progressive84x100, 50),
    ] {
        let defaults = kind.description().defaults;
        assert_eq!((defaults.epochs, defaults.patience), (epochs, 0), "{kind}");
    }
}

#[test]
fn each_frame_is_divided_by_its_largest_absolute_value() {
    let device = Device::flex();
    // Two bands of four frames, the third of zeros.
    let decibels = [[-20.0, 0.0, 0.0, -80.0], [-40.0, -5.0, 0.0, -80.0]];
    let normalized = normalize_frames(Tensor::<4>::from_floats([[decibels]], &device));
    let found: Vec<f32> = normalized.into_data().try_to_vec().unwrap();
    assert_eq!(found, [-0.5, 0.0, 0.0, -1.0, -1.0, -1.0, 0.0, -1.0]);
}

#[test]
fn vgg16_sees_the_same_image_whatever_the_range_of_decibels() {
    let device = Device::flex();
    let shape = image_shape([32, 32]);
    let blueprint = Blueprint {
        shape,
        classes: 3,
        dropout: 0.0,
    };
    let model = (VGG16.build)(&blueprint, &device);
    let noise = testing::input(1, &shape, &device);
    // An image of 80 dB, and the same decibels in an image of 160 dB.
    let image = |range: f64| ModelInput {
        spectrogram: Some(noise.spectrogram().clamp(-0.9, 0.9) * (1.0 / range) - (1.0 / range) + 1.0),
        ..noise.clone()
    };
    let difference = model.embed(&image(2.0)) - model.embed(&image(4.0));
    assert!(difference.abs().max().into_scalar::<f32>() < 1e-4);
}

#[test]
fn only_layers_that_the_paper_trains_are_not_frozen() {
    let trained = |kind: ModelKind| {
        let frozen = matched(kind, kind.description().defaults.freeze);
        let remaining = names(kind)
            .into_iter()
            .filter(|name| !frozen.contains(name) && name.ends_with(".weight"));
        remaining.map(|name| name.replace(".weight", "")).collect::<Vec<_>>()
    };
    let last_four = [9, 10, 11, 12].map(|at| format!("features.convolutions.{at}"));
    let dense = ["linear0", "linear1"].map(str::to_owned);
    assert_eq!(trained(ModelKind::Vgg16), [&last_four[..], &dense].concat());
    assert_eq!(trained(ModelKind::Vgg16Progressive42x100), dense);
    let halving = ["halving.conv0", "halving.conv1"].map(str::to_owned);
    let halving_and_dense = [&halving[..], &dense].concat();
    assert_eq!(trained(ModelKind::Vgg16Progressive84x100), halving_and_dense);
}

#[test]
fn the_84x100_model_only_adds_the_halving_layers_to_the_42x100_model() {
    let mut larger = names(ModelKind::Vgg16Progressive84x100);
    larger.retain(|name| !name.starts_with("halving."));
    assert_eq!(larger, names(ModelKind::Vgg16Progressive42x100));
}

#[test]
fn torchvision_weights_initialize_42x100_whose_weights_initialize_84x100() {
    let (directory, device) = (tempfile::tempdir().unwrap(), Device::flex());
    let sum = |model: &Model, name: &str| {
        let mut sum = None;
        visit_named(model, |visited, weight| {
            if visited == name {
                sum = Some(weight.sum().into_scalar::<f32>());
            }
        });
        sum.expect("a weight of this name")
    };
    // A state dict like torchvision's, with one of its dense layers.
    let torchvisions = testing::model(ModelKind::Vgg16, 1000, &device);
    let bytes = export_weights(&torchvisions).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let numbers = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
    let convolutions = numbers.into_iter().enumerate().flat_map(|(ours, theirs)| {
        ["weight", "bias"].map(|part| {
            let tensor = file.tensor(&format!("features.convolutions.{ours}.{part}")).unwrap();
            (format!("features.{theirs}.{part}"), tensor)
        })
    });
    let dense = file.tensor("linear0.weight").unwrap();
    let named = convolutions.chain([("classifier.0.weight".to_owned(), dense)]);
    let path = directory.path().join("torchvision.safetensors");
    std::fs::write(&path, safetensors::serialize(named, None).unwrap()).unwrap();

    let small = testing::model(ModelKind::Vgg16Progressive42x100, 8, &device);
    let (small, transfer) = transfer_weights(small, &path, false).unwrap();
    assert_eq!(transfer.loaded.len(), 26);
    let dense = ["linear0.weight", "linear0.bias", "linear1.weight", "linear1.bias"];
    assert_eq!(transfer.newly_initialized, dense);
    let last = "features.convolutions.12.weight";
    assert_eq!(sum(&small, last), sum(&torchvisions, last));

    let path = directory.path().join("small.safetensors");
    std::fs::write(&path, export_weights(&small).unwrap()).unwrap();
    let large = testing::model(ModelKind::Vgg16Progressive84x100, 8, &device);
    let (large, transfer) = transfer_weights(large, &path, false).unwrap();
    assert!(
        transfer
            .newly_initialized
            .iter()
            .all(|name| name.starts_with("halving.")),
        "{transfer:?}"
    );
    assert_eq!((transfer.loaded.len(), transfer.newly_initialized.len()), (30, 4));
    assert_eq!(sum(&large, "linear0.weight"), sum(&small, "linear0.weight"));
}

#[test]
fn unsupported_shapes_are_refused() {
    let refused = |kind: ModelKind, spectrogram| (kind.description().accepts)(&image_shape(spectrogram)).is_err();
    assert!(refused(ModelKind::MfccDense, [128, 400]));
    assert!(refused(ModelKind::SmallCnn, [128, 33]) && !refused(ModelKind::SmallCnn, [10, 34]));
    assert!(refused(ModelKind::Vgg16, [31, 400]) && !refused(ModelKind::Vgg16, [32, 32]));
    assert!(refused(ModelKind::Vgg16Progressive84x100, [63, 100]));
    assert!(!refused(ModelKind::Vgg16Progressive84x100, [64, 32]));
    let chroma = InputShape {
        statistics: 224,
        ..MFCC_DENSE.description.usual_shape
    };
    assert_eq!((MFCC_DENSE.description.accepts)(&chroma), Ok(()));
}
