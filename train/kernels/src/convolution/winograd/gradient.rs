//! The gradients of weights and bias. `A` transforms the output's gradient, `Gᵀ` the sums of products.

use super::super::ImageGradient;
use super::super::parts::{self, PaddedRows};
use super::super::tiles::{correlate, sum};
use super::{InputRows, KERNEL, POINTS, ROWS, TAPS, Transform, image_rows, margin, transform};
use pulp::{Simd, WithSimd};
use std::array;

/// Columns times transforms of a part, such that the transformed gradients of a block stay in a cache and the sums in
/// registers are long. A multiple of every processor's vector length.
const PART: usize = 1024;

/// Computes the gradients of weights and bias.
pub struct Gradient<'a>(pub ImageGradient<'a>);

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::REGISTER_COUNT {
            32.. => self.run::<S, 8>(simd),
            _ => self.run::<S, 4>(simd),
        }
    }
}

impl Gradient<'_> {
    /// Takes `B` output channels at a time.
    #[inline(always)]
    fn run<S: Simd, const B: usize>(self, simd: S) {
        let ImageGradient {
            x: image,
            gradient: image_gradient,
            shape,
            weights,
            bias,
            parts: [x, gradient],
        } = self.0;
        let (inputs, outputs, width) = (shape.inputs, shape.outputs, shape.to[1]);
        let zeros = vec![0.0; width.max(shape.from[1])];
        // `[outputs, inputs, POINTS, columns]`.
        let mut sums = vec![[[0.0; TAPS]; POINTS]; outputs * inputs];
        // Parts are groups of whole rows, or pieces of one if it does not fit.
        let piece = PART.min(width);
        let group = (PART / width).max(1);
        let groups = shape.to[0].div_ceil(ROWS);
        for (rows, columns) in parts::rectangles([groups, width], group, piece) {
            let stride = columns.len().next_multiple_of(S::F32_LANES);
            x.resize(inputs * POINTS, 0..rows.len(), stride + 2 * margin::<S>());
            let first_column = columns.start as isize - margin::<S>() as isize;
            let shift = margin::<S>() - shape.padding[1];
            for (channel, image) in image.chunks_exact(shape.input_plane()).enumerate() {
                for (at, row) in rows.clone().enumerate() {
                    let first_row = (row * ROWS) as isize - shape.padding[0] as isize;
                    let rows = image_rows(image, shape.from[1], first_row, &zeros[..shape.from[1]]);
                    transform::<S, InputRows, _>(simd, rows, first_column, x.points(channel, at));
                }
            }
            for first in (0..outputs).step_by(B) {
                let block = first..(first + B).min(outputs);
                gradient.resize(B * POINTS, 0..rows.len(), stride);
                for (channel, output) in block.clone().enumerate() {
                    let image = &image_gradient[output * shape.output_plane()..(output + 1) * shape.output_plane()];
                    for (at, row) in rows.clone().enumerate() {
                        let rows = image_rows(image, width, (row * ROWS) as isize, &zeros[..width]);
                        let points = gradient.points(channel, at);
                        transform::<S, OutputGradient, _>(simd, rows, columns.start as isize, points);
                        // The second point is the sum of the four rows.
                        bias[output] += sum(simd, gradient.rows().row(channel * POINTS + 1, at));
                    }
                }
                let (x, gradient) = (x.rows(), gradient.rows());
                for point in 0..POINTS {
                    // Missing channels of a block repeat the last one; their results are dropped.
                    let channels: [usize; B] = array::from_fn(|at| at.min(block.len() - 1) * POINTS + point);
                    for input in 0..inputs {
                        let source = (&x, input * POINTS + point, (0, shift), 0);
                        let products = correlate::<S, TAPS, B>(simd, source, (&gradient, channels), 0..rows.len());
                        for (output, products) in block.clone().zip(&products) {
                            let sums = &mut sums[output * inputs + input][point];
                            for (sum, product) in sums.iter_mut().zip(products) {
                                *sum += product;
                            }
                        }
                    }
                }
            }
        }
        for (weights, sums) in weights.chunks_exact_mut(TAPS * TAPS).zip(&sums) {
            for (tap, weight) in weights.iter_mut().enumerate() {
                let (row, column) = (tap / TAPS, tap % TAPS);
                let points = KERNEL.iter().zip(sums);
                *weight = points.map(|(kernel, sums)| kernel[row] * sums[column]).sum();
            }
        }
    }
}

impl PaddedRows {
    /// Row `row` of each of a channel's points.
    #[inline(always)]
    fn points(&mut self, channel: usize, row: usize) -> [&mut [f32]; POINTS] {
        let mut points = self.values[channel * POINTS * self.channel..].chunks_exact_mut(self.channel);
        array::from_fn(|_| {
            let point = points.next().expect("a plane for each point");
            &mut point[row * self.stride..(row + 1) * self.stride]
        })
    }
}

/// `A`.
struct OutputGradient;

impl Transform<ROWS> for OutputGradient {
    #[inline(always)]
    fn points<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; ROWS]) -> [S::f32s; POINTS] {
        let (two, four) = (simd.splat_f32s(2.0), simd.splat_f32s(4.0));
        let (even, odd) = (simd.add_f32s(a, c), simd.add_f32s(b, d));
        let far_even = simd.mul_add_e_f32s(four, c, a);
        let far_odd = simd.mul_add_e_f32s(four, d, b);
        [
            a,
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            simd.mul_add_e_f32s(two, far_odd, far_even),
            simd.negate_mul_add_e_f32s(two, far_odd, far_even),
            d,
        ]
    }
}
