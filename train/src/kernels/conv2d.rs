//! Direct 2-D convolution: stride 1, odd square kernels, zero padding that keeps height and width.
//!
//! Images are `[batch, channels, height, width]`, weights `[outputs, inputs, kernel, kernel]`, as PyTorch has them. What
//! is computed is PyTorch's `Conv2d`, a cross-correlation.
//!
//! A band of image rows is copied, with its zero padding, into memory that stays in the second-level cache. Tiles of
//! [`BLOCK`] output channels by a few vectors of columns are then summed over all inputs and taps in registers: each
//! vector of the image is loaded once per tap and used for every channel of the block. Unlike a matrix product over
//! unrolled patches, nothing is written but the result. The floor is the arithmetic: `2·kernel²·inputs` operations per
//! output value.
//!
//! Sums are taken in an order that the shape alone decides, so results do not depend on the number of threads. They
//! do depend, in the last bits, on the width of the processor's vectors.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::array;
use std::ops::Range;

/// Output channels of one tile.
const BLOCK: usize = 4;
/// Padded rows of all input channels of a band, in bytes: a part of a second-level cache of 1 MiB.
const BAND_BYTES: usize = 384 << 10;
/// Columns times rows of a band of [`weight_gradient`]: the output channels of a tile stay in the first-level cache.
const GRADIENT_BAND: usize = 4096;

/// Sizes of one convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Rows of input and output.
    pub height: usize,
    /// Columns of input and output.
    pub width: usize,
    /// Rows and columns of the kernel: 1 or 3.
    pub kernel: usize,
}

impl ConvShape {
    /// Whether there is a kernel of this size.
    pub fn has_kernel(kernel: [usize; 2]) -> bool {
        matches!(kernel, [1, 1] | [3, 3])
    }

    fn plane(&self) -> usize {
        self.height * self.width
    }

    fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// The convolution that carries gradients from the output back to the input.
    fn transposed(&self) -> Self {
        Self {
            inputs: self.outputs,
            outputs: self.inputs,
            ..*self
        }
    }
}

/// `x ⋆ weights + bias`: `[batch, outputs, height, width]`.
pub fn forward(x: &[f32], weights: &[f32], bias: &[f32], shape: &ConvShape) -> Vec<f32> {
    let (inputs, taps) = (shape.inputs, shape.taps());
    let blocks = blocks(shape, |output, input, tap| {
        weights[(output * inputs + input) * taps + tap]
    });
    convolve(x, &blocks, Some(bias), shape)
}

/// The gradient of the input, given that of the output: a convolution with the kernels turned by half a turn.
pub fn input_gradient(gradient: &[f32], weights: &[f32], shape: &ConvShape) -> Vec<f32> {
    let (inputs, taps) = (shape.inputs, shape.taps());
    let transposed = shape.transposed();
    let blocks = blocks(&transposed, |to, from, tap| {
        weights[(from * inputs + to) * taps + (taps - 1 - tap)]
    });
    convolve(gradient, &blocks, None, &transposed)
}

/// The gradients of weights and bias, given that of the output.
pub fn weight_gradient(x: &[f32], gradient: &[f32], shape: &ConvShape) -> (Vec<f32>, Vec<f32>) {
    let size = shape.outputs * shape.inputs * shape.taps();
    let arch = Arch::new();
    let images: Vec<(Vec<f32>, Vec<f32>)> = x
        .par_chunks_exact(shape.inputs * shape.plane())
        .zip(gradient.par_chunks_exact(shape.outputs * shape.plane()))
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
    // Added up in the order of the images, whichever thread was first.
    let add = |sums: &mut Vec<f32>, values: &[f32]| sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    let (mut weights, mut bias) = (vec![0.0; size], vec![0.0; shape.outputs]);
    for image in &images {
        add(&mut weights, &image.0);
        add(&mut bias, &image.1);
    }
    (weights, bias)
}

/// Weights as the tiles read them: `[outputs / BLOCK, inputs, taps, BLOCK]`, zeros for channels that are not there.
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

