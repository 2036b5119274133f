//! The models' layers. On the CPU in f32 they run our own kernels, everywhere else Burn's modules. The LSTM also has one
//! for GPUs.
//!
//! Burn's CPU backend runs a convolution as a matrix product over unrolled patches. It runs batch norm, the shortcut's
//! sum and ReLU as separate operations, each through memory, and a step of an LSTM as a dozen of them. The kernels here do
//! the same arithmetic with the patches in registers, the chain in one pass and the steps in one operation. Parameters,
//! state and gradients stay Burn's own, so models, checkpoints and optimizers do not depend on which implementation ran.
//!
//! A layer computes in the dtype of its input. In bfloat16 it does what PyTorch's autocast does: weights are kept in
//! f32 and rounded for the convolution, batch norm runs in f32 and rounds its result, and weight gradients are f32.
#![forbid(unsafe_code)]

mod autodiff;
mod buffer;
mod convolution;
mod lstm;
mod max_pool;
mod normalize;
#[cfg(test)]
mod tests;

use buffer::Buffer;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, DispatchKindConversion, DispatchTensor, Flex, TensorMetadata};
use burn::module::Param;
use burn::nn::conv::{Conv1d, Conv2d};
use burn::nn::pool::{MaxPool1d, MaxPool2d};
use burn::nn::{BatchNorm, PaddingConfig1d, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::ops::PadMode;
use burn::tensor::{AllocationProperty, Bytes, DType, Device, Float, Shape, Tensor, TensorData};
use convolution::ConvShape;
use lstm::backend::LstmBackend;
use lstm::{GATES, LstmShape};
use max_pool::PoolShape;
use normalize::{Activation, Affine};

/// A tensor of the CPU backend.
type Plain = FloatTensor<Flex>;
/// A tensor of the CPU backend that gradients flow through.
type Tracked = FloatTensor<Autodiff<Flex>>;

/// `layer.forward(x)`: `[batch, inputs, height, width]` to `[batch, outputs, …]`.
pub fn conv2d(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    if x.dtype() != DType::F32 {
        let mut rounded = layer.clone();
        rounded.weight = cast(&layer.weight, &x);
        rounded.bias = layer.bias.as_ref().map(|bias| cast(bias, &x));
        return rounded.forward(x);
    }
    let ([batch, inputs, height, width], kernel) = (x.dims(), layer.kernel_size);
    let [top, left, bottom, right] = match layer.padding {
        PaddingConfig2d::Same => {
            let [above, before] = kernel.map(|size| (size - 1) / 2);
            [above, before, kernel[0] - 1 - above, kernel[1] - 1 - before]
        }
        PaddingConfig2d::Valid => [0; 4],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [top, left, bottom, right],
    };
    let padded = [height + top + bottom, width + left + right];
    let fits =
        padded[0] >= kernel[0] && padded[1] >= kernel[1] && top.max(bottom) < kernel[0] && left.max(right) < kernel[1];
    // Zeros above and to the left, and the size of the output.
    let sizes = fits.then(|| ([top, left], [padded[0] + 1 - kernel[0], padded[1] + 1 - kernel[1]]));
    let plain = layer.stride == [1; 2] && layer.dilation == [1; 2] && layer.groups == 1;
    let Some((padding, to)) = sizes.filter(|_| plain && on_cpu(&x.device())) else {
        return layer.forward(x);
    };
    let weight = layer.weight.val();
    let shape = ConvShape {
        batch,
        inputs,
        outputs: weight.dims()[0],
        from: [height, width],
        to,
        kernel,
        padding,
    };
    convolve(x, weight, layer.bias.as_ref(), shape)
}

/// `layer.forward(x)`: `[batch, inputs, length]` to `[batch, outputs, …]`.
pub fn conv1d(layer: &Conv1d, x: Tensor<3>) -> Tensor<3> {
    if x.dtype() != DType::F32 {
        let mut rounded = layer.clone();
        rounded.weight = cast(&layer.weight, &x);
        rounded.bias = layer.bias.as_ref().map(|bias| cast(bias, &x));
        return rounded.forward(x);
    }
    let (kernel, stride, length) = (layer.kernel_size, layer.stride, x.dims()[2]);
    let padding = match layer.padding {
        PaddingConfig1d::Same if stride == 1 => Some(((kernel - 1) / 2, kernel / 2)),
        PaddingConfig1d::Same => None,
        PaddingConfig1d::Valid => Some((0, 0)),
        PaddingConfig1d::Explicit(left, right) => Some((left, right)),
    };
    // With wider padding, some output values would depend on padding only.
    let plain = layer.dilation == 1 && layer.groups == 1 && kernel.is_multiple_of(stride);
    let padding = padding.filter(|&(left, right)| {
        plain && on_cpu(&x.device()) && left.max(right) < kernel && length + left + right >= kernel
    });
    let Some((left, right)) = padding else {
        return layer.forward(x);
    };
    let (x, weight, left, right) = match stride {
        1 => (x, layer.weight.val(), left, right),
        _ => (
            phases(x.pad([(0, 0), (0, 0), (left, right)], PadMode::Constant(0.0)), stride),
            phases(layer.weight.val(), stride),
            0,
            0,
        ),
    };
    let ([batch, inputs, length], [outputs, _, kernel]) = (x.dims(), weight.dims());
    let shape = ConvShape {
        batch,
        inputs,
        outputs,
        from: [1, length],
        to: [1, length + left + right + 1 - kernel],
        kernel: [1, kernel],
        padding: [0, left],
    };
    let out = convolve(x.unsqueeze_dim(2), weight.unsqueeze_dim(2), layer.bias.as_ref(), shape);
    out.squeeze_dim(2)
}

/// Moves the `stride` phases of a signal to channels: `[rows, channels, length]` to `[rows, channels · stride, length /
/// stride]`. A convolution with step `stride` then becomes one with step 1.
fn phases(x: Tensor<3>, stride: usize) -> Tensor<3> {
    let [rows, channels, length] = x.dims();
    let steps = length / stride;
    x.narrow(2, 0, steps * stride)
        .reshape([rows, channels, steps, stride])
        .swap_dims(2, 3)
        .reshape([rows, channels * stride, steps])
}

fn convolve(x: Tensor<4>, weight: Tensor<4>, bias: Option<&Param<Tensor<1>>>, shape: ConvShape) -> Tensor<4> {
    let device = x.device();
    let bias = bias.map_or_else(|| Tensor::zeros([shape.outputs], &device), Param::val);
    if device.is_autodiff() {
        return from_tracked(autodiff::convolve(tracked(x), tracked(weight), tracked(bias), shape));
    }
    let [x, weight, bias] = [plain(x), plain(weight), plain(bias)];
    let out = convolution::forward(values(&x), values(&weight), values(&bias), &shape);
    from_plain(primitive(out, [shape.batch, shape.outputs, shape.to[0], shape.to[1]]))
}

/// A layer's parameter in the dtype of its input. Gradients flow back to the parameter.
fn cast<const D: usize, const E: usize>(parameter: &Param<Tensor<D>>, x: &Tensor<E>) -> Param<Tensor<D>> {
    Param::initialized(parameter.id, parameter.val().cast(x.dtype()))
}

/// `relu(Σ layer.forward(x))` over batch-normalized `[batch, channels, …]`.
///
/// # Panics
/// Panics if `terms` is empty or the shapes differ.
pub fn normalize_relu<const D: usize, const N: usize>(terms: [(&BatchNorm, Tensor<D>); N]) -> Tensor<D> {
    normalize_sum(terms, Activation::Relu)
}

/// `layer.forward(x)`, `[batch, channels, …]`.
pub fn normalize<const D: usize>(layer: &BatchNorm, x: Tensor<D>) -> Tensor<D> {
    normalize_sum([(layer, x)], Activation::Identity)
}

fn normalize_sum<const D: usize, const N: usize>(
    terms: [(&BatchNorm, Tensor<D>); N],
    activation: Activation,
) -> Tensor<D> {
    if normalizes(&terms) {
        return run_normalize(terms, activation, None);
    }
    let dtype = terms[0].1.dtype();
    let sum = terms
        .into_iter()
        .map(|(layer, x)| layer.forward(x.cast(DType::F32)))
        .reduce(|sum, x| sum + x)
        .expect("there is a term");
    match activation {
        Activation::Identity => sum.cast(dtype),
        Activation::Relu => relu(sum).cast(dtype),
    }
}

/// `pool.forward(relu(Σ layer.forward(x)))`: `[batch, channels, height, width]` to `[batch, channels, …]`.
///
/// # Panics
/// Panics if `terms` is empty or the shapes differ.
pub fn normalize_relu_max_pool2d<const N: usize>(terms: [(&BatchNorm, Tensor<4>); N], pool: &MaxPool2d) -> Tensor<4> {
    match window2d(pool).filter(|_| normalizes(&terms)) {
        Some(window) => run_normalize(terms, Activation::Relu, Some(window)),
        None => max_pool2d(pool, normalize_relu(terms)),
    }
}

/// `pool.forward(relu(layer.forward(x)))`: `[batch, channels, length]` to `[batch, channels, …]`.
pub fn normalize_relu_max_pool1d(layer: &BatchNorm, x: Tensor<3>, pool: &MaxPool1d) -> Tensor<3> {
    let terms = [(layer, x.clone().unsqueeze_dim::<4>(2))];
    match window1d(pool).filter(|_| normalizes(&terms)) {
        Some(window) => run_normalize(terms, Activation::Relu, Some(window)).squeeze_dim(2),
        None => max_pool1d(pool, normalize_relu([(layer, x)])),
    }
}

/// Whether our kernels compute the normalized sum.
///
/// # Panics
/// Panics if `terms` is empty or the shapes differ.
fn normalizes<const D: usize, const N: usize>(terms: &[(&BatchNorm, Tensor<D>); N]) -> bool {
    let (device, shape, dtype) = (terms[0].1.device(), terms[0].1.dims(), terms[0].1.dtype());
    assert!(
        terms.iter().all(|(_, x)| x.dims() == shape),
        "all terms have the same shape"
    );
    let frozen = device.is_autodiff() && terms.iter().any(|(layer, _)| !layer.training.is_enabled());
    on_cpu(&device) && dtype == DType::F32 && !frozen
}

/// The normalized sum after its activation and, with `window`, its maxima.
fn run_normalize<const D: usize, const N: usize>(
    terms: [(&BatchNorm, Tensor<D>); N],
    activation: Activation,
    window: Option<[usize; 2]>,
) -> Tensor<D> {
    let (device, mut shape) = (terms[0].1.device(), terms[0].1.shape());
    let pool = window.map(|window| PoolShape {
        height: shape[2],
        width: shape[3],
        window,
    });
    if device.is_autodiff() {
        let inputs = terms.each_ref().map(|(layer, x)| autodiff::Term {
            x: tracked(x.clone()),
            gamma: tracked(layer.gamma.val()),
            beta: tracked(layer.beta.val()),
            epsilon: layer.epsilon,
        });
        let (out, moments) = autodiff::normalize(inputs, activation, pool);
        for ((layer, _), (mean, variance)) in terms.iter().zip(moments) {
            update_running(layer, mean, variance, &device);
        }
        return from_tracked(out);
    }
    let inputs = terms.map(|(layer, x)| (plain(x), running_affine(layer)));
    let terms = inputs.each_ref().map(|(x, affine)| (values(x), affine));
    let channels = shape[1];
    let out = match pool {
        None => normalize::forward(terms, activation, channels, shape[2..].iter().product()),
        Some(pool) => {
            [shape[2], shape[3]] = pool.pooled();
            normalize::pooled::forward(terms, activation, channels, &pool).maxima
        }
    };
    from_plain(primitive(out, shape))
}

/// `layer.forward(x)`: `[batch, channels, height, width]` to `[batch, channels, …]`.
pub fn max_pool2d(layer: &MaxPool2d, x: Tensor<4>) -> Tensor<4> {
    match window2d(layer).filter(|_| pools(&x)) {
        Some(window) => pool(x, window),
        None => layer.forward(x),
    }
}

/// `layer.forward(x)`: `[batch, channels, length]` to `[batch, channels, …]`.
pub fn max_pool1d(layer: &MaxPool1d, x: Tensor<3>) -> Tensor<3> {
    match window1d(layer).filter(|_| pools(&x)) {
        Some(window) => pool(x.unsqueeze_dim(2), window).squeeze_dim(2),
        None => layer.forward(x),
    }
}

/// The layer's windows, if they neither overlap nor leave gaps and a kernel for their size exists.
fn window2d(layer: &MaxPool2d) -> Option<[usize; 2]> {
    let window = layer.kernel_size;
    let tiles = layer.stride == window && layer.padding == PaddingConfig2d::Valid && layer.dilation == [1; 2];
    (tiles && !layer.ceil_mode && PoolShape::has_kernel(window)).then_some(window)
}

/// [`window2d`] for signals: images of one row.
fn window1d(layer: &MaxPool1d) -> Option<[usize; 2]> {
    let window = [1, layer.kernel_size];
    let tiles = layer.stride == window[1] && layer.padding == PaddingConfig1d::Valid && layer.dilation == 1;
    (tiles && !layer.ceil_mode && PoolShape::has_kernel(window)).then_some(window)
}

fn pools<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && on_cpu(&x.device())
}

