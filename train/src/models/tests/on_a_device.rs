//! Models on the device of `scripts/test_gpu.sh`, compared with the CPU: the logits and the gradients of a training step
//! without dropout. The models together have all kinds of layers. A software device needs minutes for some.

use super::super::testing::noise;
use super::super::{InputShape, Model, ModelKind, Parameter, parameters};
use super::{input, small_model};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
use std::collections::BTreeMap;

/// The length of the difference from the CPU's values, relative to the length of these.
const LOGITS_TOLERANCE: f32 = 2e-3;
/// A rounding error can decide which of two values is the maximum in a pool, and the gradient then flows to the other one.
/// On the CPU, a rounding error in each weight changes gradients by up to 0.06. Wrong gradients give 1 or more.
const GRADIENT_TOLERANCE: f32 = 0.2;
/// CUDA's matrix products round to TF32, here for the gradient of the weights.
const LSTM_TOLERANCE: f32 = 2e-3;

/// The models that sum over more than 65,535 positions of a batch.
const LONG_SUMS: [ModelKind; 2] = [ModelKind::SampleCnn, ModelKind::HarmonicCnn];

macro_rules! equals_the_cpu {
    ($($name:ident($kind:ident)),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                compare(ModelKind::$kind);
            }
        )+
    };
}

equals_the_cpu!(
    mm_crnn(MmCrnn),
    choi_crnn(ChoiCrnn),
    music_tagger_crnn(MusicTaggerCrnn),
    dwivedi_crnn(DwivediCrnn),
    vgg16(Vgg16),
    musicnn(Musicnn),
    sample_cnn(SampleCnn),
    sample_level_se(SampleLevelSe),
    harmonic_cnn(HarmonicCnn),
    self_attention(SelfAttention),
);

fn compare(kind: ModelKind) {
    let Some(device) = crate::testing::named_device() else {
        return;
    };
    let complete = !LONG_SUMS.contains(&kind) || sums_are_complete(&device);
    let (device, cpu) = (device.autodiff(), Device::flex().autodiff());
    let (shape, model) = small_model(kind, 0.0, &cpu);
    let values = |model: &Model, device: &Device| match complete {
        true => logits_and_gradients(model, &shape, device),
        false => evaluated_logits(model, &shape, device),
    };
    let (expected, found) = (values(&model, &cpu), values(&model.clone().fork(&device), &device));
    assert!(found.keys().eq(expected.keys()), "{kind}");
    let logits = relative_difference(&found["logits"], &expected["logits"], 0.0);
    // The gradients of some parameters, such as a bias before a batch norm, are only rounding errors.
    let least = 1e-2 * expected.values().map(|values| length(values)).fold(0.0, f32::max);
    let differences: BTreeMap<&str, f32> = expected
        .iter()
        .map(|(name, values)| (name.as_str(), relative_difference(&found[name], values, least)))
        .collect();
    let (worst, difference) = differences.iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    println!("{kind}: logits differ by {logits:.1e}, {worst} by {difference:.1e}");
    if !complete {
        println!(
            "{kind}: only evaluated, because the device ends loops after 65,535 rounds, as Mesa 22's llvmpipe does"
        );
    }
    assert!(logits < LOGITS_TOLERANCE, "{kind}: {logits}");
    assert!(*difference < GRADIENT_TOLERANCE, "{kind}: {differences:#?}");
}

fn sums_are_complete(device: &Device) -> bool {
    let (rows, columns) = (128, 140_000);
    let sums = Tensor::<2>::ones([rows, columns], device).sum_dim(1);
    let sums: Vec<f32> = sums.into_data().try_to_vec().unwrap();
    sums.iter().all(|sum| *sum == columns as f32)
}

/// The kernel for LSTMs.
#[test]
fn lstm() {
    let Some(device) = crate::testing::named_device() else {
        return;
    };
    let (device, cpu) = (device.autodiff(), Device::flex().autodiff());
    for (steps, batch, hidden) in [(2, 1, 32), (50, 5, 64)] {
        let run = |device: &Device| {
            let inputs = noise([steps, batch, 4 * hidden], device).require_grad();
            let weight = (noise([hidden, 4 * hidden], device) / 8.0).detach().require_grad();
            let out = kernels::lstm(&inputs, &weight).expect("a kernel");
            let gradients = (out.clone() * noise([batch, hidden], device)).sum().backward();
            let gradients = (inputs.grad(&gradients).unwrap(), weight.grad(&gradients).unwrap());
            [out.into_data(), gradients.0.into_data(), gradients.1.into_data()]
        };
        for (found, expected) in run(&device).into_iter().zip(run(&cpu)) {
            let [found, expected]: [Vec<f32>; 2] = [found, expected].map(|data| data.try_to_vec().unwrap());
            let difference = relative_difference(&found, &expected, 0.0);
            assert!(difference < LSTM_TOLERANCE, "{steps} steps: {difference}");
        }
    }
}

/// The length of the difference, relative to that of `expected` or to `least`, if that is longer.
fn relative_difference(found: &[f32], expected: &[f32], least: f32) -> f32 {
    let differences: Vec<f32> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    length(&differences) / length(expected).max(least)
}

fn length(values: &[f32]) -> f32 {
    values.iter().map(|value| value * value).sum::<f32>().sqrt()
}

/// The logits of evaluation, in which batch norm does not sum over the batch.
fn evaluated_logits(model: &Model, shape: &InputShape, device: &Device) -> BTreeMap<String, Vec<f32>> {
    let logits = model
        .valid()
        .forward(input(3, shape, &device.clone().without_autodiff()));
    BTreeMap::from([("logits".to_owned(), logits.into_data().try_to_vec().unwrap())])
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
