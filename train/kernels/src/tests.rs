//! Compares each kernel with plain Burn operations, forward and backward.

use super::*;
use burn::module::{Module, Param};
use burn::nn::conv::{Conv1dConfig, Conv2dConfig};
use burn::nn::pool::{MaxPool1dConfig, MaxPool2dConfig};
use burn::nn::{BatchNormConfig, PaddingConfig1d, PaddingConfig2d};
use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Distribution, Int};
use proptest::prelude::*;

fn noise<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.3, 1.0), device)
}

/// The largest difference, in units of the larger tensor's root mean square.
fn difference<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> f32 {
    let rms = b.clone().powi_scalar(2).mean().sqrt().into_scalar::<f32>();
    (a.clone() - b.clone()).abs().max().into_scalar::<f32>() / rms.max(1e-6)
}

/// Output of one layer, and the gradients under a random cost.
struct Outcome {
    out: Tensor<4>,
    gradients: Vec<Tensor<1>>,
}

/// Backpropagates `cost` through `out` and collects the gradients of `leaves` and `parameters`.
fn differentiate(leaves: &[Tensor<4>], parameters: &[Tensor<1>], cost: &Tensor<4>, out: Tensor<4>) -> Outcome {
    let gradients = (out.clone() * cost.clone()).sum().backward();
    let found = leaves
        .iter()
        .map(|leaf| leaf.grad(&gradients).expect("a gradient").flatten(0, 3))
        .chain(
            parameters
                .iter()
                .map(|parameter| parameter.grad(&gradients).expect("a gradient")),
        );
    Outcome {
        gradients: found.collect(),
        out: out.inner(),
    }
}

fn assert_close(ours: &Outcome, plain: &Outcome, tolerance: f32) {
    assert_eq!(ours.out.dims(), plain.out.dims());
    assert!(difference(&ours.out, &plain.out) < tolerance);
    for (at, (ours, plain)) in ours.gradients.iter().zip(&plain.gradients).enumerate() {
        let error = difference(ours, plain);
        assert!(error < tolerance, "gradient {at}: {error}");
    }
}

fn conv(inputs: usize, outputs: usize, kernel: usize, device: &Device) -> Conv2d {
    let layer = Conv2dConfig::new([inputs, outputs], [kernel; 2]).with_padding(PaddingConfig2d::Same);
    layer.init(device)
}

fn compare_conv(inputs: usize, outputs: usize, kernel: usize, shape: [usize; 3], tolerance: f32) {
    let layer = conv(inputs, outputs, kernel, &Device::flex().autodiff());
    compare_layer(&layer, inputs, shape, tolerance);
}

fn compare_layer(layer: &Conv2d, inputs: usize, [batch, height, width]: [usize; 3], tolerance: f32) {
    let device = Device::flex().autodiff();
    let x = noise([batch, inputs, height, width], &device).require_grad();
    let cost = noise(layer.forward(x.clone()).dims(), &device);
    let (weight, bias) = (layer.weight.val(), layer.bias.as_ref().expect("a bias").val());
    let run = |out| differentiate(&[x.clone(), weight.clone()], std::slice::from_ref(&bias), &cost, out);
    assert_close(
        &run(conv2d(layer, x.clone())),
        &run(layer.forward(x.clone())),
        tolerance,
    );
    let (layer, x) = (layer.valid(), x.inner());
    assert!(difference(&conv2d(&layer, x.clone()), &layer.forward(x)) < tolerance);
}

fn compare_conv1d(channels: [usize; 2], kernel: usize, stride: usize, padding: usize, [batch, length]: [usize; 2]) {
    let device = Device::flex().autodiff();
    let padding = match (stride, padding) {
        (1, 0) => PaddingConfig1d::Same,
        _ => PaddingConfig1d::Explicit(padding, padding + 1),
    };
    let config = Conv1dConfig::new(channels[0], channels[1], kernel);
    let layer = config.with_stride(stride).with_padding(padding).init(&device);
    let x = noise([batch, channels[0], length], &device).require_grad();
    let (weight, bias) = (layer.weight.val(), layer.bias.as_ref().expect("a bias").val());
    let run = |out: Tensor<3>| {
        // The cost has a mean, because a bias gradient that nearly cancels has a large relative error.
        let cost = (Tensor::<1, Int>::arange(0..out.shape().num_elements() as i64, &device).float() * 0.7).sin() + 0.5;
        let cost = cost.reshape([1, out.dims()[0], out.dims()[1], out.dims()[2]]);
        let gradients = (out.clone().unsqueeze_dim::<4>(0) * cost).sum().backward();
        Outcome {
            gradients: vec![
                x.grad(&gradients).expect("a gradient").flatten(0, 2),
                weight.grad(&gradients).expect("a gradient").flatten(0, 2),
                bias.grad(&gradients).expect("a gradient"),
            ],
            out: out.inner().unsqueeze_dim::<4>(0),
        }
    };
    // A gradient sums up to 131,072 products.
    assert_close(&run(conv1d(&layer, x.clone())), &run(layer.forward(x.clone())), 1e-4);
}

