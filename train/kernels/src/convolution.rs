//! Convolution of images with stride 1 and zero padding. A signal is an image of one row.
//!
//! Images are `[batch, channels, height, width]`, weights `[outputs, inputs, rows, columns]`, as in PyTorch. The
//! operation is PyTorch's `Conv2d`, a cross-correlation.
//!
//! There are two algorithms: [`direct`], for every kernel, and [`winograd`], which needs half the products for kernels
//! of 3×3. [`winograd::is_faster`] decides.
//!
//! The order of summation depends on the shape only, so results do not depend on the number of threads. Their last bits
//! do depend on the width of the processor's vectors.

mod direct;
mod parts;
#[cfg(test)]
mod tests;
mod tiles;
mod winograd;

use super::buffer::Buffer;
use parts::PaddedRows;
use pulp::Arch;
use rayon::prelude::*;
use std::array;
use std::ops::Range;

/// Values that a thread sums at a time.
const SUMMED: usize = 4096;

/// Sizes of one convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Rows and columns of the input.
    pub from: [usize; 2],
    /// Rows and columns of the output.
    pub to: [usize; 2],
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Zeros above and to the left of the input. The output's size decides how many are below and to the right.
    pub padding: [usize; 2],
}

impl ConvShape {
    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    fn input_plane(&self) -> usize {
        self.from[0] * self.from[1]
    }

    fn output_plane(&self) -> usize {
        self.to[0] * self.to[1]
    }

    /// The convolution that computes the input's gradient from the output's gradient.
    fn transposed(&self) -> Self {
        Self {
            inputs: self.outputs,
            outputs: self.inputs,
            from: self.to,
            to: self.from,
            padding: array::from_fn(|axis| self.kernel[axis] - 1 - self.padding[axis]),
            ..*self
        }
    }

    /// Rows of the kernel that overlap the input at output row `row`. The others see zeros only.
    fn overlapping_rows(&self, row: usize) -> Range<usize> {
        let top = self.padding[0];
        let end = self.kernel[0].min((self.from[0] + top).saturating_sub(row));
        top.saturating_sub(row).min(end)..end
    }
}

/// `x ⋆ weights + bias`: `[batch, outputs, …]`.
pub fn forward(x: &[f32], weights: &[f32], bias: &[f32], shape: &ConvShape) -> Buffer {
    let (inputs, taps) = (shape.inputs, shape.taps());
    let weight = |output, input, tap| weights[(output * inputs + input) * taps + tap];
    convolve(x, weight, Some(bias), shape)
}

/// The input's gradient from the output's gradient: a convolution with the kernel rotated by 180 degrees.
pub fn input_gradient(gradient: &[f32], weights: &[f32], shape: &ConvShape) -> Buffer {
    let (inputs, taps) = (shape.inputs, shape.taps());
    let weight = |to, from, tap| weights[(from * inputs + to) * taps + (taps - 1 - tap)];
    convolve(gradient, weight, None, &shape.transposed())
}

fn convolve(
    x: &[f32],
    weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    bias: Option<&[f32]>,
    shape: &ConvShape,
) -> Buffer {
    if winograd::is_faster(shape) {
        winograd::convolve(x, weight, bias, shape)
    } else {
        direct::convolve(x, weight, bias, shape)
    }
}

/// One image, and where its gradients are written. They are zero before.
struct ImageGradient<'a> {
    /// `[inputs, height, width]`.
    x: &'a [f32],
    /// `[outputs, height, width]`.
    gradient: &'a [f32],
    shape: &'a ConvShape,
    weights: &'a mut [f32],
    bias: &'a mut [f32],
    /// Copies of parts of `x` and `gradient`.
    parts: &'a mut [PaddedRows; 2],
}

/// The gradients of weights and bias from the output's gradient.
pub fn weight_gradient(x: &[f32], gradient: &[f32], shape: &ConvShape) -> (Vec<f32>, Vec<f32>) {
    let size = shape.outputs * shape.inputs * shape.taps();
    let arch = Arch::new();
    let images: Vec<(Vec<f32>, Vec<f32>)> = x
        .par_chunks_exact(shape.inputs * shape.input_plane())
        .zip(gradient.par_chunks_exact(shape.outputs * shape.output_plane()))
        .map_init(<[PaddedRows; 2]>::default, |parts, (x, gradient)| {
            let (mut weights, mut bias) = (vec![0.0; size], vec![0.0; shape.outputs]);
            let image = ImageGradient {
                x,
                gradient,
                shape,
                weights: &mut weights,
                bias: &mut bias,
                parts,
            };
            if winograd::is_faster(shape) {
                arch.dispatch(winograd::Gradient(image));
            } else {
                arch.dispatch(direct::Gradient(image));
            }
            (weights, bias)
        })
        .collect();
    let (weights, bias): (Vec<_>, Vec<_>) = images.into_iter().unzip();
    (sum_of(&weights, size), sum_of(&bias, shape.outputs))
}

/// The sum of vectors of `size` values, in their order and not that of the threads.
fn sum_of(vectors: &[Vec<f32>], size: usize) -> Vec<f32> {
    let mut sums = vec![0.0; size];
    sums.par_chunks_mut(SUMMED).enumerate().for_each(|(part, sums)| {
        for vector in vectors {
            for (sum, value) in sums.iter_mut().zip(&vector[part * SUMMED..]) {
                *sum += value;
            }
        }
    });
    sums
}
