//! Compares both algorithms with a convolution in double precision.

use super::*;

/// Pseudorandom values with mean 0.3.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 22) as f32 - 1.7
    };
    (0..count).map(next).collect()
}

/// Calls `visit` with the indices of each product's input, weight and output value.
fn products(shape: &ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    let [height, width] = shape.from;
    let channels = || {
        let images = (0..shape.batch).flat_map(|image| (0..shape.outputs).map(move |output| (image, output)));
        images.flat_map(|(image, output)| (0..shape.inputs).map(move |input| (image, output, input)))
    };
    for (image, output, input) in channels() {
        for (at, tap) in (0..shape.output_plane()).flat_map(|at| (0..shape.taps()).map(move |tap| (at, tap))) {
            let row = (at / shape.to[1] + tap / shape.kernel[1]).wrapping_sub(shape.padding[0]);
            let column = (at % shape.to[1] + tap % shape.kernel[1]).wrapping_sub(shape.padding[1]);
            if row < height && column < width {
                visit(
                    ((image * shape.inputs + input) * height + row) * width + column,
                    (output * shape.inputs + input) * shape.taps() + tap,
                    (image * shape.outputs + output) * shape.output_plane() + at,
                );
            }
        }
    }
}

/// The largest difference, in units of the root mean square of `exact`.
fn error(values: &[f32], exact: &[f64]) -> f64 {
    assert_eq!(values.len(), exact.len());
    let rms = (exact.iter().map(|value| value * value).sum::<f64>() / exact.len() as f64).sqrt();
    let differences = values
        .iter()
        .zip(exact)
        .map(|(&value, exact)| (f64::from(value) - exact).abs());
    differences.fold(0.0, f64::max) / rms
}

fn image(inputs: usize, outputs: usize, size: [usize; 2]) -> ConvShape {
    ConvShape {
        batch: 2,
        inputs,
        outputs,
        from: size,
        to: size,
        kernel: [3; 2],
        padding: [1; 2],
    }
}

#[test]
fn errors_of_winograd_and_direct_convolutions_are_small() {
    for (inputs, outputs, size) in [
        (16, 16, [32, 512]),
        (32, 32, [32, 64]),
        (64, 64, [8, 128]),
        (128, 16, [7, 9]),
    ] {
        let shape = image(inputs, outputs, size);
        assert!(winograd::is_faster(&shape));
        let x = noise(shape.batch * inputs * shape.input_plane(), 1);
        let weights = noise(outputs * inputs * shape.taps(), 2);
        let gradient = noise(shape.batch * outputs * shape.output_plane(), 3);
        let bias = vec![0.5; outputs];
        let mut exact = [vec![0.5; gradient.len()], vec![0.0; x.len()], vec![0.0; weights.len()]];
        products(&shape, |input, weight, output| {
            let [x, w, g] = [x[input], weights[weight], gradient[output]].map(f64::from);
            exact[0][output] += x * w;
            exact[1][input] += g * w;
            exact[2][weight] += g * x;
        });
        let out = forward(&x, &weights, &bias, &shape);
        let weight = |output, input, tap| weights[(output * inputs + input) * shape.taps() + tap];
        let direct = direct::convolve(&x, weight, Some(&bias), &shape);
        let input_gradient = input_gradient(&gradient, &weights, &shape);
        let (weight_gradient, _) = weight_gradient(&x, &gradient, &shape);
        let errors = [
            error(&direct, &exact[0]),
            error(&out, &exact[0]),
            error(&input_gradient, &exact[1]),
            error(&weight_gradient, &exact[2]),
        ];
        println!("{inputs} to {outputs} channels, {size:?}: {errors:?}");
        assert!(errors.iter().all(|&error| error < 2e-5), "{errors:?}");
    }
}

#[test]
fn winograd_computes_images_with_enough_rows_and_channels() {
    for (inputs, outputs, rows, expected) in [
        (16, 16, 128, true),
        (64, 64, 8, true),
        (16, 24, 4, true),
        (1, 16, 128, false),
        (16, 8, 128, false),
        (128, 128, 1, false),
        (16, 16, 3, false),
        (16, 16, 9, false),
    ] {
        let shape = image(inputs, outputs, [rows, 64]);
        assert_eq!(winograd::is_faster(&shape), expected, "{shape:?}");
    }
    let shape = ConvShape {
        kernel: [3, 1],
        padding: [1, 0],
        ..image(16, 16, [128, 64])
    };
    assert!(!winograd::is_faster(&shape));
}
