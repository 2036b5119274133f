//! Direct convolution of images with stride 1 and zero padding. A signal is an image of one row.
//!
//! Images are `[batch, channels, height, width]`, weights `[outputs, inputs, rows, columns]`, as in PyTorch. The
//! operation is PyTorch's `Conv2d`, a cross-correlation.
//!
//! Part of an image is copied, with its zero padding, into a buffer that fits the L2 cache. Tiles of [`BLOCK`] output
//! channels by a few vectors of columns are then summed over all inputs and taps in registers: each vector of the image
//! is loaded once per tap and used for every channel of the block. Unlike a matrix product over unrolled patches, this
//! writes nothing but the result. Speed is limited by arithmetic: two operations per output value, input channel and
//! tap.
//!
//! The order of summation depends on the shape only, so results do not depend on the number of threads. Their last bits
//! do depend on the width of the processor's vectors.

use super::buffer::Buffer;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::array;
use std::ops::Range;

/// Output channels of one tile.
const BLOCK: usize = 4;
/// Size of a padded part, over all input channels, in bytes: a fraction of an L2 cache of 1 MiB.
const PART_BYTES: usize = 384 << 10;
/// Columns times rows of a part in [`weight_gradient`], such that a tile's output channels stay in a cache. A multiple
/// of every processor's vector length, so no part reads columns of another.
const GRADIENT_PART: usize = 4096;

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
    let blocks = blocks(shape, |output, input, tap| {
        weights[(output * inputs + input) * taps + tap]
    });
    convolve(x, &blocks, Some(bias), shape)
}

/// The input's gradient from the output's gradient: a convolution with the kernel rotated by 180 degrees.
pub fn input_gradient(gradient: &[f32], weights: &[f32], shape: &ConvShape) -> Buffer {
    let (inputs, taps) = (shape.inputs, shape.taps());
    let transposed = shape.transposed();
    let blocks = blocks(&transposed, |to, from, tap| {
        weights[(from * inputs + to) * taps + (taps - 1 - tap)]
    });
    convolve(gradient, &blocks, None, &transposed)
}

/// The gradients of weights and bias from the output's gradient.
pub fn weight_gradient(x: &[f32], gradient: &[f32], shape: &ConvShape) -> (Vec<f32>, Vec<f32>) {
    let size = shape.outputs * shape.inputs * shape.taps();
    let arch = Arch::new();
    let images: Vec<(Vec<f32>, Vec<f32>)> = x
        .par_chunks_exact(shape.inputs * shape.input_plane())
        .zip(gradient.par_chunks_exact(shape.outputs * shape.output_plane()))
        .map(|(x, gradient)| {
            let (mut weights, mut bias) = (vec![0.0; size], vec![0.0; shape.outputs]);
            arch.dispatch(ImageGradient {
                x,
                gradient,
                shape,
                weights: &mut weights,
                bias: &mut bias,
            });
            (weights, bias)
        })
        .collect();
    // Summed in the order of the images, not of the threads.
    let add = |sums: &mut Vec<f32>, values: &[f32]| sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    let (mut weights, mut bias) = (vec![0.0; size], vec![0.0; shape.outputs]);
    for image in &images {
        add(&mut weights, &image.0);
        add(&mut bias, &image.1);
    }
    (weights, bias)
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

fn convolve(x: &[f32], blocks: &[[f32; BLOCK]], bias: Option<&[f32]>, shape: &ConvShape) -> Buffer {
    let [height, width] = shape.to;
    let mut out = Buffer::take(shape.batch * shape.outputs * height * width);
    // Parts are whole rows, or pieces of the row if there is only one.
    let fit = PART_BYTES / size_of::<f32>() / shape.inputs;
    let rows = (fit / width).saturating_sub(shape.kernel[0] - 1).clamp(1, height);
    let columns = if height == 1 {
        fit.next_multiple_of(MAX_STEP).min(width)
    } else {
        width
    };
    let parts = || {
        let rows = (0..height).step_by(rows).map(|row| row..(row + rows).min(height));
        rows.flat_map(|rows| {
            let columns = (0..width)
                .step_by(columns)
                .map(|column| column..(column + columns).min(width));
            columns.map(move |columns| (rows.clone(), columns))
        })
    };
    let mut tasks = Vec::new();
    for (x, out) in x
        .chunks_exact(shape.inputs * shape.input_plane())
        .zip(out.chunks_exact_mut(shape.outputs * shape.output_plane()))
    {
        let first = tasks.len();
        tasks.extend(parts().map(|(rows, columns)| Part {
            x,
            rows,
            columns,
            out: Vec::with_capacity(shape.outputs),
        }));
        for plane in out.chunks_exact_mut(height * width) {
            for (task, part) in tasks[first..].iter_mut().zip(plane.chunks_mut(rows * columns)) {
                task.out.push(part);
            }
        }
    }
    let arch = Arch::new();
    tasks
        .into_par_iter()
        .for_each_init(PaddedRows::default, |padded, part| {
            arch.dispatch(PartConvolution {
                part,
                blocks,
                bias,
                shape,
                padded,
            });
        });
    out
}

/// Columns of the widest tile on any processor.
const MAX_STEP: usize = 64;

/// A rectangle of one image's output.
struct Part<'a> {
    /// The whole image, `[inputs, height, width]`.
    x: &'a [f32],
    rows: Range<usize>,
    columns: Range<usize>,
    /// This rectangle of each output channel.
    out: Vec<&'a mut [f32]>,
}