fn pool(x: Tensor<4>, window: [usize; 2]) -> Tensor<4> {
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

/// The last hidden state, `[batch, hidden]`, of an LSTM, or `None` if there is no kernel for the device, dtype or width.
///
/// `inputs`, `[steps, batch, 4 · hidden]`, are each step's inputs times their weights, plus biases. `weight`,
/// `[hidden, 4 · hidden]`, are the recurrent weights. The gates are input, forget, output and cell.
pub fn lstm(inputs: &Tensor<3>, weight: &Tensor<2>) -> Option<Tensor<2>> {
    let ([steps, batch, _], [hidden, _]) = (inputs.dims(), weight.dims());
    let shape = LstmShape { steps, batch, hidden };
    assert_eq!(inputs.dims()[2], GATES * hidden);
    if inputs.dtype() != DType::F32 {
        return None;
    }
    let (inputs, weight) = (inputs.clone(), weight.clone());
    if on_cpu(&inputs.device()) {
        return lstm_of::<Flex>(inputs, weight, shape);
    }
    #[cfg(feature = "gpu")]
    return lstm_of::<burn::backend::Cube>(inputs, weight, shape);
    #[cfg(not(feature = "gpu"))]
    None
}

fn lstm_of<B: LstmBackend>(inputs: Tensor<3>, weight: Tensor<2>, shape: LstmShape) -> Option<Tensor<2>>
where
    DispatchTensor: DispatchKindConversion<B> + DispatchKindConversion<Autodiff<B>>,
{
    if inputs.device().is_autodiff() {
        let inputs = into_primitive::<Autodiff<B>, 3>(inputs);
        B::has_lstm(&inputs.device(), &shape).then(|| {
            let out = autodiff::lstm::<B>(inputs, into_primitive::<Autodiff<B>, 2>(weight), shape);
            Tensor::from_primitive::<Autodiff<B>>(out)
        })
    } else {
        let inputs = into_primitive::<B, 3>(inputs);
        B::has_lstm(&inputs.device(), &shape)
            .then(|| Tensor::from_primitive::<B>(B::lstm(inputs, into_primitive::<B, 2>(weight), &shape)))
    }
}

fn into_primitive<B: Backend, const D: usize>(tensor: Tensor<D>) -> FloatTensor<B>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    let primitive = tensor.try_into_primitive::<B>();
    primitive.expect("a model's tensors are on one device")
}

