//! Layers of Burn with their weights: convolutions, pooling, norms and dense layers.

use super::format::Attribute::{Float, Int, Ints};
use super::graph::{Graph, Value};
use burn::module::Param;
use burn::nn::conv::{Conv1d, Conv2d};
use burn::nn::pool::{MaxPool1d, MaxPool2d};
use burn::nn::{BatchNorm, LayerNorm, Linear, PaddingConfig1d, PaddingConfig2d};
use burn::tensor::Tensor;

impl Graph {
    /// `layer.forward(x)`: `[batch, inputs, length]` to `[batch, outputs, …]`.
    pub fn conv1d(&self, layer: &Conv1d, x: Value) -> Value {
        let [kernel, stride, dilation] = [layer.kernel_size, layer.stride, layer.dilation];
        let padding = match layer.padding {
            PaddingConfig1d::Valid => [0, 0],
            PaddingConfig1d::Same => same(kernel, stride, dilation),
            PaddingConfig1d::Explicit(left, right) => [left, right],
        };
        let window = Window {
            kernel: &[kernel],
            stride: &[stride],
            dilation: &[dilation],
            padding: &padding,
        };
        self.conv(&layer.weight, layer.bias.as_ref(), layer.groups, &window, x)
    }

    /// `layer.forward(x)`: `[batch, inputs, height, width]` to `[batch, outputs, …]`.
    pub fn conv2d(&self, layer: &Conv2d, x: Value) -> Value {
        let padding = match layer.padding {
            PaddingConfig2d::Valid => [0; 4],
            PaddingConfig2d::Same => {
                let side = |axis: usize| same(layer.kernel_size[axis], layer.stride[axis], layer.dilation[axis]);
                let [[top, bottom], [left, right]] = [side(0), side(1)];
                [top, left, bottom, right]
            }
            PaddingConfig2d::Explicit(top, left, bottom, right) => [top, left, bottom, right],
        };
        let window = Window {
            kernel: &layer.kernel_size,
            stride: &layer.stride,
            dilation: &layer.dilation,
            padding: &padding,
        };
        self.conv(&layer.weight, layer.bias.as_ref(), layer.groups, &window, x)
    }

    fn conv<const D: usize>(
        &self,
        weight: &Param<Tensor<D>>,
        bias: Option<&Param<Tensor<1>>>,
        groups: usize,
        window: &Window<'_>,
        x: Value,
    ) -> Value {
        let mut inputs = vec![x, self.parameter(weight)];
        inputs.extend(bias.map(|bias| self.parameter(bias)));
        let mut attributes = window.attributes();
        attributes.push(("group", Int(groups as i64)));
        self.node("Conv", &inputs, attributes)
    }

    /// Convolves `[batch, inputs, length]` with a weight that is not a layer's, `[outputs, inputs, kernel]`.
    pub fn convolve(&self, x: Value, weight: Value, stride: usize) -> Value {
        self.node("Conv", &[x, weight], vec![("strides", Ints(vec![stride as i64]))])
    }

    /// `layer.forward(x)`: `[batch, channels, length]` to `[batch, channels, …]`.
    pub fn max_pool1d(&self, layer: &MaxPool1d, x: Value) -> Value {
        assert!(!layer.ceil_mode && layer.padding == PaddingConfig1d::Valid);
        let window = Window {
            kernel: &[layer.kernel_size],
            stride: &[layer.stride],
            dilation: &[layer.dilation],
            padding: &[0; 2],
        };
        self.node("MaxPool", &[x], window.attributes())
    }

    /// `layer.forward(x)`: `[batch, channels, height, width]` to `[batch, channels, …]`.
    pub fn max_pool2d(&self, layer: &MaxPool2d, x: Value) -> Value {
        assert!(!layer.ceil_mode && layer.padding == PaddingConfig2d::Valid);
        let window = Window {
            kernel: &layer.kernel_size,
            stride: &layer.stride,
            dilation: &layer.dilation,
            padding: &[0; 4],
        };
        self.node("MaxPool", &[x], window.attributes())
    }

    /// `layer.forward(x)` with the running statistics: `[batch, channels, …]`.
    pub fn batch_norm(&self, layer: &BatchNorm, x: Value) -> Value {
        let gamma = self.name(&layer.gamma);
        let prefix = gamma.strip_suffix("gamma").expect("gamma is the name of the field");
        let inputs = [
            x,
            self.parameter(&layer.gamma),
            self.parameter(&layer.beta),
            self.tensor(format!("{prefix}running_mean"), layer.running_mean.value()),
            self.tensor(format!("{prefix}running_var"), layer.running_var.value()),
        ];
        self.node(
            "BatchNormalization",
            &inputs,
            vec![("epsilon", Float(layer.epsilon as f32))],
        )
    }

    /// `layer.forward(x)`: over the last axis. Burn's layer does not give its epsilon.
    pub fn layer_norm(&self, layer: &LayerNorm, epsilon: f64, x: Value) -> Value {
        let mut inputs = vec![x, self.parameter(&layer.gamma)];
        inputs.extend(layer.beta.as_ref().map(|beta| self.parameter(beta)));
        self.node("LayerNormalization", &inputs, vec![("epsilon", Float(epsilon as f32))])
    }

    /// `layer.forward(x)`: `[…, inputs]` to `[…, outputs]`.
    pub fn linear(&self, layer: &Linear, x: Value) -> Value {
        let product = self.matmul(x, self.parameter(&layer.weight));
        match &layer.bias {
            Some(bias) => self.add(product, self.parameter(bias)),
            None => product,
        }
    }
}

/// The window of a convolution or of pooling. `padding` is that before the first position of all axes, then that after
/// the last.
struct Window<'a> {
    kernel: &'a [usize],
    stride: &'a [usize],
    dilation: &'a [usize],
    padding: &'a [usize],
}

impl Window<'_> {
    fn attributes(&self) -> Vec<(&'static str, super::format::Attribute)> {
        let integers = |numbers: &[usize]| Ints(numbers.iter().map(|&number| number as i64).collect());
        vec![
            ("kernel_shape", integers(self.kernel)),
            ("strides", integers(self.stride)),
            ("dilations", integers(self.dilation)),
            ("pads", integers(self.padding)),
        ]
    }
}

/// Padding before and after an axis that keeps its length.
///
/// # Panics
/// Panics with other strides, because the padding then depends on the length. No model has such a layer.
fn same(kernel: usize, stride: usize, dilation: usize) -> [usize; 2] {
    assert_eq!(
        [stride, dilation],
        [1, 1],
        "same padding has a stride and a dilation of 1"
    );
    [(kernel - 1) / 2, kernel / 2]
}
