//! The convolutions of VGG16 (Simonyan and Zisserman 2015, configuration D), like torchvision's `vgg16().features`.

use super::onnx::{Graph, Value};
use burn::module::{Initializer, Module};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor};

/// Channels of the convolutions of each stage. Each stage ends with 2 × 2 max pooling.
const STAGES: [&[usize]; 5] = [
    &[64, 64],
    &[128, 128],
    &[256, 256, 256],
    &[512, 512, 512],
    &[512, 512, 512],
];

/// Rows or columns that the stages reduce to one.
pub const SMALLEST: usize = 1 << STAGES.len();

/// Channels of the output.
pub const CHANNELS: usize = 512;

/// Torchvision's names, whose numbers also count ReLU and pooling, and the names of [`Features`] in a field `features`.
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

/// Torchvision's weight initialization, with zero biases. Thirteen layers without batch norm lose all signal with
/// Burn's defaults.
const HE_NORMAL: Initializer = Initializer::KaimingNormal {
    gain: std::f64::consts::SQRT_2,
    fan_out_only: true,
};

/// A grey image, `[batch, 1, height, width]`, as three equal colours, `[batch, 3, height, width]`. Paper 4 does not
/// scale them with ImageNet's mean and deviation.
pub fn colours(image: Tensor<4>) -> Tensor<4> {
    image.repeat_dim(1, 3)
}

/// The nodes of [`colours`].
pub fn colours_nodes(graph: &Graph, image: Value) -> Value {
    graph.concat(&[image; 3], 1)
}

/// Thirteen 3×3 convolutions with ReLU. Parameters: 14,714,688.
#[derive(Module, Debug)]
pub struct Features {
    convolutions: Vec<Conv2d>,
    pool: MaxPool2d,
}