/// The LSTM's equations in Burn's operations, in the dtype of its inputs.
fn plain_lstm(inputs: Tensor<3>, weight: Tensor<2>) -> Tensor<2> {
    let ([_, batch, _], [size, _]) = (inputs.dims(), weight.dims());
    let mut hidden = Tensor::<2>::zeros([batch, size], &inputs.device()).cast(inputs.dtype());
    let mut cell = hidden.clone();
    for step in inputs.iter_dim(0) {
        let sums = step.squeeze_dim::<2>(0) + hidden.matmul(weight.clone());
        let [input, forget, output, candidate] = [0, 1, 2, 3].map(|gate| sums.clone().narrow(1, gate * size, size));
        cell = sigmoid(forget) * cell + sigmoid(input) * tanh(candidate);
        hidden = sigmoid(output) * tanh(cell.clone());
    }
    hidden
}

fn compare_lstm([steps, batch, hidden]: [usize; 3]) {
    let device = Device::flex().autodiff();
    let inputs = noise([steps, batch, 4 * hidden], &device).require_grad();
    let weight = (noise([hidden, 4 * hidden], &device) / (hidden as f32).sqrt())
        .detach()
        .require_grad();
    let cost = noise([1, 1, batch, hidden], &device);
    let run = |out: Tensor<2>| {
        let out = out.unsqueeze::<4>();
        let gradients = (out.clone() * cost.clone()).sum().backward();
        Outcome {
            gradients: vec![
                inputs.grad(&gradients).expect("a gradient").flatten(0, 2),
                weight.grad(&gradients).expect("a gradient").flatten(0, 1),
            ],
            out: out.inner(),
        }
    };
    let ours = || lstm(&inputs, &weight).expect("a kernel");
    let plain = plain_lstm(inputs.clone().cast(DType::F64), weight.clone().cast(DType::F64));
    let (outcome, plain) = (run(ours()), run(plain.cast(DType::F32)));
    assert!(difference(&outcome.out, &plain.out) < 1e-5);
    // The gradients of the last step are many times the root mean square.
    assert_close(&outcome, &plain, 2e-4);
    let evaluated = lstm(&inputs.clone().inner(), &weight.clone().inner()).expect("a kernel");
    assert!(evaluated.into_data() == ours().inner().into_data());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn convolutions_of_any_shape_match_burn(
        inputs in 1usize..10, outputs in 1usize..11, kernel in prop::sample::select(vec![1usize, 2, 3, 4, 5, 6]),
        batch in 1usize..4, height in 1usize..12, width in 1usize..150,
    ) {
        compare_conv(inputs, outputs, kernel, [batch, height, width], 2e-5);
    }

    #[test]
    fn lstms_of_any_length_match_burn(
        steps in 1usize..70, batch in 1usize..20, hidden in prop::sample::select(vec![32usize, 96, 128]),
    ) {
        compare_lstm([steps, batch, hidden]);
    }

    #[test]
    fn convolutions_with_any_padding_match_burn(
        inputs in 1usize..10, outputs in 1usize..11, rows in 1usize..6, columns in 1usize..6,
        batch in 1usize..4, height in 0usize..9, width in 0usize..150, above in 0usize..3, before in 0usize..3,
    ) {
        let padding = PaddingConfig2d::Explicit(above, before, above, before);
        let config = Conv2dConfig::new([inputs, outputs], [rows, columns]).with_padding(padding);
        let layer = config.init(&Device::flex().autodiff());
        compare_layer(&layer, inputs, [batch, rows + height, columns + width], 2e-5);
    }

    #[test]
    fn convolutions_of_3x3_on_many_channels_match_burn(
        inputs in 15usize..30, outputs in 15usize..30, batch in 1usize..4, height in 1usize..14, width in 1usize..150,
        above in 0usize..3, before in 0usize..3, below in 0usize..3, after in 0usize..3,
    ) {
        let [missing_rows, missing_columns] = [height + above + below, width + before + after]
            .map(|padded| 3usize.saturating_sub(padded));
        let padding = PaddingConfig2d::Explicit(above, before, below, after);
        let config = Conv2dConfig::new([inputs, outputs], [3, 3]).with_padding(padding);
        let layer = config.init(&Device::flex().autodiff());
        compare_layer(&layer, inputs, [batch, height + missing_rows, width + missing_columns], 1e-4);
    }

    #[test]
    fn tall_filters_on_one_channel_match_burn(
        outputs in 1usize..11, rows in 14usize..20, columns in 1usize..6, batch in 1usize..3, height in 0usize..4,
        width in 0usize..60, side in 0usize..3,
    ) {
        let side = side.min(columns - 1);
        let padding = PaddingConfig2d::Explicit(0, side, 0, side);
        let config = Conv2dConfig::new([1, outputs], [rows, columns]).with_padding(padding);
        let layer = config.init(&Device::flex().autodiff());
        compare_layer(&layer, 1, [batch, rows + height, columns + width], 2e-5);
    }

    #[test]
    fn convolutions_of_signals_match_burn(
        inputs in 1usize..5, outputs in 1usize..7, taps in 1usize..9, stride in 1usize..4, batch in 1usize..4,
        steps in 1usize..300, padding in 0usize..4,
    ) {
        compare_conv1d([inputs, outputs], taps * stride, stride, padding, [batch, (steps + taps) * stride]);
    }

    #[test]
    fn pools_of_any_shape_match_burn(
        window in (1usize..6, 1usize..5), batch in 1usize..3, rows in 1usize..5, columns in 1usize..80,
        extra in (0usize..3, 0usize..3),
    ) {
        let device = Device::flex().autodiff();
        let layer = MaxPool2dConfig::new([window.0, window.1]).with_strides([window.0, window.1]).init();
        // Columns and rows that do not fill a window are dropped.
        let height = rows * window.0 + extra.0.min(window.0 - 1);
        let width = columns * window.1 + extra.1.min(window.1 - 1);
        let shape = [batch, 2, height, width];
        let x = noise(shape, &device).require_grad();
        let cost = noise([batch, 2, rows, columns], &device);
        let run = |out| differentiate(std::slice::from_ref(&x), &[], &cost, out);
        assert_close(&run(max_pool2d(&layer, x.clone())), &run(layer.forward(x.clone())), 1e-6);
    }
}

