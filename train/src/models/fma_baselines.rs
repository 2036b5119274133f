//! Paper 4: genres of fma_small from MFCC statistics, with a small CNN, and with VGG16 pretrained on ImageNet.
//!
//! Details that the paper omits follow its authors' notebooks, kikwon/fma_project: the strength of the L2 penalties
//! (Keras' default), epochs, convolutions without padding, each frame divided by its largest absolute value, and
//! no scaling of the colours. They train all epochs and keep the one with the best validation accuracy. Weights are
//! initialized as in Keras.
//!
//! Where paper and notebooks differ, the paper's words are the default:
//!
//! | | paper | notebooks |
//! |---|---|---|
//! | `vgg16`, trained convolutions | the last four | the last three |
//! | `vgg16`, dropout | 0.3 | 0.5 |
//! | second progressive image | 84 × 100 | 84 × 200 |
//!
//! For the notebooks' `vgg16`, give `--freeze '^features\.convolutions\.[0-9]\.' --dropout 0.5`. Their progressive
//! images are cut out of the spectrogram (bands 42 to 83 and the first 100 frames), here the whole image is resized.
//! They divide the frames before the augmentation, here the network does it after.

mod images;

pub use images::{VGG16, VGG16_42X100, VGG16_84X100, Vgg16};

use super::definition::{Blueprint, Defaults, Description, ModelDefinition, Monitor, Network};
use super::definition::{PublishedFeatures, PytorchNames};
use super::input::{InputKind, InputShape, ModelInput, SpectrogramKind};
use super::keras;
use super::onnx::{Graph, Value};
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor};
use shared::dataset::Task;

const PAPER: &str = "MFCC, small CNN and VGG16 baselines on FMA";

const DEFAULTS: Defaults = Defaults {
    monitor: Monitor::Accuracy,
    patience: 0,
    ..Defaults::USUAL
};

/// Keras' default, `keras.regularizers.l2()`.
const L2: f32 = 0.01;
/// Frames of the mel spectrogram in a clip.
const FRAMES: usize = 400;

const FEATURES: Option<PublishedFeatures> = Some(PublishedFeatures {
    preset: "kwon",
    clip_samples: FRAMES * 1024,
});

/// `mfcc-dense`.
pub const MFCC_DENSE: ModelDefinition<MfccDense> = ModelDefinition {
    description: Description {
        name: "mfcc-dense",
        paper: PAPER,
        summary: "three dense layers on statistics of a track's MFCCs",
        input: InputKind {
            statistics: true,
            ..InputKind::NONE
        },
        defaults: Defaults {
            epochs: 200,
            l2: &[(r"^linear[01]\.", L2)],
            ..DEFAULTS
        },
        accepts: |shape| match shape.statistics {
            0 => Err("MFCC statistics, which `preprocess build` writes".into()),
            _ => Ok(()),
        },
        usual_shape: InputShape {
            samples: 0,
            spectrogram: [0, 0],
            statistics: 7 * 20,
        },
        paper_seconds: None,
        classifier: "linear2.",
        pytorch: PytorchNames::SAME,
        newly_initialized: &[],
        follows: None,
        needs_weights: false,
        normalizes_input: false,
        task: Task::SingleLabel,
        features: None,
    },
    build: MfccDense::new,
};

/// `small-cnn`.
pub const SMALL_CNN: ModelDefinition<SmallCnn> = ModelDefinition {
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
            Some([rows, columns]) if rows > 0 && columns > 0 => Ok(()),
            _ => Err("at least 10 mel bands and 34 frames".into()),
        },
        usual_shape: image_shape([128, FRAMES]),
        paper_seconds: Some((FRAMES * 1024) as f64 / 22_050.0),
        classifier: "linear1.",
        normalizes_input: true,
        features: FEATURES,
        ..MFCC_DENSE.description
    },
    build: SmallCnn::new,
};

const fn image_shape(spectrogram: [usize; 2]) -> InputShape {
    InputShape {
        samples: 0,
        spectrogram,
        statistics: 0,
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

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear2.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear2
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let x = graph.relu(graph.linear(&self.linear0, graph.statistics()));
        graph.relu(graph.linear(&self.linear1, x))
    }
}

