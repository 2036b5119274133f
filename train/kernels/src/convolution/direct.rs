//! Convolution as the sum over inputs and taps, for every kernel.
//!
//! Part of an image that fits the L2 cache is read in place, or copied if it needs zero padding. Tiles of [`BLOCK`]
//! output channels by a few vectors of columns are then summed over all inputs and taps in registers: each vector of the
//! image is loaded once per tap and used for every channel of the block. Unlike a matrix product over unrolled patches,
//! this writes nothing but the result. Speed is limited by arithmetic: two operations per output value, input channel
//! and tap.

use super::parts::{self, MAX_STEP, PART_BYTES, PaddedRows, Part};
use super::tiles::{BLOCK, Tile, correlate, store, sum};
use super::{ConvShape, ImageGradient};
use crate::buffer::Buffer;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::array;

/// Columns times rows of a part in [`Gradient`], such that a tile's output channels stay in a cache. A multiple of
/// every processor's vector length, so no part reads columns of another.
const GRADIENT_PART: usize = 4096;

/// `x ⋆ weights + bias`. `weight` maps output channel, input channel and tap to a weight.
pub fn convolve(
    x: &[f32],
    weight: impl Fn(usize, usize, usize) -> f32,
    bias: Option<&[f32]>,
    shape: &ConvShape,
) -> Buffer {
    let [height, width] = shape.to;
    let blocks = blocks(shape, weight);
    let mut out = Buffer::take(shape.batch * shape.outputs * height * width);
    let fit = PART_BYTES / size_of::<f32>() / shape.inputs;
    let rows = (fit / width).saturating_sub(shape.kernel[0] - 1).clamp(1, height);
    let columns = if height == 1 {
        fit.next_multiple_of(MAX_STEP).min(width)
    } else {
        width
    };
    let arch = Arch::new();
    parts::split(x, &mut out, shape, rows, columns)
        .into_par_iter()
        .for_each_init(PaddedRows::default, |padded, part| {
            arch.dispatch(PartConvolution {
                part,
                blocks: &blocks,
                bias,
                shape,
                padded,
            });
        });
    out
}

/// Weights in the layout that the tiles read: `[outputs / BLOCK, inputs, taps, BLOCK]`, zero for channels beyond
/// `outputs`.
fn blocks(shape: &ConvShape, weight: impl Fn(usize, usize, usize) -> f32) -> Vec<[f32; BLOCK]> {
    let mut blocks = Vec::with_capacity(shape.outputs.div_ceil(BLOCK) * shape.inputs * shape.taps());
    for first in (0..shape.outputs).step_by(BLOCK) {
        for input in 0..shape.inputs {
            for tap in 0..shape.taps() {
                blocks.push(array::from_fn(|at| match first + at {
                    output if output < shape.outputs => weight(output, input, tap),
                    _ => 0.0,
                }));
            }
        }
    }
    blocks
}

struct PartConvolution<'a, 'b> {
    part: Part<'b>,
    blocks: &'a [[f32; BLOCK]],
    bias: Option<&'a [f32]>,
    shape: &'a ConvShape,
    padded: &'a mut PaddedRows,
}

impl WithSimd for PartConvolution<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // BLOCK × V sums, V columns and a weight must fit in the registers. A kernel width known at compile time saves
        // a loop.
        match (self.shape.kernel[1], S::REGISTER_COUNT) {
            (1, 32..) => self.run::<S, 1, 4>(simd),
            (1, _) => self.run::<S, 1, 2>(simd),
            (3, 32..) => self.run::<S, 3, 4>(simd),
            (3, _) => self.run::<S, 3, 2>(simd),
            (_, 32..) => self.run::<S, 0, 4>(simd),
            (_, _) => self.run::<S, 0, 2>(simd),
        }
    }
}