#[test]
fn the_encoders_convolutions_match_burn() {
    compare_conv1d([1, 16], 256, 64, 96, [2, 1 << 16]);
    compare_conv1d([16, 32], 32, 1, 0, [2, 1024]);
    for (inputs, outputs, kernel, height, width) in [(1, 16, 3, 128, 512), (16, 32, 1, 32, 256), (64, 128, 3, 1, 64)] {
        // A weight's gradient sums up to 131,072 products. In one of twenty draws it differs by more than 2e-5.
        compare_conv(inputs, outputs, kernel, [2, height, width], 5e-5);
    }
}

#[test]
fn signals_longer_than_one_part_match_burn() {
    // The gradient of the weights is summed over parts of 4096 columns.
    for length in [4096, 4097, 12_345] {
        compare_conv1d([3, 5], 3, 1, 0, [2, length]);
        compare_conv1d([2, 9], 8, 1, 3, [1, length]);
    }
}

#[test]
fn pools_of_signals_match_burn() {
    let device = Device::flex().autodiff();
    for (window, length) in [(3, 3), (3, 100), (3, 10_001), (8, 4096)] {
        let layer = MaxPool1dConfig::new(window).with_stride(window).init();
        let x = noise([2, 3, 1, length], &device).require_grad();
        let cost = noise([2, 3, 1, length / window], &device);
        let run = |pool: &dyn Fn(Tensor<3>) -> Tensor<3>| {
            let out = pool(x.clone().squeeze_dim(2)).unsqueeze_dim(2);
            differentiate(std::slice::from_ref(&x), &[], &cost, out)
        };
        let (ours, plain) = (run(&|x| max_pool1d(&layer, x)), run(&|x| layer.forward(x)));
        assert_close(&ours, &plain, 1e-6);
    }
    let overlapping = MaxPool1dConfig::new(3).with_stride(1).init();
    let x = noise([1, 2, 9], &device).inner();
    assert_eq!(
        max_pool1d(&overlapping, x.clone()).into_data(),
        overlapping.forward(x).into_data()
    );
}