/// The first `count` frames of `size` values, one every `hop`: `[rows, length]` to `[rows, count, size]`.
pub fn frames(x: Tensor<2>, count: usize, size: usize, hop: usize) -> Tensor<3> {
    // The rows must end with the last frame. If the hop is a multiple of four, Burn's kernels for GPUs read four values of
    // a view at once, and misread the second and later rows if their length is not.
    let whole = (count - 1) * hop + size;
    let x = if whole < x.dims()[1] { x.narrow(1, 0, whole) } else { x };
    x.unfold(1, size, hop)
}

fn on_cpu(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// Updates batch norm's running statistics with a batch's moments, in the way of Burn's own layer.
fn update_running(layer: &BatchNorm, mean: Vec<f32>, variance: Vec<f32>, device: &Device) {
    for (running, batch) in [(&layer.running_mean, mean), (&layer.running_var, variance)] {
        let channels = batch.len();
        let batch = Tensor::<1>::from_data(TensorData::new(batch, [channels]), device);
        let old = running.value_sync().to_device(device);
        running.update((old * (1.0 - layer.momentum) + batch * layer.momentum).detach());
    }
}

/// Batch norm in evaluation mode, which uses the running statistics.
fn running_affine(layer: &BatchNorm) -> Affine {
    let read = |tensor: Tensor<1>| values(&plain(tensor)).to_vec();
    let [mean, variance] = [&layer.running_mean, &layer.running_var].map(|running| read(running.value()));
    let [gamma, beta] = [&layer.gamma, &layer.beta].map(|parameter| read(parameter.val()));
    Affine::new(mean, &variance, layer.epsilon, gamma, beta)
}

fn plain<const D: usize>(tensor: Tensor<D>) -> Plain {
    into_primitive::<Flex, D>(tensor).to_contiguous()
}

fn tracked<const D: usize>(tensor: Tensor<D>) -> Tracked {
    into_primitive::<Autodiff<Flex>, D>(tensor)
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

fn primitive(values: impl Into<Buffer>, shape: impl Into<Shape>) -> Plain {
    let bytes = Bytes::from_shared(values.into().into_bytes(), AllocationProperty::Native);
    Plain::from_data(TensorData::from_bytes(bytes, shape, DType::F32))
}