fn convolve(x: &[f32], blocks: &[[f32; BLOCK]], bias: Option<&[f32]>, shape: &ConvShape) -> Vec<f32> {
    let plane = shape.plane();
    let mut out = vec![0.0; shape.batch * shape.outputs * plane];
    let row_bytes = shape.inputs * shape.width * size_of::<f32>();
    let rows = (BAND_BYTES / row_bytes)
        .saturating_sub(shape.kernel - 1)
        .clamp(1, shape.height);
    let mut tasks = Vec::new();
    for (x, out) in x
        .chunks_exact(shape.inputs * plane)
        .zip(out.chunks_exact_mut(shape.outputs * plane))
    {
        let first = tasks.len();
        tasks.extend(bands(shape.height, rows).map(|rows| BandTask {
            x,
            rows,
            out: Vec::with_capacity(shape.outputs),
        }));
        for plane in out.chunks_exact_mut(plane) {
            for (task, rows) in tasks[first..].iter_mut().zip(plane.chunks_mut(rows * shape.width)) {
                task.out.push(rows);
            }
        }
    }
    let arch = Arch::new();
    tasks.into_par_iter().for_each_init(PaddedRows::default, |band, task| {
        arch.dispatch(BandConvolution {
            task,
            blocks,
            bias,
            shape,
            band,
        });
    });
    out
}

fn bands(height: usize, rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..height)
        .step_by(rows)
        .map(move |begin| begin..(begin + rows).min(height))
}

/// Rows of one image.
struct BandTask<'a> {
    /// `[inputs, height, width]`.
    x: &'a [f32],
    rows: Range<usize>,
    /// The same rows of each output channel.
    out: Vec<&'a mut [f32]>,
}

/// A copy of some rows of all channels, with zeros at both ends of each row.
#[derive(Default)]
struct PaddedRows {
    values: Vec<f32>,
    rows: Range<usize>,
    /// From one row to the next.
    stride: usize,
    /// From one channel to the next.
    channel: usize,
}

impl PaddedRows {
    /// Copies `rows`, with `padding` more above and below where the image has them. Rows are filled up to a multiple of
    /// `step` columns and have `padding` zeros before them and after.
    fn copy(&mut self, x: &[f32], shape: (usize, usize), rows: Range<usize>, padding: usize, step: usize) {
        let (height, width) = shape;
        self.rows = rows.start.saturating_sub(padding)..(rows.end + padding).min(height);
        self.stride = width.next_multiple_of(step) + 2 * padding;
        self.channel = self.rows.len() * self.stride;
        self.values.resize(x.len() / (height * width) * self.channel, 0.0);
        let mut out = self.values.chunks_exact_mut(self.stride);
        for plane in x.chunks_exact(height * width) {
            let rows = &plane[self.rows.start * width..self.rows.end * width];
            for (row, out) in rows.chunks_exact(width).zip(&mut out) {
                out[..padding].fill(0.0);
                out[padding..padding + width].copy_from_slice(row);
                out[padding + width..].fill(0.0);
            }
        }
    }

    #[inline(always)]
    fn row(&self, channel: usize, row: usize) -> &[f32] {
        let begin = channel * self.channel + (row - self.rows.start) * self.stride;
        &self.values[begin..begin + self.stride]
    }
}

struct BandConvolution<'a, 'b> {
    task: BandTask<'b>,
    blocks: &'a [[f32; BLOCK]],
    bias: Option<&'a [f32]>,
    shape: &'a ConvShape,
    band: &'a mut PaddedRows,
}

impl WithSimd for BandConvolution<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // BLOCK × V sums, V columns and a weight must fit into the registers.
        match (self.shape.kernel, S::REGISTER_COUNT) {
            (1, 32..) => self.run::<S, 1, 4>(simd),
            (1, _) => self.run::<S, 1, 2>(simd),
            (3, 32..) => self.run::<S, 3, 4>(simd),
            (3, _) => self.run::<S, 3, 2>(simd),
            (kernel, _) => unreachable!("ConvShape::has_kernel refuses kernels of {kernel}"),
        }
    }
}