/// A batch norm with random gamma and beta.
fn norm(channels: usize, device: &Device) -> BatchNorm {
    let mut layer = BatchNormConfig::new(channels).init(device);
    layer.gamma = Param::from_tensor(noise([channels], device));
    layer.beta = Param::from_tensor(noise([channels], device));
    layer
}

#[test]
fn normalized_sums_match_burn() {
    let device = Device::flex().autodiff();
    for shape in [[3, 5, 7, 33], [2, 16, 32, 256], [2, 3, 1, 9]] {
        let layers = [norm(shape[1], &device), norm(shape[1], &device)];
        // Means far from zero, like those after a convolution with a large bias.
        let xs = [40.0, -3.0].map(|mean| (noise(shape, &device) * 1.5 + mean).detach().require_grad());
        let parameters: Vec<_> = layers
            .iter()
            .flat_map(|layer| [layer.gamma.val(), layer.beta.val()])
            .collect();
        let [a, b] = [0, 1].map(|at| layers[at].forward(xs[at].clone()));
        let sum = a + b;
        // Rounding decides whether ReLU passes a gradient where the sum is almost zero.
        let decided = sum.clone().detach().abs().greater_elem(1e-3).float();
        let cost = noise(shape, &device) * decided;
        let plain = differentiate(&xs, &parameters, &cost, relu(sum));
        let running = || {
            layers
                .each_ref()
                .map(|layer| layer.valid().running_mean.value() + layer.valid().running_var.value())
        };
        let after_plain = running();
        let terms = [(&layers[0], xs[0].clone()), (&layers[1], xs[1].clone())];
        let ours = differentiate(&xs, &parameters, &cost, normalize_relu(terms));
        assert_close(&ours, &plain, 5e-4);
        // Both used the same layers: the second run updated the running statistics that the first had left.
        let after_both = running();
        for ((one, both), x) in after_plain.iter().zip(&after_both).zip(&xs) {
            let batch = x.clone().inner().swap_dims(0, 1).flatten::<2>(1, 3);
            let mean: Tensor<1> = batch.clone().mean_dim(1).squeeze_dim(1);
            let variance: Tensor<1> = (batch - mean.clone().unsqueeze_dim(1))
                .powi_scalar(2)
                .mean_dim(1)
                .squeeze_dim(1);
            let moments = mean + variance;
            // Initially mean 0 and variance 1; momentum 0.1.
            assert!(difference(one, &(moments.clone() * 0.1 + 0.9)) < 1e-4);
            assert!(difference(both, &(one.clone() * 0.9 + moments * 0.1)) < 1e-4);
        }
    }
}

