//! Tests that run for every model.

use super::testing::{self, input};
use super::{Blueprint, InputShape, Model, ModelKind, Parameter, parameters};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, FloatDType, Int, Tensor};
use regex::Regex;
use std::collections::BTreeMap;

pub(super) const CLASSES: usize = 3;

/// A small shape that the model accepts and that gives a recurrent layer more than one step.
fn small_shape(kind: ModelKind) -> InputShape {
    let shapes = [
        (32 << 10, [128, 32]),
        (32 << 10, [96, 192]),
        (32 << 10, [128, 128]),
        (32 << 10, [96, 1280]),
        (32 << 10, [128, 224]),
        // Ten strides or pools of three samples.
        (59_049, [96, 1280]),
        // 288 frames of an STFT in the network.
        (287 * 256 + 1, [1, 1]),
    ]
    .map(|(samples, spectrogram)| InputShape {
        samples,
        spectrogram,
        statistics: 10,
    });
    let mut accepted = shapes
        .into_iter()
        .filter(|shape| (kind.description().accepts)(shape).is_ok());
    accepted.next().unwrap_or_else(|| panic!("no small shape for {kind}"))
}

pub(super) fn small_model(kind: ModelKind, dropout: f64, device: &Device) -> (InputShape, Model) {
    let shape = small_shape(kind);
    let blueprint = Blueprint {
        shape,
        classes: CLASSES,
        dropout,
    };
    (shape, kind.init(&blueprint, device))
}

/// All trainable parameters.
fn parameter_values(model: &Model) -> BTreeMap<ParamId, Vec<f32>> {
    struct Values(BTreeMap<ParamId, Vec<f32>>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if parameter.is_require_grad() {
                let values = parameter.val().into_data().try_to_vec().unwrap();
                self.0.insert(parameter.id, values);
            }
        }
    }
    let mut values = Values(BTreeMap::new());
    model.visit(&mut values);
    values.0
}

/// Batch norm after a dense layer needs two `clips` or more.
fn train_one_step(kind: ModelKind, clips: usize, dtype: FloatDType) {
    let device = Device::flex().autodiff();
    let (shape, model) = small_model(kind, 0.1, &device);
    let before = parameter_values(&model);
    let logits = model.forward(input(clips, &shape, &device).cast(dtype));
    assert_eq!(logits.dims(), [clips, CLASSES], "{kind}");
    let targets = Tensor::<1, Int>::arange(0..clips as i64, &device);
    let loss = CrossEntropyLossConfig::new().init(&device).forward(logits, targets);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    // A tiny epsilon, so even the smallest gradient changes its weight.
    let mut adam = AdamConfig::new().with_epsilon(1e-30).init();
    let after = parameter_values(&adam.step(1e-2, model.clone(), gradients));
    for Parameter { name, id, .. } in parameters(&model) {
        let Some(before) = before.get(&id) else { continue };
        let after = &after[&id];
        assert!(
            after.iter().all(|value| value.is_finite()),
            "{kind}: {name} is not finite"
        );
        assert!(before != after, "{kind}: {name} did not change");
    }
}

#[test]
fn every_model_trains_in_single_precision() {
    for &kind in ModelKind::ALL {
        train_one_step(kind, 2, FloatDType::F32);
    }
}

#[test]
fn every_model_trains_in_bfloat16() {
    for &kind in ModelKind::ALL {
        // With two, some gradients are rounded to exactly 0.
        train_one_step(kind, 3, FloatDType::BF16);
    }
}

