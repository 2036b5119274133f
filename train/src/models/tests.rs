//! Tests that run for every model.

use super::testing::{self, input};
use super::{Blueprint, InputShape, Model, ModelKind, Parameter, parameters};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, FloatDType, Int, Tensor};
use regex::Regex;
use std::collections::BTreeMap;

mod on_a_device;

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

#[test]
fn dropout_of_zero_switches_off_all_dropout() {
    let device = Device::flex().autodiff();
    for &kind in ModelKind::ALL {
        let (shape, model) = small_model(kind, 0.0, &device);
        let clips = input(2, &shape, &device);
        let [first, second] = [(); 2].map(|()| model.forward(clips.clone()).into_data());
        assert_eq!(first, second, "{kind}");
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
