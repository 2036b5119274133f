//! Paper 4: genres of fma_small from MFCC moments, with a small CNN, and with VGG16 trained on photographs.
//!
//! The dense layers and the small CNN are Keras', so fresh weights are drawn as there. The paper names the layers that have
//! an L2 penalty and not its size: 1e-3 each. It does not name the padding of the small CNN's convolutions either: they
//! keep the size of the image.

use super::input::{InputKind, InputShape, ModelInput, SpectrogramKind};
use super::keras;
use super::system::{Blueprint, Defaults, Description, Monitor, Network, PytorchNames, System};
use super::vgg16::{self, Features, TORCHVISION_NAMES};
use crate::augment::Augment;
use crate::kernels;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor};

const PAPER: &str = "MFCC, small CNN and VGG16 baselines on FMA";

const DEFAULTS: Defaults = Defaults {
    monitor: Monitor::Accuracy,
    ..Defaults::USUAL
};

/// Not given in the paper.
const L2: f32 = 1e-3;
/// Frames of the mel spectrogram in a clip.
const FRAMES: usize = 400;

/// `mfcc-dense`.
pub const MFCC_DENSE: System<MfccDense> = System {
    description: Description {
        name: "mfcc-dense",
        paper: PAPER,
        summary: "three dense layers on the moments of a track's MFCC",
        input: InputKind {
            statistics: true,
            ..InputKind::NONE
        },
        defaults: Defaults {
            l2: &[(r"^linear[012]\.", L2)],
            ..DEFAULTS
        },
        accepts: |shape| match shape.statistics {
            0 => Err("MFCC moments, which `preprocess build` writes".into()),
            _ => Ok(()),
        },
        usual_shape: InputShape {
            samples: 0,
            spectrogram: [0, 0],
            statistics: 7 * 20,
        },
        classifier: "linear2.",
        pytorch: PytorchNames::SAME,
        needs_weights: false,
    },
    build: MfccDense::new,
};

/// `small-cnn`.
pub const SMALL_CNN: System<SmallCnn> = System {
    description: Description {
        name: "small-cnn",
        summary: "two 2-D convolutions on 400 frames of the mel spectrogram, two dense layers",
        input: InputKind {
            spectrogram: Some(SpectrogramKind::Mel),
            ..InputKind::NONE
        },
        defaults: Defaults {
            lr: 1e-4,
            l2: &[(r"^conv[01]\.", L2), (r"^linear0\.", L2)],
            clip_frames: Some(FRAMES),
            ..DEFAULTS
        },
        accepts: |shape| match small_cnn_pooled(shape.spectrogram) {
            [0, _] | [_, 0] => Err("at least 4 mel bands and 16 frames".into()),
            _ => Ok(()),
        },
        usual_shape: picture([128, FRAMES]),
        classifier: "linear1.",
        ..MFCC_DENSE.description
    },
    build: SmallCnn::new,
};

/// `vgg16`.
pub const VGG16: System<Vgg16> = System {
    description: Description {
        name: "vgg16",
        summary: "VGG16 on a picture of the mel spectrogram, the last four convolutions and two dense layers trained",
        input: image(128, FRAMES),
        defaults: Defaults {
            lr: 1e-4,
            dropout: 0.3,
            // All but the last four of thirteen.
            freeze: &[r"^features\.convolutions\.[0-8]\."],
            augment: Augment::PICTURE,
            clip_frames: Some(FRAMES),
            ..DEFAULTS
        },
        accepts: |shape| accepts_picture(shape.spectrogram, [1, 1]),
        usual_shape: picture([128, FRAMES]),
        classifier: "linear1.",
        pytorch: PytorchNames {
            renames: &TORCHVISION_NAMES,
            // Torchvision's own dense layers.
            ignored: &["classifier."],
        },
        needs_weights: true,
        ..MFCC_DENSE.description
    },
    build: |blueprint, device| Vgg16::new(blueprint, None, device),
};

/// `vgg16-progressive-42x100`.
pub const VGG16_42X100: System<Vgg16> = System {
    description: Description {
        name: "vgg16-progressive-42x100",
        summary: "vgg16 on a picture of 42x100, the two dense layers trained; begins vgg16-progressive-84x100",
        input: image(42, 100),
        defaults: Defaults {
            freeze: &[r"^features\."],
            ..VGG16.description.defaults
        },
        usual_shape: picture([42, 100]),
        ..VGG16.description
    },
    build: VGG16.build,
};