/// A copy of the input rows and columns, with zero padding, that some output rows and columns are computed from.
#[derive(Default)]
struct PaddedRows {
    values: Vec<f32>,
    rows: Range<usize>,
    /// Distance from one row to the next.
    stride: usize,
    /// Distance from one channel to the next.
    channel: usize,
}

impl PaddedRows {
    /// Copies those `rows` of `image`, `[channels, height, width]`, that exist. Each row gets `stride` columns,
    /// starting at the image's column `columns`. Columns outside the image are zeros, also at a negative start.
    fn copy(&mut self, image: &[f32], [height, width]: [usize; 2], rows: Range<usize>, columns: isize, stride: usize) {
        self.rows = rows.start..rows.end.min(height);
        self.stride = stride;
        self.channel = self.rows.len() * stride;
        self.values.resize(image.len() / (height * width) * self.channel, 0.0);
        let before = columns.min(0).unsigned_abs().min(stride);
        let begin = columns.max(0).unsigned_abs().min(width);
        let count = (width - begin).min(stride - before);
        let mut out = self.values.chunks_exact_mut(stride);
        for plane in image.chunks_exact(height * width) {
            let rows = &plane[self.rows.start * width..self.rows.end * width];
            for (row, out) in rows.chunks_exact(width).zip(&mut out) {
                out[..before].fill(0.0);
                out[before..before + count].copy_from_slice(&row[begin..begin + count]);
                out[before + count..].fill(0.0);
            }
        }
    }

    #[inline(always)]
    fn row(&self, channel: usize, row: usize) -> &[f32] {
        let begin = channel * self.channel + (row - self.rows.start) * self.stride;
        &self.values[begin..begin + self.stride]
    }
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
        let stride = columns.len().next_multiple_of(step) + kernel_columns - 1;
        let input_rows = rows.start.saturating_sub(shape.padding[0])
            ..rows.end - shape.padding[0].min(rows.end) + shape.kernel[0] - 1;
        let first_column = columns.start as isize - shape.padding[1] as isize;
        self.padded.copy(x, shape.from, input_rows, first_column, stride);
        for row in rows.clone() {
            let overlap = shape.overlapping_rows(row);
            let first = (row + overlap.start - shape.padding[0] - self.padded.rows.start) * stride;
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
                        x: self.padded.values.get(first + column..).unwrap_or_default(),
                        channel: self.padded.channel,
                        stride,
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

/// Some columns of one output row, in a block of channels.
struct Tile<'a> {
    /// Starts at the first row and column that overlap.
    x: &'a [f32],
    channel: usize,
    stride: usize,
    /// `[inputs, taps]`.
    weights: &'a [[f32; BLOCK]],
    taps: usize,
    /// Taps that overlap rows of the image.
    overlap: Range<usize>,
    kernel_columns: usize,
}

impl Tile<'_> {
    #[inline(always)]
    fn accumulate<S: Simd, const K: usize, const V: usize>(
        self,
        simd: S,
        mut sums: [[S::f32s; V]; BLOCK],
    ) -> [[S::f32s; V]; BLOCK] {
        let step = V * S::F32_LANES;
        let kernel_columns = if K == 0 { self.kernel_columns } else { K };
        for (input, weights) in self.weights.chunks_exact(self.taps).enumerate() {
            for (tap, weights) in weights[self.overlap.clone()].chunks_exact(kernel_columns).enumerate() {
                let row = &self.x[input * self.channel + tap * self.stride..][..step + kernel_columns - 1];
                for (shift, weights) in weights.iter().enumerate() {
                    let (columns, _) = S::as_simd_f32s(&row[shift..shift + step]);
                    for (sums, &weight) in sums.iter_mut().zip(weights) {
                        let weight = simd.splat_f32s(weight);
                        for (sum, &x) in sums.iter_mut().zip(columns) {
                            *sum = simd.mul_add_e_f32s(weight, x, *sum);
                        }
                    }
                }
            }
        }
        sums
    }
}

#[inline(always)]
fn store<S: Simd, const V: usize>(simd: S, sums: &[S::f32s; V], out: &mut [f32]) {
    if out.len() == V * S::F32_LANES {
        S::as_mut_simd_f32s(out).0.copy_from_slice(sums);
    } else {
        for (sum, out) in sums.iter().zip(out.chunks_mut(S::F32_LANES)) {
            simd.partial_store_f32s(out, *sum);
        }
    }
}

