//! Models on the device of `scripts/test_gpu.sh`, compared with the CPU: the logits and the gradients of a training step
//! without dropout. The models together have all kinds of layers. A software device needs minutes for some.

use super::super::{InputShape, Model, ModelKind, Parameter, parameters};
use super::{input, small_model};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
use std::collections::BTreeMap;

/// The length of the difference from the CPU's values, relative to the length of these. A rounding error can decide which
/// of two values is the maximum in a pool, and the gradient then flows to the other one. Wrong gradients give 1 or more.
const GRADIENT_TOLERANCE: f32 = 0.05;
const LOGITS_TOLERANCE: f32 = 1e-3;

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
    let (device, cpu) = (device.autodiff(), Device::flex().autodiff());
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
    assert!(logits < LOGITS_TOLERANCE, "{kind}: {logits}");
    assert!(worst.0 < GRADIENT_TOLERANCE, "{kind}: {worst:?}");
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
