//! The convolutions of VGG16 (Simonyan and Zisserman 2015, configuration D), as torchvision's `vgg16().features` has them.

use crate::kernels;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor};

/// Channels of the convolutions of each stage. A stage ends with max pooling, 2 × 2.
const STAGES: [&[usize]; 5] = [
    &[64, 64],
    &[128, 128],
    &[256, 256, 256],
    &[512, 512, 512],
    &[512, 512, 512],
];

/// Rows, and columns, that the stages make one of.
pub const SMALLEST: usize = 1 << STAGES.len();

/// Channels of the result.
pub const CHANNELS: usize = 512;

/// Torchvision's names, whose numbers count ReLU and pooling too, and those of [`Features`] in a field `features`.
pub const TORCHVISION_NAMES: [(&str, &str); 13] = [
    (r"^features\.0\.", "features.convolutions.0."),
    (r"^features\.2\.", "features.convolutions.1."),
    (r"^features\.5\.", "features.convolutions.2."),
    (r"^features\.7\.", "features.convolutions.3."),
    (r"^features\.10\.", "features.convolutions.4."),
    (r"^features\.12\.", "features.convolutions.5."),
    (r"^features\.14\.", "features.convolutions.6."),
    (r"^features\.17\.", "features.convolutions.7."),
    (r"^features\.19\.", "features.convolutions.8."),
    (r"^features\.21\.", "features.convolutions.9."),
    (r"^features\.24\.", "features.convolutions.10."),
    (r"^features\.26\.", "features.convolutions.11."),
    (r"^features\.28\.", "features.convolutions.12."),
];

/// Mean and deviation of ImageNet's red, green and blue, which torchvision's weights were trained with.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// A grey picture, `[batch, 1, height, width]` in [0, 1], in three normalized colours, `[batch, 3, height, width]`.
pub fn colours(picture: Tensor<4>) -> Tensor<4> {
    let (device, dtype) = (picture.device(), picture.dtype());
    let per_colour = |values| Tensor::<1>::from_floats(values, &device).cast(dtype).reshape([1, 3, 1, 1]);
    (picture - per_colour(MEAN)) / per_colour(DEVIATION)
}

/// Thirteen 3×3 convolutions with ReLU. Parameters: 14,714,688.
#[derive(Module, Debug)]
pub struct Features {
    convolutions: Vec<Conv2d>,
    pool: MaxPool2d,
}

impl Features {
    /// Fresh weights.
    pub fn new(device: &Device) -> Self {
        let mut inputs = 3;
        let conv = |&outputs: &usize| {
            let config = Conv2dConfig::new([inputs, outputs], [3, 3]).with_padding(PaddingConfig2d::Same);
            inputs = outputs;
            config.init(device)
        };
        Self {
            convolutions: STAGES.concat().iter().map(conv).collect(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        }
    }

    /// Rows and columns of the result for a picture of `size`.
    pub fn pooled(size: [usize; 2]) -> [usize; 2] {
        size.map(|length| length / SMALLEST)
    }

    /// `[batch, 3, height, width]` to `[batch, 512, height / 32, width / 32]`, in f32; computes in the type of its input.
    pub fn forward(&self, colours: Tensor<4>) -> Tensor<4> {
        let mut x = colours;
        let mut convolutions = self.convolutions.iter();
        for stage in STAGES {
            for conv in convolutions.by_ref().take(stage.len() - 1) {
                x = relu(kernels::conv2d(conv, x));
            }
            for conv in convolutions.by_ref().take(1) {
                // ReLU may change places with the maximum, which leaves it a quarter of the values.
                x = relu(kernels::max_pool2d(&self.pool, kernels::conv2d(conv, x)));
            }
        }
        x.cast(DType::F32)
    }
}