struct ImageGradient<'a> {
    /// `[inputs, height, width]`.
    x: &'a [f32],
    /// `[outputs, height, width]`.
    gradient: &'a [f32],
    shape: &'a ConvShape,
    weights: &'a mut [f32],
    bias: &'a mut [f32],
}

impl WithSimd for ImageGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // B × K sums, K columns and an output value must fit in the registers.
        match (self.shape.kernel[1], S::REGISTER_COUNT) {
            (columns, 32..) if columns % 3 == 0 => self.run::<S, 3, 8>(simd),
            (columns, _) if columns % 3 == 0 => self.run::<S, 3, 4>(simd),
            (columns, 32..) if columns % 4 == 0 => self.run::<S, 4, 5>(simd),
            (columns, _) if columns % 4 == 0 => self.run::<S, 4, 2>(simd),
            _ => self.run::<S, 1, 8>(simd),
        }
    }
}

impl ImageGradient<'_> {
    /// Takes `K` kernel columns and `B` output channels at a time.
    #[inline(always)]
    fn run<S: Simd, const K: usize, const B: usize>(self, simd: S) {
        let (shape, outputs) = (self.shape, self.shape.outputs);
        let [height, width] = shape.to;
        let (top, left) = (shape.padding[0], shape.padding[1]);
        let (mut x, mut gradient) = (PaddedRows::default(), PaddedRows::default());
        // Parts are whole rows, or pieces of the row if there is only one.
        let part = (GRADIENT_PART / width).clamp(1, height);
        let part_columns = if height == 1 { GRADIENT_PART.min(width) } else { width };
        let parts = (0..height).step_by(part).flat_map(|row| {
            let columns = (0..width).step_by(part_columns);
            columns.map(move |column| {
                (
                    row..(row + part).min(height),
                    column..(column + part_columns).min(width),
                )
            })
        });
        for (rows, columns) in parts {
            let input_rows = rows.start.saturating_sub(top)..rows.end - top.min(rows.end) + shape.kernel[0] - 1;
            let stride = columns.len().next_multiple_of(S::F32_LANES);
            let first_column = columns.start as isize - left as isize;
            x.copy(
                self.x,
                shape.from,
                input_rows,
                first_column,
                stride + shape.kernel[1] - 1,
            );
            gradient.copy(self.gradient, shape.to, rows.clone(), columns.start as isize, stride);
            for (bias, values) in self.bias.iter_mut().zip(gradient.values.chunks_exact(gradient.channel)) {
                let (vectors, _) = S::as_simd_f32s(values);
                let sum = vectors
                    .iter()
                    .fold(simd.splat_f32s(0.0), |sum, &vector| simd.add_f32s(sum, vector));
                *bias += simd.reduce_sum_f32s(sum);
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
                            for (weight, &tap) in self.weights[begin..begin + K].iter_mut().zip(taps) {
                                *weight += tap;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Sums, over `rows`, the products of `B` output gradients with one input channel shifted by `kernel_row` and `K`
/// kernel columns.
#[inline(always)]
fn correlate<S: Simd, const K: usize, const B: usize>(
    simd: S,
    (x, input, (kernel_row, kernel_column), top): (&PaddedRows, usize, (usize, usize), usize),
    (gradient, channels): (&PaddedRows, [usize; B]),
    rows: Range<usize>,
) -> [[f32; K]; B] {
    let mut sums = [[simd.splat_f32s(0.0); K]; B];
    for row in rows {
        let Some(source) = (row + kernel_row).checked_sub(top).filter(|row| x.rows.contains(row)) else {
            continue;
        };
        let x = &x.row(input, source)[kernel_column..];
        let empty: &[S::f32s] = &[];
        let (mut columns, mut gradients) = ([empty; K], [empty; B]);
        let mut count = usize::MAX;
        for (gradients, &channel) in gradients.iter_mut().zip(&channels) {
            *gradients = S::as_simd_f32s(gradient.row(channel, row)).0;
            count = count.min(gradients.len());
        }
        for (shift, columns) in columns.iter_mut().enumerate() {
            *columns = &S::as_simd_f32s(&x[shift..]).0[..count];
        }
        for at in 0..count {
            for (sums, gradients) in sums.iter_mut().zip(&gradients) {
                for (sum, columns) in sums.iter_mut().zip(&columns) {
                    *sum = simd.mul_add_e_f32s(gradients[at], columns[at], *sum);
                }
            }
        }
    }
    let mut totals = [[0.0; K]; B];
    for (totals, sums) in totals.iter_mut().zip(&sums) {
        for (total, &sum) in totals.iter_mut().zip(sums) {
            *total = simd.reduce_sum_f32s(sum);
        }
    }
    totals
}