/// `vgg16-progressive-84x100`.
pub const VGG16_84X100: System<Vgg16> = System {
    description: Description {
        name: "vgg16-progressive-84x100",
        summary: "vgg16-progressive-42x100, from whose weights it starts, behind two convolutions that halve a 84x100 picture",
        input: image(84, 100),
        accepts: |shape| accepts_picture(shape.spectrogram, HALVES),
        usual_shape: picture([84, 100]),
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

const fn picture(spectrogram: [usize; 2]) -> InputShape {
    InputShape {
        samples: 0,
        spectrogram,
        statistics: 0,
    }
}

fn accepts_picture([rows, columns]: [usize; 2], parts: [usize; 2]) -> Result<(), String> {
    match Features::pooled([rows / parts[0], columns / parts[1]]) {
        [0, _] | [_, 0] => {
            let [rows, columns] = parts.map(|parts| parts * vgg16::SMALLEST);
            Err(format!("a picture of at least {rows} rows and {columns} columns"))
        }
        _ => Ok(()),
    }
}

/// Dense layers 140 → 50 → 50 → classes. Parameters for 8 classes: 10,008.
#[derive(Module, Debug)]
pub struct MfccDense {
    linear0: Linear,
    linear1: Linear,
    dropout: Dropout,
    linear2: Linear,
}

impl MfccDense {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        const WIDTH: usize = 50;
        Self {
            linear0: keras::dense(blueprint.shape.statistics, WIDTH, device),
            linear1: keras::dense(WIDTH, WIDTH, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear2: keras::dense(WIDTH, blueprint.classes, device),
        }
    }
}

impl Network for MfccDense {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let x = relu(self.linear0.forward(input.statistics()));
        relu(self.linear1.forward(self.dropout.forward(x)))
    }

    fn classify(&self, features: Tensor<2>) -> Tensor<2> {
        self.linear2.forward(self.dropout.forward(features))
    }
}

/// Width of the dense layer behind all convolutions.
const DENSE: usize = 16;

const SMALL_CNN_CHANNELS: usize = 32;
/// Mel bands × frames, after either convolution.
const SMALL_CNN_POOL: [usize; 2] = [2, 4];

/// Rows and columns after both pools.
fn small_cnn_pooled([rows, columns]: [usize; 2]) -> [usize; 2] {
    let [down, across] = SMALL_CNN_POOL;
    [rows / down / down, columns / across / across]
}

/// Convolutions 3×3 and 3×5, each with max pooling, and dense layers 25,600 → 16 → classes. Parameters for 8 classes:
/// 425,464.
#[derive(Module, Debug)]
pub struct SmallCnn {
    conv0: Conv2d,
    conv1: Conv2d,
    pool: MaxPool2d,
    linear0: Linear,
    dropout: Dropout,
    linear1: Linear,
}

impl SmallCnn {
    fn new(blueprint: &Blueprint, device: &Device) -> Self {
        let [rows, columns] = small_cnn_pooled(blueprint.shape.spectrogram);
        Self {
            conv0: keras::conv2d([1, SMALL_CNN_CHANNELS], [3, 3], device),
            conv1: keras::conv2d([SMALL_CNN_CHANNELS; 2], [3, 5], device),
            pool: MaxPool2dConfig::new(SMALL_CNN_POOL).with_strides(SMALL_CNN_POOL).init(),
            linear0: keras::dense(SMALL_CNN_CHANNELS * rows * columns, DENSE, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear1: keras::dense(DENSE, blueprint.classes, device),
        }
    }
}

impl Network for SmallCnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let mut x = input.spectrogram();
        for conv in [&self.conv0, &self.conv1] {
            // ReLU may change places with the maximum, which leaves it an eighth of the values.
            x = relu(kernels::max_pool2d(&self.pool, kernels::conv2d(conv, x)));
        }
        relu(self.linear0.forward(x.cast(DType::F32).flatten(1, 3)))
    }

    fn classify(&self, features: Tensor<2>) -> Tensor<2> {
        self.linear1.forward(self.dropout.forward(features))
    }
}

/// What [`Halving`] makes one value of: rows and columns.
const HALVES: [usize; 2] = [2, 1];

/// Halves the rows of a picture in three colours, in a way that is learned: convolutions 3 → 16 → 3 of 3×3, max pooling
/// 2 × 1. Only the first convolution has ReLU: what follows was trained on normalized colours, of either sign.
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
}

