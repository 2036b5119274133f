//! VGG16 on an image of the mel spectrogram, and on smaller images, of which one continues with the weights of another.

use super::super::definition::{Blueprint, Defaults, Description, ModelDefinition, Network, PytorchNames};
use super::super::input::{InputKind, ModelInput, SpectrogramKind};
use super::super::keras;
use super::super::onnx::{Graph, Value};
use super::super::vgg16::{self, Features, TORCHVISION_NAMES};
use super::{DEFAULTS, DENSE, FEATURES, FRAMES, L2, MFCC_DENSE, image_shape, normalize_frames, normalize_frames_nodes};
use crate::augment::Augment;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use shared::dataset::Task;

/// `vgg16`.
pub const VGG16: ModelDefinition<Vgg16> = ModelDefinition {
    description: Description {
        name: "vgg16",
        summary: "VGG16 on an image of the mel spectrogram, the last four convolutions and two dense layers trained",
        input: image(128, FRAMES),
        defaults: Defaults {
            lr: 1e-4,
            l2: &[(r"^linear0\.", L2)],
            dropout: 0.3,
            // All except the last four of thirteen.
            freeze: &[r"^features\.convolutions\.[0-8]\."],
            augment: Augment::IMAGE,
            clip_frames: Some(FRAMES),
            ..DEFAULTS
        },
        accepts: |shape| accepts_image(shape.spectrogram, [1, 1]),
        usual_shape: image_shape([128, FRAMES]),
        paper_seconds: Some((FRAMES * 1024) as f64 / 22_050.0),
        classifier: "linear1.",
        pytorch: PytorchNames {
            renames: &TORCHVISION_NAMES,
            // Torchvision's dense layers.
            ignored: &["classifier."],
        },
        // ImageNet weights have other dense layers.
        newly_initialized: &["linear0."],
        needs_weights: true,
        normalizes_input: true,
        features: FEATURES,
        task: Task::SingleLabel,
        ..MFCC_DENSE.description
    },
    build: |blueprint, device| Vgg16::new(blueprint, None, device),
};

/// `vgg16-progressive-42x100`.
pub const VGG16_42X100: ModelDefinition<Vgg16> = ModelDefinition {
    description: Description {
        name: "vgg16-progressive-42x100",
        summary: "vgg16 on an image of 42x100, the two dense layers trained; initializes vgg16-progressive-84x100",
        input: image(42, 100),
        defaults: Defaults {
            epochs: 500,
            freeze: &[r"^features\."],
            ..VGG16.description.defaults
        },
        usual_shape: image_shape([42, 100]),
        ..VGG16.description
    },
    build: VGG16.build,
};

/// `vgg16-progressive-84x100`.
pub const VGG16_84X100: ModelDefinition<Vgg16> = ModelDefinition {
    description: Description {
        name: "vgg16-progressive-84x100",
        summary: "two convolutions that halve the image, then vgg16-progressive-42x100, initialized with its weights",
        input: image(84, 100),
        defaults: Defaults {
            epochs: VGG16.description.defaults.epochs,
            ..VGG16_42X100.description.defaults
        },
        accepts: |shape| accepts_image(shape.spectrogram, HALVES),
        newly_initialized: &["halving."],
        follows: Some(VGG16_42X100.description.name),
        usual_shape: image_shape([84, 100]),
        ..VGG16_42X100.description
    },
    build: |blueprint, device| Vgg16::new(blueprint, Some(Halving::new(device)), device),
};

const fn image(height: usize, width: usize) -> InputKind {
    InputKind {
        spectrogram: Some(SpectrogramKind::Image { height, width }),
        ..InputKind::NONE
    }
}

fn accepts_image([rows, columns]: [usize; 2], factors: [usize; 2]) -> Result<(), String> {
    match Features::pooled([rows / factors[0], columns / factors[1]]) {
        [0, _] | [_, 0] => {
            let [rows, columns] = factors.map(|factors| factors * vgg16::SMALLEST);
            Err(format!("an image of at least {rows} rows and {columns} columns"))
        }
        _ => Ok(()),
    }
}

/// Rows and columns that [`Halving`] reduces to one value.
const HALVES: [usize; 2] = [2, 1];