/// Divides each frame (column) of decibels in [-80, 0] by its largest absolute value, as `librosa.util.normalize`: the
/// quietest band becomes -1. A frame of zeros stays zero.
fn normalize_frames(decibels: Tensor<4>) -> Tensor<4> {
    let largest = decibels.clone().abs().max_dim(2);
    let zeros = largest.clone().equal_scalar(0.0);
    decibels / largest.mask_fill(zeros, 1.0)
}

/// The nodes of [`normalize_frames`].
fn normalize_frames_nodes(graph: &Graph, decibels: Value) -> Value {
    let largest = graph.max_dim(graph.abs(decibels), 2);
    graph.divide(decibels, graph.unless_zero(largest, 1.0))
}

/// Width of the dense layer after the convolutions.
const DENSE: usize = 16;

const SMALL_CNN_CHANNELS: usize = 32;
/// Mel bands × frames, after each convolution.
const SMALL_CNN_POOL: [usize; 2] = [2, 4];

/// Mel bands × frames.
const SMALL_CNN_KERNELS: [[usize; 2]; 2] = [[3, 3], [3, 5]];

/// Rows and columns after both pools, or `None` if a convolution is larger than its input.
fn small_cnn_pooled(shape: [usize; 2]) -> Option<[usize; 2]> {
    SMALL_CNN_KERNELS
        .into_iter()
        .try_fold(shape, |[rows, columns], kernel| {
            let rows = (rows + 1).checked_sub(kernel[0])? / SMALL_CNN_POOL[0];
            Some([rows, (columns + 1).checked_sub(kernel[1])? / SMALL_CNN_POOL[1]])
        })
}

/// Convolutions 3×3 and 3×5, each with max pooling, a dense layer 32 → 16 at each of the 30 × 23 positions, and one
/// 11,040 → classes. Parameters for 8 classes: 104,568.
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
        let pooled = small_cnn_pooled(blueprint.shape.spectrogram);
        let [rows, columns] = pooled.expect("the shape has been accepted");
        Self {
            conv0: keras::valid_conv2d([1, SMALL_CNN_CHANNELS], SMALL_CNN_KERNELS[0], device),
            conv1: keras::valid_conv2d([SMALL_CNN_CHANNELS; 2], SMALL_CNN_KERNELS[1], device),
            pool: MaxPool2dConfig::new(SMALL_CNN_POOL).with_strides(SMALL_CNN_POOL).init(),
            linear0: keras::dense(SMALL_CNN_CHANNELS, DENSE, device),
            dropout: DropoutConfig::new(blueprint.dropout).init(),
            linear1: keras::dense(DENSE * rows * columns, blueprint.classes, device),
        }
    }
}

impl Network for SmallCnn {
    fn embed(&self, input: &ModelInput) -> Tensor<2> {
        let mut x = normalize_frames(input.spectrogram());
        for conv in [&self.conv0, &self.conv1] {
            // ReLU and max pooling commute. After pooling, ReLU has an eighth of the values.
            x = relu(kernels::max_pool2d(&self.pool, kernels::conv2d(conv, x)));
        }
        // Keras' dense layer acts on the last axis, the channels, and its flatten has the channels last.
        let positions = x.cast(DType::F32).permute([0, 2, 3, 1]);
        relu(self.linear0.forward(positions)).flatten(1, 3)
    }

    fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.linear1.forward(self.dropout.forward(embeddings))
    }

    fn classifier(&self) -> &Linear {
        &self.linear1
    }

    fn embed_nodes(&self, graph: &Graph) -> Value {
        let mut x = normalize_frames_nodes(graph, graph.spectrogram());
        for conv in [&self.conv0, &self.conv1] {
            x = graph.relu(graph.max_pool2d(&self.pool, graph.conv2d(conv, x)));
        }
        let positions = graph.permute(x, &[0, 2, 3, 1]);
        graph.flatten(graph.relu(graph.linear(&self.linear0, positions)))
    }
}

#[cfg(test)]
mod tests;