/// VGG16's convolutions, before them [`Halving`] in one of the systems, and dense layers → 16 → classes, from 24,576 values
/// of a picture of 128 × 400 and from 1,536 of one of 42 × 100. Parameters for 8 classes: 15,108,056; 14,739,416 for
/// 42 × 100; 14,740,299 for 84 × 100.
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
        let parts = if halving.is_some() { HALVES } else { [1, 1] };
        let [rows, columns] = blueprint.shape.spectrogram;
        let [rows, columns] = Features::pooled([rows / parts[0], columns / parts[1]]);
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
        let mut x = vgg16::colours(input.spectrogram());
        if let Some(halving) = &self.halving {
            x = halving.forward(x);
        }
        relu(self.linear0.forward(self.features.forward(x).flatten(1, 3)))
    }

    fn classify(&self, features: Tensor<2>) -> Tensor<2> {
        self.linear1.forward(self.dropout.forward(features))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, conv, dense, parameters};
    use super::*;
    use crate::models::{ModelKind, parameter_ids};
    use burn::module::{ModuleVisitor, Param};
    use burn::tensor::Gradients;
    use regex::RegexSet;

    #[test]
    fn parameter_counts_are_the_papers() {
        // 7,050 + 2,550 + 408.
        let mfcc = dense(140, 50) + dense(50, 50) + dense(50, 8);
        // 320 + 15,392 + 409,616 + 136.
        let small = conv(9, 1, 32) + conv(15, 32, 32) + dense(32 * 32 * 25, 16) + dense(16, 8);
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
            (ModelKind::SmallCnn, small, 425_464),
            (ModelKind::Vgg16, features + large, 15_108_056),
            (ModelKind::Vgg16Progressive42x100, features + little, 14_739_416),
            (
                ModelKind::Vgg16Progressive84x100,
                features + halving + little,
                14_740_299,
            ),
        ] {
            assert_eq!((parameters(kind, 8), counted), (stated, stated), "{kind}");
        }
    }

    fn names(kind: ModelKind) -> Vec<String> {
        let parameters = parameter_ids(&testing::model(kind, 8, &Device::flex()));
        parameters.into_iter().map(|(name, _)| name).collect()
    }

    /// Names of the parameters that a pattern matches.
    fn matched(kind: ModelKind, patterns: &[&str]) -> Vec<String> {
        let patterns = RegexSet::new(patterns).unwrap();
        names(kind).into_iter().filter(|name| patterns.is_match(name)).collect()
    }

    #[test]
    fn penalties_are_on_the_layers_that_the_paper_names() {
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
        let dense = ["linear0.weight", "linear1.weight", "linear2.weight"];
        assert_eq!(penalized(ModelKind::MfccDense), dense);
        let convolutions = ["conv0.weight", "conv1.weight", "linear0.weight"];
        assert_eq!(penalized(ModelKind::SmallCnn), convolutions);
    }

    #[test]
    fn only_what_the_paper_trains_is_not_frozen() {
        let trained = |kind: ModelKind| {
            let frozen = matched(kind, kind.description().defaults.freeze);
            let left = names(kind)
                .into_iter()
                .filter(|name| !frozen.contains(name) && name.ends_with(".weight"));
            left.map(|name| name.replace(".weight", "")).collect::<Vec<_>>()
        };
        let last_four = [9, 10, 11, 12].map(|at| format!("features.convolutions.{at}"));
        let dense = ["linear0", "linear1"].map(str::to_owned);
        assert_eq!(trained(ModelKind::Vgg16), [&last_four[..], &dense].concat());
        assert_eq!(trained(ModelKind::Vgg16Progressive42x100), dense);
        let halving = ["halving.conv0", "halving.conv1"].map(str::to_owned);
        let trained_before_and_behind = [&halving[..], &dense].concat();
        assert_eq!(trained(ModelKind::Vgg16Progressive84x100), trained_before_and_behind);
    }

    #[test]
    fn the_larger_picture_adds_two_convolutions_and_renames_nothing() {
        let mut larger = names(ModelKind::Vgg16Progressive84x100);
        larger.retain(|name| !name.starts_with("halving."));
        assert_eq!(larger, names(ModelKind::Vgg16Progressive42x100));
    }

    #[test]
    fn frozen_layers_get_no_gradient_and_pass_it_on() {
        let device = Device::flex().autodiff();
        let shape = picture([64, 32]);
        let blueprint = Blueprint {
            shape,
            classes: 3,
            dropout: 0.0,
        };
        let Vgg16 { features, halving, .. } = (VGG16_84X100.build)(&blueprint, &device);
        let features = features.no_grad();
        let halving = halving.expect("this system has it");
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

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let refused = |kind: ModelKind, spectrogram| (kind.description().accepts)(&picture(spectrogram)).is_err();
        assert!(refused(ModelKind::MfccDense, [128, 400]));
        assert!(refused(ModelKind::SmallCnn, [128, 15]) && !refused(ModelKind::SmallCnn, [4, 16]));
        assert!(refused(ModelKind::Vgg16, [31, 400]) && !refused(ModelKind::Vgg16, [32, 32]));
        assert!(refused(ModelKind::Vgg16Progressive84x100, [63, 100]));
        assert!(!refused(ModelKind::Vgg16Progressive84x100, [64, 32]));
        let chroma = InputShape {
            statistics: 224,
            ..MFCC_DENSE.description.usual_shape
        };
        assert_eq!((MFCC_DENSE.description.accepts)(&chroma), Ok(()));
    }
}