impl PartConvolution<'_, '_> {
    /// `K` is the kernel's width, or 0 for any.
    #[inline(always)]
    fn run<S: Simd, const K: usize, const V: usize>(self, simd: S) {
        let (shape, step) = (self.shape, V * S::F32_LANES);
        let kernel_columns = if K == 0 { shape.kernel[1] } else { K };
        let (inputs, taps) = (shape.inputs, shape.kernel[0] * kernel_columns);
        let Part {
            x,
            rows,
            columns,
            mut out,
        } = self.part;
        let padded_columns = columns.len().next_multiple_of(step) + kernel_columns - 1;
        let input_rows = rows.start.saturating_sub(shape.padding[0])
            ..rows.end - shape.padding[0].min(rows.end) + shape.kernel[0] - 1;
        let first_column = columns.start as isize - shape.padding[1] as isize;
        let x = self.padded.pad(x, shape.from, input_rows, first_column, padded_columns);
        for row in rows.clone() {
            let overlap = shape.overlapping_rows(row);
            let first = (row + overlap.start - shape.padding[0] - x.rows.start) * x.stride;
            let overlap = overlap.start * kernel_columns..overlap.end * kernel_columns;
            for column in (0..columns.len()).step_by(step) {
                let begin = (row - rows.start) * columns.len() + column;
                let count = step.min(columns.len() - column);
                for (block, weights) in self.blocks.chunks_exact(inputs * taps).enumerate() {
                    let channels = block * BLOCK..((block + 1) * BLOCK).min(shape.outputs);
                    let mut sums = [[simd.splat_f32s(0.0); V]; BLOCK];
                    if let Some(bias) = self.bias {
                        for (sums, &bias) in sums.iter_mut().zip(&bias[channels.clone()]) {
                            *sums = [simd.splat_f32s(bias); V];
                        }
                    }
                    let tile = Tile {
                        x: x.values.get(first + column..).unwrap_or_default(),
                        channel: x.channel,
                        stride: x.stride,
                        weights,
                        taps,
                        overlap: overlap.clone(),
                        kernel_columns,
                    };
                    let sums = tile.accumulate::<S, K, V>(simd, sums);
                    for (sums, out) in sums.iter().zip(&mut out[channels]) {
                        store::<S, V>(simd, sums, &mut out[begin..begin + count]);
                    }
                }
            }
        }
    }
}

/// Computes the gradients of weights and bias.
pub struct Gradient<'a>(pub ImageGradient<'a>);

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // B × K sums, K columns and an output value must fit in the registers.
        match (self.0.shape.kernel[1], S::REGISTER_COUNT) {
            (columns, 32..) if columns % 3 == 0 => self.run::<S, 3, 8>(simd),
            (columns, _) if columns % 3 == 0 => self.run::<S, 3, 4>(simd),
            (columns, 32..) if columns % 4 == 0 => self.run::<S, 4, 5>(simd),
            (columns, _) if columns % 4 == 0 => self.run::<S, 4, 2>(simd),
            _ => self.run::<S, 1, 8>(simd),
        }
    }
}

impl Gradient<'_> {
    /// Takes `K` kernel columns and `B` output channels at a time.
    #[inline(always)]
    fn run<S: Simd, const K: usize, const B: usize>(self, simd: S) {
        let ImageGradient {
            x: image,
            gradient: image_gradient,
            shape,
            weights,
            bias,
            parts: [x, gradient],
        } = self.0;
        let outputs = shape.outputs;
        let [height, width] = shape.to;
        let (top, left) = (shape.padding[0], shape.padding[1]);
        // Parts are whole rows, or pieces of the row if there is only one.
        let part = (GRADIENT_PART / width).clamp(1, height);
        let part_columns = if height == 1 { GRADIENT_PART.min(width) } else { width };
        for (rows, columns) in parts::rectangles(shape.to, part, part_columns) {
            let input_rows = rows.start.saturating_sub(top)..rows.end - top.min(rows.end) + shape.kernel[0] - 1;
            let gradient_columns = columns.len().next_multiple_of(S::F32_LANES);
            let first = columns.start as isize;
            let x = x.pad(
                image,
                shape.from,
                input_rows,
                first - left as isize,
                gradient_columns + shape.kernel[1] - 1,
            );
            let gradient = gradient.pad(image_gradient, shape.to, rows.clone(), first, gradient_columns);
            for (channel, bias) in bias.iter_mut().enumerate() {
                for row in rows.clone() {
                    *bias += sum(simd, gradient.row(channel, row));
                }
            }
            for first in (0..outputs).step_by(B) {
                // Missing channels of a block repeat the last one; their results are dropped.
                let channels: [usize; B] = array::from_fn(|at| (first + at).min(outputs - 1));
                for input in 0..shape.inputs {
                    for tap in (0..shape.taps()).step_by(K) {
                        let place = (tap / shape.kernel[1], tap % shape.kernel[1]);
                        let source = (&x, input, place, top);
                        let taps = correlate::<S, K, B>(simd, source, (&gradient, channels), rows.clone());
                        for (output, taps) in (first..outputs).zip(&taps) {
                            let begin = (output * shape.inputs + input) * shape.taps() + tap;
                            for (weight, &tap) in weights[begin..begin + K].iter_mut().zip(taps) {
                                *weight += tap;
                            }
                        }
                    }
                }
            }
        }
    }
}
