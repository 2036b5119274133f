//! Faster forms of the convolutional layers on the CPU; the plain Burn modules everywhere else.
//!
//! Burn's CPU backend runs a convolution as a matrix product over unrolled patches, and batch norm, the sum with a
//! shortcut and ReLU one operation after the other, each through memory. The kernels here do the same arithmetic with the
//! patches in registers and the chain in one pass. A layer's parameters, state and gradients stay Burn's own: models,
//! checkpoints and optimizers do not know which form ran.

mod autodiff;
mod conv2d;
mod max_pool;
mod normalize;
#[cfg(test)]
mod tests;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::nn::conv::Conv2d;
use burn::nn::pool::MaxPool2d;
use burn::nn::{BatchNorm, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Float, Tensor, TensorData};
use conv2d::ConvShape;
use max_pool::PoolShape;
use normalize::Affine;

/// A tensor of the CPU backend.
type Plain = FloatTensor<Flex>;
/// One that gradients flow through.
type Tracked = FloatTensor<Autodiff<Flex>>;

/// `layer.forward(x)`: `[batch, inputs, height, width]` to `[batch, outputs, …]`.
pub fn conv2d(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    if !(on_cpu(&x.device()) && has_conv_kernel(layer)) {
        return layer.forward(x);
    }
    let ([batch, inputs, height, width], weight) = (x.dims(), layer.weight.val());
    let shape = ConvShape {
        batch,
        inputs,
        outputs: weight.dims()[0],
        height,
        width,
        kernel: layer.kernel_size[0],
    };
    let bias = match &layer.bias {
        Some(bias) => bias.val(),
        None => Tensor::zeros([shape.outputs], &x.device()),
    };
    if x.device().is_autodiff() {
        from_tracked(autodiff::conv2d(tracked(x), tracked(weight), tracked(bias), shape))
    } else {
        let (x, weight, bias) = (plain(x), plain(weight), plain(bias));
        let out = conv2d::forward(values(&x), values(&weight), values(&bias), &shape);
        from_plain(primitive(out, [batch, shape.outputs, height, width]))
    }
}

/// `relu(Σ layer.forward(x))` over batch-normalized images `[batch, channels, height, width]`.
///
/// # Panics
/// When there are no terms, or their shapes differ.
pub fn normalize_relu<const N: usize>(terms: [(&BatchNorm, Tensor<4>); N]) -> Tensor<4> {
    let (device, shape) = (terms[0].1.device(), terms[0].1.dims());
    assert!(
        terms.iter().all(|(_, x)| x.dims() == shape),
        "images of one size are added"
    );
    let training = device.is_autodiff();
    if !on_cpu(&device) || terms.iter().any(|(layer, _)| training != layer.training.is_enabled()) {
        let sum = terms
            .into_iter()
            .map(|(layer, x)| layer.forward(x))
            .reduce(|sum, x| sum + x);
        return relu(sum.expect("there is a term"));
    }
    if training {
        let inputs = terms.each_ref().map(|(layer, x)| autodiff::Term {
            x: tracked(x.clone()),
            gamma: tracked(layer.gamma.val()),
            beta: tracked(layer.beta.val()),
            epsilon: layer.epsilon,
        });
        let (out, moments) = autodiff::normalize_relu(inputs);
        for ((layer, _), (mean, variance)) in terms.iter().zip(moments) {
            update_running(layer, mean, variance, &device);
        }
        from_tracked(out)
    } else {
        let inputs = terms.map(|(layer, x)| (plain(x), running_affine(layer)));
        let terms = inputs.each_ref().map(|(x, affine)| (values(x), affine));
        from_plain(primitive(
            normalize::forward(&terms, shape[1], shape[2] * shape[3]),
            shape,
        ))
    }
}

/// `layer.forward(x)`: `[batch, channels, height, width]` to `[batch, channels, …]`.
pub fn max_pool2d(layer: &MaxPool2d, x: Tensor<4>) -> Tensor<4> {
    let window = layer.kernel_size;
    let tiles = layer.stride == window && layer.padding == PaddingConfig2d::Valid && layer.dilation == [1; 2];
    if !(on_cpu(&x.device()) && tiles && !layer.ceil_mode && PoolShape::has_kernel(window)) {
        return layer.forward(x);
    }
    let [batch, channels, height, width] = x.dims();
    let shape = PoolShape { height, width, window };
    let [rows, columns] = shape.pooled();
    let pooled = [batch, channels, rows, columns];
    if x.device().is_autodiff() {
        from_tracked(autodiff::max_pool2d(tracked(x), shape, pooled))
    } else {
        from_plain(primitive(max_pool::forward(values(&plain(x)), &shape).0, pooled))
    }
}

fn has_conv_kernel(layer: &Conv2d) -> bool {
    let keeps_size = layer.padding == PaddingConfig2d::Same
        || layer.padding == PaddingConfig2d::Valid && layer.kernel_size == [1; 2];
    let plain = layer.stride == [1; 2] && layer.dilation == [1; 2] && layer.groups == 1;
    keeps_size && plain && ConvShape::has_kernel(layer.kernel_size)
}

fn on_cpu(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// Batch norm's running statistics after a batch with these moments, as Burn's own layer keeps them.
fn update_running(layer: &BatchNorm, mean: Vec<f32>, variance: Vec<f32>, device: &Device) {
    for (running, batch) in [(&layer.running_mean, mean), (&layer.running_var, variance)] {
        let channels = batch.len();
        let batch = Tensor::<1>::from_data(TensorData::new(batch, [channels]), device);
        let old = running.value_sync().to_device(device);
        running.update((old * (1.0 - layer.momentum) + batch * layer.momentum).detach());
    }
}

/// What batch norm does outside training.
fn running_affine(layer: &BatchNorm) -> Affine {
    let read = |tensor: Tensor<1>| values(&plain(tensor)).to_vec();
    let inverse_std = |variance: f32| (f64::from(variance) + layer.epsilon).sqrt().recip() as f32;
    Affine {
        mean: read(layer.running_mean.value()),
        inverse_std: read(layer.running_var.value()).into_iter().map(inverse_std).collect(),
        gamma: read(layer.gamma.val()),
        beta: read(layer.beta.val()),
    }
}

fn plain<const D: usize>(tensor: Tensor<D>) -> Plain {
    let primitive = tensor.try_into_primitive::<Flex>();
    primitive.expect("a model's tensors are on one device").to_contiguous()
}

fn tracked<const D: usize>(tensor: Tensor<D>) -> Tracked {
    let primitive = tensor.try_into_primitive::<Autodiff<Flex>>();
    primitive.expect("a model's tensors are on one device")
}

fn from_plain<const D: usize>(primitive: Plain) -> Tensor<D> {
    Tensor::<D, Float>::from_primitive::<Flex>(primitive)
}

fn from_tracked<const D: usize>(primitive: Tracked) -> Tensor<D> {
    Tensor::<D, Float>::from_primitive::<Autodiff<Flex>>(primitive)
}

/// All values of a contiguous tensor.
fn values(tensor: &Plain) -> &[f32] {
    tensor
        .as_slice()
        .expect("the tensor is contiguous and in single precision")
}

fn primitive<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Plain {
    Plain::from_data(TensorData::new(values, shape))
}