/// Learned halving of the rows of an RGB image: convolutions 3 → 16 → 3 of 3×3, max pooling 2 × 1. Only the first
/// convolution has ReLU, because the pretrained layers after it expect colours that can be negative.
#[derive(Module, Debug)]
struct Halving {
    conv0: Conv2d,
    conv1: Conv2d,
    pool: MaxPool2d,
}

impl Halving {
    fn new(device: &Device) -> Self {
        const WIDTH: usize = 16;
        Self {
            conv0: keras::conv2d([3, WIDTH], [3, 3], device),
            conv1: keras::conv2d([WIDTH, 3], [3, 3], device),
            pool: MaxPool2dConfig::new(HALVES).with_strides(HALVES).init(),
        }
    }

    fn forward(&self, colours: Tensor<4>) -> Tensor<4> {
        let x = relu(kernels::conv2d(&self.conv0, colours));
        kernels::max_pool2d(&self.pool, kernels::conv2d(&self.conv1, x))
    }

    fn nodes(&self, graph: &Graph, colours: Value) -> Value {
        let x = graph.relu(graph.conv2d(&self.conv0, colours));
        graph.max_pool2d(&self.pool, graph.conv2d(&self.conv1, x))
    }
}

/// [`Halving`] in one of the models, VGG16's convolutions, and dense layers → 16 → classes. The first dense layer has
/// 24,576 inputs for an image of 128 × 400 and 1,536 for one of 42 × 100. Parameters for 8 classes: 15,108,056;
/// 14,739,416 for 42 × 100; 14,740,299 for 84 × 100.
#[derive(Module, Debug)]
pub struct Vgg16 {
    halving: Option<Halving>,
    features: Features,
    linear0: Linear,
    dropout: Dropout,
    linear1: Linear,
}

impl Vgg16 {
    fn new(blueprint: &Blueprint, halving: Option<Halving>, device: &Device) -> Self {
        let factors = if halving.is_some() { HALVES } else { [1, 1] };
        let [rows, columns] = blueprint.shape.spectrogram;
        let [rows, columns] = Features::pooled([rows / factors[0], columns / factors[1]]);
        Self {
            halving,
            features: Features::new(device),
            linear0: keras::dense(vgg16::CHANNELS * rows * columns, DENSE, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear1: keras::dense(DENSE, blueprint.classes, device),
        }
    }
}

impl Network for Vgg16 {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        // From [0, 1] back to decibels, in units of their range.
        let mut x = vgg16::colours(normalize_frames(input.spectrogram() - 1.0));
        if let Some(halving) = &self.halving {
            x = halving.forward(x);
        }
        relu(self.linear0.forward(self.features.forward(x).flatten(1, 3)))
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear1.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear1
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let decibels = graph.shift(graph.spectrogram(), -1.0);
        let mut x = vgg16::colours_nodes(graph, normalize_frames_nodes(graph, decibels));
        if let Some(halving) = &self.halving {
            x = halving.nodes(graph, x);
        }
        graph.relu(graph.linear(&self.linear0, graph.flatten(self.features.nodes(graph, x))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::testing;
    use burn::module::{ModuleVisitor, Param};
    use burn::tensor::Gradients;

    #[test]
    fn frozen_layers_get_no_gradient_but_backpropagate() {
        let device = Device::flex().autodiff();
        let shape = image_shape([64, 32]);
        let blueprint = Blueprint {
            shape,
            classes: 3,
            dropout: 0.0,
        };
        let Vgg16 { features, halving, .. } = (VGG16_84X100.build)(&blueprint, &device);
        let features = features.no_grad();
        let halving = halving.expect("the 84x100 model has a halving layer");
        let x = vgg16::colours(testing::input(1, &shape, &device).spectrogram());
        let gradients = features.forward(halving.forward(x)).sum().backward();
        assert!(halving.conv0.weight.grad(&gradients).is_some());
        struct NoneOf<'a>(&'a Gradients);
        impl ModuleVisitor for NoneOf<'_> {
            fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
                assert!(parameter.val().grad(self.0).is_none());
            }
        }
        features.visit(&mut NoneOf(&gradients));
    }
}