/// The logits and the gradients of all parameters.
fn logits_and_gradients(model: &Model, shape: &InputShape, device: &Device) -> BTreeMap<String, Vec<f32>> {
    struct Values<'a>(&'a GradientsParams, BTreeMap<ParamId, Vec<f32>>);
    impl ModuleVisitor for Values<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(parameter.id) {
                self.1.insert(parameter.id, gradient.into_data().try_to_vec().unwrap());
            }
        }
    }
    let logits = model.forward(input(3, shape, device));
    let targets = Tensor::<1, Int>::arange(0..3, device);
    let loss = CrossEntropyLossConfig::new()
        .init(device)
        .forward(logits.clone(), targets);
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    let mut values = Values(&gradients, BTreeMap::new());
    model.visit(&mut values);
    let mut all = BTreeMap::from([("logits".to_owned(), logits.into_data().try_to_vec().unwrap())]);
    for Parameter { name, id, .. } in parameters(model) {
        if let Some(gradient) = values.1.remove(&id) {
            all.insert(name, gradient);
        }
    }
    all
}

/// The length of the difference from the CPU's values, relative to the length of these. A rounding error can decide which
/// of two values is the maximum in a pool, and the gradient then flows to the other one. Wrong gradients give 1 or more.
const DEVICE_TOLERANCE: f32 = 0.1;

/// Models that together have all kinds of layers. A software device needs half a minute for one.
const ALL_LAYERS: [ModelKind; 7] = [
    ModelKind::MmCrnn,
    ModelKind::ChoiCrnn,
    ModelKind::Vgg16,
    ModelKind::Musicnn,
    ModelKind::SampleLevelSe,
    ModelKind::HarmonicCnn,
    ModelKind::SelfAttention,
];

#[test]
fn logits_and_gradients_on_a_device_equal_those_on_the_cpu() {
    let Some(device) = crate::testing::named_device() else {
        return;
    };
    let device = device.autodiff();
    for kind in ALL_LAYERS {
        let cpu = Device::flex().autodiff();
        let (shape, model) = small_model(kind, 0.0, &cpu);
        let expected = logits_and_gradients(&model, &shape, &cpu);
        let found = logits_and_gradients(&model.fork(&device), &shape, &device);
        assert!(found.keys().eq(expected.keys()), "{kind}");
        let length = |values: &[f32]| values.iter().map(|value| value * value).sum::<f32>().sqrt();
        // The gradients of some parameters, such as a bias before a batch norm, are only rounding errors.
        let least = 1e-2 * expected.values().map(|values| length(values)).fold(0.0, f32::max);
        let difference = |name: &str| {
            let pairs = found[name].iter().zip(&expected[name]);
            let differences: Vec<f32> = pairs.map(|(a, b)| a - b).collect();
            length(&differences) / length(&expected[name]).max(least)
        };
        let differences = expected.keys().map(|name| (difference(name), name));
        let worst = differences.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        let logits = difference("logits");
        println!("{kind}: logits differ by {logits:.1e}, {} by {:.1e}", worst.1, worst.0);
        assert!(logits < 1e-3, "{kind}: {logits}");
        assert!(worst.0 < DEVICE_TOLERANCE, "{kind}: {worst:?}");
    }
}

#[test]
fn forward_equals_embed_then_classify() {
    let device = Device::flex();
    for &kind in ModelKind::ALL {
        let (shape, model) = small_model(kind, 0.1, &device);
        let clip = input(1, &shape, &device);
        let embeddings = model.embed(clip.clone());
        assert_eq!(embeddings.dims()[0], 1, "{kind}");
        let halves = model.classify(embeddings);
        assert_eq!(halves.dims(), [1, CLASSES], "{kind}");
        assert_eq!(model.forward(clip).into_data(), halves.into_data(), "{kind}");
    }
}

#[test]
fn default_patterns_of_all_models_match_a_parameter() {
    for &kind in ModelKind::ALL {
        let defaults = &kind.description().defaults;
        let parameters = parameters(&testing::model(kind, CLASSES, &Device::flex()));
        let patterns = defaults.l2.iter().map(|(pattern, _)| pattern).chain(defaults.freeze);
        for pattern in patterns {
            let pattern = Regex::new(pattern).unwrap();
            assert!(
                parameters.iter().any(|parameter| pattern.is_match(&parameter.name)),
                "{kind}: {pattern}"
            );
        }
    }
}
