//! What holds for every model.

use super::testing::{self, input};
use super::{Blueprint, InputShape, Model, ModelKind, parameter_ids};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, FloatDType, Int, Tensor};
use regex::Regex;
use std::collections::BTreeMap;

const CLASSES: usize = 3;

/// A shape that the model accepts and that leaves more than one step to a recurrent layer.
fn small_shape(kind: ModelKind) -> InputShape {
    let shapes = [[128, 32], [96, 192]].map(|spectrogram| InputShape {
        samples: 32 << 10,
        spectrogram,
        statistics: 10,
    });
    let mut accepted = shapes
        .into_iter()
        .filter(|shape| (kind.description().accepts)(shape).is_ok());
    accepted
        .next()
        .unwrap_or_else(|| panic!("{kind} accepts no small shape"))
}

fn small_model(kind: ModelKind, device: &Device) -> (InputShape, Model) {
    let shape = small_shape(kind);
    let blueprint = Blueprint {
        shape,
        classes: CLASSES,
        dropout: 0.1,
    };
    (shape, kind.init(&blueprint, device))
}

/// All parameters that are trained.
fn parameters(model: &Model) -> BTreeMap<ParamId, Vec<f32>> {
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

fn train_one_step(kind: ModelKind, dtype: FloatDType) {
    let device = Device::flex().autodiff();
    let (shape, model) = small_model(kind, &device);
    let before = parameters(&model);
    let logits = model.forward(input(CLASSES, &shape, &device).cast(dtype));
    assert_eq!(logits.dims(), [CLASSES; 2], "{kind}");
    let targets = Tensor::<1, Int>::arange(0..CLASSES as i64, &device);
    let loss = CrossEntropyLossConfig::new().init(&device).forward(logits, targets);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    // So small an epsilon that the smallest gradient moves its weight.
    let mut adam = AdamConfig::new().with_epsilon(1e-30).init();
    let after = parameters(&adam.step(1e-2, model.clone(), gradients));
    for (name, id) in parameter_ids(&model) {
        let Some(before) = before.get(&id) else { continue };
        let after = &after[&id];
        assert!(
            after.iter().all(|value| value.is_finite()),
            "{kind}: {name} is not finite"
        );
        assert!(before != after, "{kind}: {name} has not changed");
    }
}

#[test]
fn every_model_trains_in_single_precision() {
    for &kind in ModelKind::ALL {
        train_one_step(kind, FloatDType::F32);
    }
}

#[test]
fn every_model_trains_in_bfloat16() {
    for &kind in ModelKind::ALL {
        train_one_step(kind, FloatDType::BF16);
    }
}

#[test]
fn logits_are_the_two_halves_one_after_the_other_and_the_same_every_time() {
    let device = Device::flex();
    for &kind in ModelKind::ALL {
        let (shape, model) = small_model(kind, &device);
        let clips = input(2, &shape, &device);
        let features = model.embed(clips.clone());
        assert_eq!(features.dims()[0], 2, "{kind}");
        let halves = model.classify(features);
        assert_eq!(halves.dims(), [2, CLASSES], "{kind}");
        assert_eq!(model.forward(clips).into_data(), halves.into_data(), "{kind}");
    }
}

#[test]
fn patterns_of_all_models_are_regular_expressions_that_match() {
    for &kind in ModelKind::ALL {
        let defaults = &kind.description().defaults;
        let names = parameter_ids(&testing::model(kind, CLASSES, &Device::flex()));
        let patterns = defaults.l2.iter().map(|(pattern, _)| pattern).chain(defaults.freeze);
        for pattern in patterns {
            let pattern = Regex::new(pattern).unwrap();
            assert!(
                names.iter().any(|(name, _)| pattern.is_match(name)),
                "{kind}: {pattern}"
            );
        }
    }
}