#[test]
fn a_norm_without_relu_matches_burn() {
    let device = Device::flex().autodiff();
    for shape in [[3, 5, 7, 33], [2, 96, 1, 700]] {
        let layer = norm(shape[1], &device);
        let x = (noise(shape, &device) * 1.5 - 3.0).detach().require_grad();
        let cost = noise(shape, &device);
        let parameters = [layer.gamma.val(), layer.beta.val()];
        let run = |out| differentiate(std::slice::from_ref(&x), &parameters, &cost, out);
        assert_close(&run(normalize(&layer, x.clone())), &run(layer.forward(x.clone())), 5e-4);
        let (layer, x) = (layer.valid(), x.inner());
        assert!(difference(&normalize(&layer, x.clone()), &layer.forward(x)) < 1e-5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn pooled_norms_match_burn(
        window in (1usize..6, 1usize..5), batch in 1usize..4, channels in 1usize..4, rows in 1usize..5,
        columns in 1usize..80, extra in (0usize..5, 0usize..4),
    ) {
        let device = Device::flex().autodiff();
        let pool = MaxPool2dConfig::new([window.0, window.1]).with_strides([window.0, window.1]).init();
        // Rows and columns that do not fill a window have no maximum, but count in the moments.
        let height = rows * window.0 + extra.0.min(window.0 - 1);
        let width = columns * window.1 + extra.1.min(window.1 - 1);
        let shape = [batch, channels, height, width];
        let layers = [norm(channels, &device), norm(channels, &device)];
        let xs = [40.0, -3.0].map(|mean| (noise(shape, &device) * 1.5 + mean).detach().require_grad());
        // The cost has a mean, because a gradient that nearly cancels has a large relative error.
        let cost = noise([batch, channels, rows, columns], &device) + 0.5;
        let parameters: Vec<_> = layers.iter().flat_map(|layer| [layer.gamma.val(), layer.beta.val()]).collect();
        let terms = [(&layers[0], xs[0].clone()), (&layers[1], xs[1].clone())];
        let ours = differentiate(&xs, &parameters, &cost, normalize_relu_max_pool2d(terms.clone(), &pool));
        let plain = differentiate(&xs, &parameters, &cost, max_pool2d(&pool, normalize_relu(terms)));
        assert_close(&ours, &plain, 1e-4);
        let layers = layers.map(|layer| layer.valid());
        let terms = [(&layers[0], xs[0].clone().inner()), (&layers[1], xs[1].clone().inner())];
        let ours = normalize_relu_max_pool2d(terms.clone(), &pool);
        assert_eq!(ours.into_data(), max_pool2d(&pool, normalize_relu(terms)).into_data());
    }
}

#[test]
fn pooled_norms_of_signals_match_burn() {
    let device = Device::flex().autodiff();
    for (window, stride) in [(3, 3), (8, 8), (3, 2)] {
        let pool = MaxPool1dConfig::new(window).with_stride(stride).init();
        let layer = norm(4, &device);
        let x = noise([3, 4, 1, 1000], &device).require_grad();
        let signal = || x.clone().squeeze_dim::<3>(2);
        let plain = pool.forward(relu(layer.forward(signal()))).unsqueeze_dim(2);
        let cost = noise(plain.dims(), &device) + 0.5;
        let ours = normalize_relu_max_pool1d(&layer, signal(), &pool).unsqueeze_dim(2);
        let parameters = [layer.gamma.val(), layer.beta.val()];
        let run = |out| differentiate(std::slice::from_ref(&x), &parameters, &cost, out);
        assert_close(&run(ours), &run(plain), 5e-4);
    }
}

#[test]
fn relu_propagates_nan() {
    let device = Device::flex().autodiff();
    let layer = norm(2, &device);
    let mut values = [1.0f32; 8];
    values[5] = f32::NAN;
    let x = Tensor::<1>::from_floats(values, &device).reshape([1, 2, 2, 2]);
    let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
    let out = normalize_relu([(&layer, x.clone())]).flatten::<3>(2, 3);
    let pooled = normalize_relu_max_pool2d([(&layer, x)], &pool).flatten::<3>(2, 3);
    for out in [out, pooled.repeat_dim(2, 4)] {
        let nan: Vec<bool> = out.into_data().iter::<f32>().map(f32::is_nan).collect();
        assert_eq!(nan, [false, false, false, false, true, true, true, true]);
    }
}

#[test]
fn running_statistics_are_used_outside_training() {
    let device = Device::flex();
    let layers = [norm(6, &device), norm(6, &device)];
    for layer in &layers {
        layer.running_mean.update(noise([6], &device));
        layer.running_var.update(noise([6], &device).powi_scalar(2) + 0.1);
    }
    let xs = [noise([2, 6, 5, 37], &device), noise([2, 6, 5, 37], &device)];
    let ours = normalize_relu([(&layers[0], xs[0].clone()), (&layers[1], xs[1].clone())]);
    let plain = relu(layers[0].forward(xs[0].clone()) + layers[1].forward(xs[1].clone()));
    assert!(difference(&ours, &plain) < 1e-5);
}

#[test]
fn max_pooling_propagates_nan() {
    let device = Device::flex();
    let layer = MaxPool2dConfig::new([4, 2]).with_strides([4, 2]).init();
    for at in 0..8 {
        let mut values = [1.0f32; 8];
        values[at] = f32::NAN;
        let x = Tensor::<1>::from_floats(values, &device).reshape([1, 1, 4, 2]);
        assert!(max_pool2d(&layer, x).into_scalar::<f32>().is_nan());
    }
}

#[test]
fn layers_without_a_kernel_run_in_burn() {
    let device = Device::flex();
    let x = noise([1, 2, 9, 9], &device);
    for config in [
        Conv2dConfig::new([2, 3], [3, 3])
            .with_padding(PaddingConfig2d::Same)
            .with_dilation([2, 2]),
        Conv2dConfig::new([2, 3], [3, 3]).with_stride([2, 2]),
        Conv2dConfig::new([2, 4], [3, 3])
            .with_padding(PaddingConfig2d::Same)
            .with_groups(2),
    ] {
        let layer = config.init(&device);
        assert_eq!(
            conv2d(&layer, x.clone()).into_data(),
            layer.forward(x.clone()).into_data()
        );
    }
    let overlapping = MaxPool2dConfig::new([3, 3]).with_strides([1, 1]).init();
    assert_eq!(
        max_pool2d(&overlapping, x.clone()).into_data(),
        overlapping.forward(x).into_data()
    );
}