impl BandConvolution<'_, '_> {
    #[inline(always)]
    fn run<S: Simd, const K: usize, const V: usize>(self, simd: S) {
        let (shape, step, padding) = (self.shape, V * S::F32_LANES, K / 2);
        let (height, width, inputs) = (shape.height, shape.width, shape.inputs);
        let BandTask { x, rows, mut out } = self.task;
        self.band.copy(x, (height, width), rows.clone(), padding, step);
        for row in rows.clone() {
            // Taps above the first and below the last row see only zeros.
            let taps = padding.saturating_sub(row)..K.min(height + padding - row);
            let first = (row + taps.start - padding - self.band.rows.start) * self.band.stride;
            for column in (0..width).step_by(step) {
                let begin = (row - rows.start) * width + column;
                let count = step.min(width - column);
                for (block, weights) in self.blocks.chunks_exact(inputs * K * K).enumerate() {
                    let channels = block * BLOCK..((block + 1) * BLOCK).min(shape.outputs);
                    let mut sums = [[simd.splat_f32s(0.0); V]; BLOCK];
                    if let Some(bias) = self.bias {
                        for (sums, &bias) in sums.iter_mut().zip(&bias[channels.clone()]) {
                            *sums = [simd.splat_f32s(bias); V];
                        }
                    }
                    let x = &self.band.values[first + column..];
                    let strides = (self.band.channel, self.band.stride);
                    let sums = accumulate::<S, K, V>(simd, sums, x, strides, weights, taps.clone());
                    for (sums, out) in sums.iter().zip(&mut out[channels]) {
                        store::<S, V>(simd, sums, &mut out[begin..begin + count]);
                    }
                }
            }
        }
    }
}

/// One tile: adds the rows `taps` of the kernel over all inputs. `x` begins at the first tap's row.
#[inline(always)]
fn accumulate<S: Simd, const K: usize, const V: usize>(
    simd: S,
    mut sums: [[S::f32s; V]; BLOCK],
    x: &[f32],
    (channel, stride): (usize, usize),
    weights: &[[f32; BLOCK]],
    taps: Range<usize>,
) -> [[S::f32s; V]; BLOCK] {
    let step = V * S::F32_LANES;
    for (input, weights) in weights.chunks_exact(K * K).enumerate() {
        let weights = &weights[taps.start * K..taps.end * K];
        for (tap, weights) in weights.chunks_exact(K).enumerate() {
            let row = &x[input * channel + tap * stride..][..step + K - 1];
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
        // B × K sums, K columns and an output value must fit into the registers.
        match (self.shape.kernel, S::REGISTER_COUNT) {
            (1, _) => self.run::<S, 1, 8>(simd),
            (3, 32..) => self.run::<S, 3, 8>(simd),
            (3, _) => self.run::<S, 3, 4>(simd),
            (kernel, _) => unreachable!("ConvShape::has_kernel refuses kernels of {kernel}"),
        }
    }
}

impl ImageGradient<'_> {
    #[inline(always)]
    fn run<S: Simd, const K: usize, const B: usize>(self, simd: S) {
        let shape = self.shape;
        let (image, outputs) = ((shape.height, shape.width), shape.outputs);
        let (mut x, mut gradient) = (PaddedRows::default(), PaddedRows::default());
        for rows in bands(shape.height, (GRADIENT_BAND / shape.width).clamp(1, shape.height)) {
            x.copy(self.x, image, rows.clone(), K / 2, S::F32_LANES);
            gradient.copy(self.gradient, image, rows.clone(), 0, S::F32_LANES);
            for (bias, values) in self.bias.iter_mut().zip(gradient.values.chunks_exact(gradient.channel)) {
                let (vectors, _) = S::as_simd_f32s(values);
                let sum = vectors
                    .iter()
                    .fold(simd.splat_f32s(0.0), |sum, &vector| simd.add_f32s(sum, vector));
                *bias += simd.reduce_sum_f32s(sum);
            }
            for first in (0..outputs).step_by(B) {
                // A block's missing channels repeat the last one and are not kept.
                let channels: [usize; B] = array::from_fn(|at| (first + at).min(outputs - 1));
                for input in 0..shape.inputs {
                    for tap in 0..K {
                        let taps = correlate::<S, K, B>(simd, (&x, input), (&gradient, channels), rows.clone(), tap);
                        for (output, taps) in (first..outputs).zip(&taps) {
                            let begin = ((output * shape.inputs + input) * K + tap) * K;
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

/// Sums over a band of the products of `B` output gradients with one input channel, shifted by row `tap` of the kernel
/// and by each of its columns.
#[inline(always)]
fn correlate<S: Simd, const K: usize, const B: usize>(
    simd: S,
    (x, input): (&PaddedRows, usize),
    (gradient, channels): (&PaddedRows, [usize; B]),
    rows: Range<usize>,
    tap: usize,
) -> [[f32; K]; B] {
    let mut sums = [[simd.splat_f32s(0.0); K]; B];
    for row in rows {
        let Some(source) = (row + tap).checked_sub(K / 2).filter(|row| x.rows.contains(row)) else {
            continue;
        };
        let x = x.row(input, source);
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