impl Features {
    pub fn new(device: &Device) -> Self {
        let mut inputs = 3;
        let conv = |&outputs: &usize| {
            let config = Conv2dConfig::new([inputs, outputs], [3, 3]).with_padding(PaddingConfig2d::Same);
            inputs = outputs;
            let mut conv = config.with_initializer(HE_NORMAL).init(device);
            conv.bias = Some(Initializer::Zeros.init([outputs], device));
            conv
        };
        Self {
            convolutions: STAGES.concat().iter().map(conv).collect(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        }
    }

    /// Rows and columns of the output for an image of `size`.
    pub fn pooled(size: [usize; 2]) -> [usize; 2] {
        size.map(|length| length / SMALLEST)
    }

    /// `[batch, 3, height, width]` to `[batch, 512, height / 32, width / 32]`, in f32. Computes in the dtype of its
    /// input.
    pub fn forward(&self, colours: Tensor<4>) -> Tensor<4> {
        let mut x = colours;
        let mut convolutions = self.convolutions.iter();
        for stage in STAGES {
            for conv in convolutions.by_ref().take(stage.len() - 1) {
                x = relu(kernels::conv2d(conv, x));
            }
            for conv in convolutions.by_ref().take(1) {
                // ReLU and max pooling commute. After pooling, ReLU has a quarter of the values.
                x = relu(kernels::max_pool2d(&self.pool, kernels::conv2d(conv, x)));
            }
        }
        x.cast(DType::F32)
    }

    /// The nodes of [`forward`](Self::forward).
    pub fn nodes(&self, graph: &Graph, colours: Value) -> Value {
        let mut x = colours;
        let mut convolutions = self.convolutions.iter();
        for stage in STAGES {
            for conv in convolutions.by_ref().take(stage.len()) {
                x = graph.relu(graph.conv2d(conv, x));
            }
            x = graph.max_pool2d(&self.pool, x);
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use crate::models::{Blueprint, InputShape, Model, ModelInput, ModelKind, parameters};
    use burn::module::{ModuleMapper, Param};
    use burn::tensor::TensorData;
    use regex::Regex;
    use safetensors::SafeTensors;
    use std::collections::BTreeSet;

    /// Largest difference from torchvision's results in float64, relative to their root mean square. Measured: 9e-6 for
    /// the features, 8e-6 for the logits.
    const TOLERANCE: f32 = 5e-5;

    /// `hashed` of `scripts/reference/make_vgg16_golden.py`: uniform in [-1, 1), a function of seed and index only.
    fn hashed(seed: u32, count: usize) -> impl Iterator<Item = f32> {
        (0..count as u32).map(move |index| {
            let x = index ^ seed.wrapping_mul(0x9E37_79B9);
            let x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
            let x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
            ((x ^ (x >> 16)) >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
    }

    /// Sets every parameter to the script's values, in the order of `state_dict`.
    struct Hashed(u32);

    impl ModuleMapper for Hashed {
        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (shape, device) = (parameter.val().dims(), parameter.val().device());
            let count: usize = shape.iter().product();
            // Dense weights are `[outputs, inputs]` in PyTorch and `[inputs, outputs]` in Burn.
            let stored: Vec<usize> = if D == 2 {
                vec![shape[1], shape[0]]
            } else {
                shape.to_vec()
            };
            let scale = match D {
                1 => 0.1,
                _ => (6.0 / (count / stored[0]) as f64).sqrt() as f32,
            };
            let values: Vec<f32> = hashed(self.0, count).map(|value| value * scale).collect();
            self.0 += 1;
            let tensor = Tensor::<1>::from_data(TensorData::new(values, [count]), &device);
            let tensor = match D {
                2 => tensor.reshape([stored[0], stored[1]]).transpose().reshape(shape),
                _ => tensor.reshape(shape),
            };
            Param::initialized(parameter.id, tensor)
        }
    }

    /// The largest difference, relative to the root mean square of the expected values.
    fn error<const D: usize>(found: Tensor<D>, name: &str) -> f32 {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/vgg16.safetensors");
        let bytes = std::fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.shape(), found.dims());
        let expected: Vec<f32> = bytemuck::pod_collect_to_vec(tensor.data());
        let rms = (expected.iter().map(|value| value * value).sum::<f32>() / expected.len() as f32).sqrt();
        let found: Vec<f32> = found.into_data().try_to_vec().unwrap();
        let differences = found
            .iter()
            .zip(&expected)
            .map(|(found, expected)| (found - expected).abs());
        differences.fold(0.0, f32::max) / rms
    }

    #[test]
    fn features_and_logits_match_torchvision() {
        let device = Device::flex();
        let shape = InputShape {
            spectrogram: [42, 100],
            ..InputShape::default()
        };
        let blueprint = Blueprint {
            shape,
            classes: 8,
            dropout: 0.3,
        };
        let image = hashed(1000, 2 * 42 * 100)
            .map(|value| 0.5 + 0.5 * value)
            .collect::<Vec<_>>();
        let image = Tensor::<4>::from_data(TensorData::new(image, [2, 1, 42, 100]), &device);

        let features = Features::new(&device).map(&mut Hashed(0));
        let decibels = image.clone() - 1.0;
        let plane = decibels.clone() / decibels.abs().max_dim(2);
        let features_error = error(features.forward(colours(plane)), "features");
        let model: Model = ModelKind::Vgg16Progressive42x100.init(&blueprint, &device);
        let logits = model.map(&mut Hashed(0)).forward(ModelInput {
            spectrogram: Some(image),
            waveform: None,
            statistics: None,
        });
        let logits_error = error(logits, "logits");
        println!("features {features_error:.1e}, logits {logits_error:.1e} of the root mean square");
        assert!(features_error < TOLERANCE && logits_error < TOLERANCE);
    }

    #[test]
    fn torchvision_names_map_to_our_names() {
        // The numbers of the thirteen convolutions in `vgg16().features`.
        let theirs = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
        let theirs = theirs.map(|at| ["weight", "bias"].map(|part| format!("features.{at}.{part}")));
        let renamed: BTreeSet<String> = theirs
            .iter()
            .flatten()
            .map(|name| {
                let rename = |name: String, (pattern, to): &(&str, &str)| {
                    Regex::new(pattern).unwrap().replace(&name, *to).into_owned()
                };
                TORCHVISION_NAMES.iter().fold(name.clone(), rename)
            })
            .collect();
        let model = testing::model(ModelKind::Vgg16, 8, &Device::flex());
        let names = parameters(&model).into_iter().map(|parameter| parameter.name);
        let ours: BTreeSet<String> = names.filter(|name| name.starts_with("features.")).collect();
        assert_eq!(renamed, ours);
    }
}
