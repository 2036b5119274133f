//! Optimizers, schedules and gradient clipping compared with PyTorch. `scripts/reference/make_optimization_golden.py` makes
//! the golden file.

use super::clip::clip_grad_norm;
use super::optimization::optimizer_of_kind;
use super::schedule::Schedule;
use crate::models::{LrSchedule, ModelKind, OptimizerKind};
use crate::run::history::testing::history;
use crate::settings::RunConfig;
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use clap::ValueEnum;
use safetensors::SafeTensors;
use std::path::Path;
use std::sync::LazyLock;

const STEPS: usize = 50;
const WEIGHT_DECAY: f32 = 0.01;
const SHAPE: [usize; 2] = [3, 4];

/// A tensor of the golden file.
fn golden(name: &str) -> Vec<f32> {
    static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/optimization.safetensors");
        std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"))
    });
    let file = SafeTensors::deserialize(&FILE).unwrap();
    let tensor = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    bytemuck::pod_collect_to_vec::<u8, f32>(tensor.data())
}

/// The part of a golden tensor for one step.
fn golden_step(name: &str, step: usize, size: usize) -> Vec<f32> {
    golden(name)[step * size..][..size].to_vec()
}

fn matrix(values: Vec<f32>, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, SHAPE), device)
}

fn vector(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

#[derive(Module, Debug)]
struct TwoParameters {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl TwoParameters {
    fn new() -> Self {
        let device = Device::flex().autodiff();
        Self {
            weight: Param::from_tensor(matrix(golden("weight"), &device)),
            bias: Param::from_tensor(vector(golden("bias"), &device)),
        }
    }

    fn gradients(&self, step: usize) -> GradientsParams {
        let mut gradients = GradientsParams::new();
        let device = Device::flex();
        let weight = golden_step("gradients/weight", step, 12);
        gradients.register(self.weight.id, matrix(weight, &device));
        gradients.register(self.bias.id, vector(golden_step("gradients/bias", step, 4), &device));
        gradients
    }

    fn values(&self) -> [Vec<f32>; 2] {
        let weight = self.weight.val().into_data().try_to_vec().unwrap();
        [weight, self.bias.val().into_data().try_to_vec().unwrap()]
    }
}

fn assert_close(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (at, (our, their)) in ours.iter().zip(theirs).enumerate() {
        assert!((our - their).abs() <= 1e-5, "{what} {at}: {our}, in PyTorch {their}");
    }
}

/// Trains up to a step of the golden file. The state of the optimizer is saved and loaded after step `saved`.
fn train(kind: OptimizerKind, saved: usize) -> Vec<[Vec<f32>; 2]> {
    let name = kind.to_possible_value().unwrap();
    let lr = f64::from(golden(&format!("{}/lr", name.get_name()))[0]);
    let mut model = TwoParameters::new();
    let mut optimizer = optimizer_of_kind(kind, WEIGHT_DECAY);
    let mut values = Vec::new();
    for step in 0..STEPS {
        let gradients = model.gradients(step);
        model = optimizer.step(lr, model, gradients);
        if step == saved {
            let bytes = optimizer.into_bytes().unwrap();
            optimizer = optimizer_of_kind(kind, WEIGHT_DECAY).from_bytes(bytes).unwrap();
        }
        values.push(model.values());
    }
    values
}

#[test]
fn optimizers_take_the_steps_of_pytorch() {
    for &kind in OptimizerKind::value_variants() {
        let name = kind.to_possible_value().unwrap().get_name().to_owned();
        for (step, [weight, bias]) in train(kind, STEPS).into_iter().enumerate() {
            let what = |tensor: &str| format!("{name}, {tensor} after step {step},");
            let golden = |tensor: &str, size| golden_step(&format!("{name}/{tensor}"), step, size);
            assert_close(&weight, &golden("weight", 12), &what("weight"));
            assert_close(&bias, &golden("bias", 4), &what("bias"));
        }
    }
}

#[test]
fn saved_optimizers_continue_bit_for_bit() {
    for &kind in OptimizerKind::value_variants() {
        assert_eq!(train(kind, STEPS), train(kind, 20), "{kind:?}");
    }
}

#[test]
fn gradients_are_clipped_as_in_pytorch() {
    let model = TwoParameters::new();
    for (at, largest) in golden("clip/largest").into_iter().enumerate() {
        let clipped = clip_grad_norm(&model, model.gradients(0), largest.into());
        let weight = clipped.get::<2>(model.weight.id).unwrap().into_data();
        let bias = clipped.get::<1>(model.bias.id).unwrap().into_data();
        let what = |tensor| format!("{tensor} clipped to {largest},");
        let weight: Vec<f32> = weight.try_to_vec().unwrap();
        let bias: Vec<f32> = bias.try_to_vec().unwrap();
        assert_close(&weight, &golden_step("clip/weight", at, 12), &what("weight"));
        assert_close(&bias, &golden_step("clip/bias", at, 4), &what("bias"));
        let norm = weight
            .iter()
            .chain(&bias)
            .map(|value| value * value)
            .sum::<f32>()
            .sqrt();
        assert_eq!((norm / largest - 1.0).abs() < 1e-3, at == 0, "{norm}");
    }
}

/// 5 epochs of 10 steps.
fn schedule(kind: LrSchedule, warmup_epochs: f64) -> Schedule {
    let config = RunConfig {
        lr_schedule: kind,
        warmup_epochs,
        epochs: 5,
        ..crate::testing::config(Path::new("none"), ModelKind::Crnn)
    };
    Schedule::new(&config, 10)
}

#[test]
fn schedules_have_the_rates_of_pytorch() {
    for (name, kind, warmup) in [
        ("cosine", LrSchedule::Cosine, 0.0),
        ("linear", LrSchedule::Linear, 0.0),
        ("one_cycle", LrSchedule::OneCycle, 0.0),
        ("constant_warmup", LrSchedule::Constant, 1.5),
        ("cosine_warmup", LrSchedule::Cosine, 1.5),
        ("linear_warmup", LrSchedule::Linear, 1.5),
    ] {
        let schedule = schedule(kind, warmup);
        let ours: Vec<f32> = (0..STEPS as u64)
            .map(|step| schedule.factor(step, &[]) as f32)
            .collect();
        assert_close(&ours, &golden(&format!("schedule/{name}")), name);
    }
    let constant = schedule(LrSchedule::Constant, 0.0);
    assert!((0..60).all(|step| constant.factor(step, &[]) == 1.0));
}

#[test]
fn plateau_halves_the_rate_as_in_pytorch() {
    let losses: Vec<f64> = golden("plateau/losses").into_iter().map(f64::from).collect();
    let schedule = schedule(LrSchedule::Plateau, 0.0);
    let factor = |epochs: usize| schedule.factor(10 * epochs as u64, &history(&losses[..epochs])) as f32;
    let ours: Vec<f32> = (1..=losses.len()).map(factor).collect();
    let theirs = golden("plateau/factors");
    assert!(theirs.first() == Some(&1.0) && theirs.last() < Some(&0.3), "{theirs:?}");
    assert_eq!(ours, theirs);
    assert_eq!(factor(0), 1.0);
}

#[test]
fn very_short_runs_have_finite_rates() {
    for &kind in LrSchedule::value_variants() {
        for epochs in 1..=4 {
            let config = RunConfig {
                lr_schedule: kind,
                epochs,
                ..crate::testing::config(Path::new("none"), ModelKind::Crnn)
            };
            for step in 0..=epochs as u64 {
                let factor = Schedule::new(&config, 1).factor(step, &[]);
                assert!(
                    (0.0..=1.0).contains(&factor),
                    "{kind:?}, step {step} of {epochs}: {factor}"
                );
            }
        }
    }
}
