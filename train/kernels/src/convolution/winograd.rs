//! Convolution with kernels of 3×3 in half the products, after Winograd.
//!
//! Lavin and Gray (2015, arXiv:1509.09308) compute four neighbouring outputs of a filter with three taps from six
//! products instead of twelve: `Aᵀ ((G w) ⊙ (Bᵀ x))`. Here the four outputs are rows of one column, so vectors run over
//! columns and no transform rearranges values. Sums over the input channels and the kernel's columns are taken between
//! the transforms. They have the form of the [direct](super::direct) algorithm and use its register tiles.
//!
//! Transforming columns too, F(4×4, 3×3), would need a quarter of the products, but more memory, and it rounds worse.

mod gradient;

use super::ConvShape;
use super::parts::{self, MAX_STEP, PART_BYTES, Part, columns_inside};
use super::tiles::{BLOCK, Tile, store};
use crate::buffer::{Aligned, Buffer};
pub use gradient::Gradient;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::array;

/// Output rows of one transform.
const ROWS: usize = 4;
/// Rows and columns of the kernel.
const TAPS: usize = 3;
/// Products of one transform.
const POINTS: usize = ROWS + TAPS - 1;
/// `G`: a kernel's column to the points.
const KERNEL: [[f32; TAPS]; POINTS] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];
/// With fewer input channels, or fewer output channels, the transforms cost what they save.
const MIN_CHANNELS: usize = 16;

/// Whether this algorithm is faster than the direct one.
pub fn is_faster(shape: &ConvShape) -> bool {
    let rows = shape.to[0];
    // The direct algorithm skips rows of zeros, this one computes rows beyond the output.
    let few_wasted_rows = 5 * rows >= 4 * rows.next_multiple_of(ROWS);
    shape.kernel == [TAPS; 2] && few_wasted_rows && shape.inputs.min(shape.outputs) >= MIN_CHANNELS
}

/// `x ⋆ weights + bias`. `weight` maps output channel, input channel and tap to a weight.
pub fn convolve(
    x: &[f32],
    weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    bias: Option<&[f32]>,
    shape: &ConvShape,
) -> Buffer {
    let blocks = blocks(shape, weight);
    let mut out = Buffer::take(shape.batch * shape.outputs * shape.output_plane());
    let zeros = vec![0.0; shape.from[1]];
    let arch = Arch::new();
    parts::split(x, &mut out, shape, ROWS, shape.to[1])
        .into_par_iter()
        .for_each_init(Aligned::default, |points, part| {
            arch.dispatch(RowsConvolution {
                part,
                blocks: &blocks,
                bias,
                shape,
                zeros: &zeros,
                points,
            });
        });
    out
}

/// Transformed weights: `[outputs / BLOCK, POINTS, inputs, columns, BLOCK]`, zero for channels beyond `outputs`.
fn blocks(shape: &ConvShape, weight: impl Fn(usize, usize, usize) -> f32 + Sync) -> Vec<[f32; BLOCK]> {
    let (inputs, outputs) = (shape.inputs, shape.outputs);
    let size = POINTS * inputs * TAPS;
    let mut blocks = vec![[0.0; BLOCK]; outputs.div_ceil(BLOCK) * size];
    blocks
        .par_chunks_exact_mut(size)
        .enumerate()
        .for_each(|(block, values)| {
            for output in block * BLOCK..((block + 1) * BLOCK).min(outputs) {
                for (input, column) in (0..inputs).flat_map(|input| (0..TAPS).map(move |column| (input, column))) {
                    let taps: [f32; TAPS] = array::from_fn(|row| weight(output, input, row * TAPS + column));
                    for (point, kernel) in KERNEL.iter().enumerate() {
                        let products = kernel.iter().zip(&taps).map(|(factor, tap)| factor * tap);
                        values[(point * inputs + input) * TAPS + column][output % BLOCK] = products.sum();
                    }
                }
            }
        });
    blocks
}

/// Computes up to [`ROWS`] rows of one image's output.
struct RowsConvolution<'a, 'b> {
    part: Part<'b>,
    blocks: &'a [[f32; BLOCK]],
    bias: Option<&'a [f32]>,
    shape: &'a ConvShape,
    /// A row above or below the image.
    zeros: &'a [f32],
    /// The transformed input, `[POINTS, inputs, columns]`.
    points: &'a mut Aligned,
}

impl WithSimd for RowsConvolution<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::REGISTER_COUNT {
            32.. => self.run::<S, 4>(simd),
            _ => self.run::<S, 2>(simd),
        }
    }
}

impl RowsConvolution<'_, '_> {
    /// `V` is the number of vectors in a tile.
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let (shape, inputs, step) = (self.shape, self.shape.inputs, V * S::F32_LANES);
        let Part { x, rows, mut out, .. } = self.part;
        let width = shape.to[1];
        let fit = PART_BYTES / size_of::<f32>() / (POINTS * inputs);
        let piece = (fit / MAX_STEP).max(1) * MAX_STEP;
        let first_row = rows.start as isize - shape.padding[0] as isize;
        for first in (0..width).step_by(piece) {
            let columns = piece.min(width - first);
            let stride = columns.next_multiple_of(step) + 2 * margin::<S>();
            let plane = inputs * stride;
            self.points.resize(POINTS * plane);
            let first_column = first as isize - margin::<S>() as isize;
            let shift = margin::<S>() - shape.padding[1];
            for (input, image) in x.chunks_exact(shape.input_plane()).enumerate() {
                let mut points = self.points.chunks_exact_mut(plane);
                let points = array::from_fn(|_| {
                    let plane = points.next().expect("a plane for each point");
                    &mut plane[input * stride..(input + 1) * stride]
                });
                let rows = image_rows(image, shape.from[1], first_row, self.zeros);
                transform::<S, InputRows, _>(simd, rows, first_column, points);
            }
            for column in (0..columns).step_by(step) {
                let count = step.min(columns - column);
                for (block, weights) in self.blocks.chunks_exact(POINTS * inputs * TAPS).enumerate() {
                    let mut products = [[[simd.splat_f32s(0.0); V]; BLOCK]; POINTS];
                    let weights = weights.chunks_exact(inputs * TAPS);
                    for (point, (products, weights)) in products.iter_mut().zip(weights).enumerate() {
                        let tile = Tile {
                            x: &self.points[point * plane + column + shift..],
                            channel: stride,
                            stride,
                            weights,
                            taps: TAPS,
                            overlap: 0..TAPS,
                            kernel_columns: TAPS,
                        };
                        *products = tile.accumulate::<S, TAPS, V>(simd, *products);
                    }
                    let channels = block * BLOCK..((block + 1) * BLOCK).min(shape.outputs);
                    for (at, output) in channels.enumerate() {
                        let bias = simd.splat_f32s(self.bias.map_or(0.0, |bias| bias[output]));
                        let mut sums = [[bias; V]; ROWS];
                        for vector in 0..V {
                            let mut values = [simd.splat_f32s(0.0); POINTS];
                            for (value, products) in values.iter_mut().zip(&products) {
                                *value = products[at][vector];
                            }
                            let values = output_rows(simd, values);
                            for (sums, value) in sums.iter_mut().zip(values) {
                                sums[vector] = simd.add_f32s(sums[vector], value);
                            }
                        }
                        for (sums, row) in sums.iter().zip(0..rows.len()) {
                            let begin = row * width + first + column;
                            store::<S, V>(simd, sums, &mut out[output][begin..begin + count]);
                        }
                    }
                }
            }
        }
    }
}

/// Columns of transformed rows before and after the image's: whole vectors, so the image's vectors start at cache lines.
#[inline(always)]
fn margin<S: Simd>() -> usize {
    (TAPS - 1).next_multiple_of(S::F32_LANES)
}

/// `N` rows of `plane` from row `first` on. Rows outside the image are zeros.
#[inline(always)]
fn image_rows<'a, const N: usize>(plane: &'a [f32], width: usize, first: isize, zeros: &'a [f32]) -> [&'a [f32]; N] {
    array::from_fn(|at| {
        let row = usize::try_from(first + at as isize).ok();
        let row = row.and_then(|row| plane.get(row * width..(row + 1) * width));
        row.unwrap_or(zeros)
    })
}

/// `N` rows to the points. A trait and not a closure, because the compiler does not inline closures into functions with
/// more processor features.
trait Transform<const N: usize> {
    fn points<S: Simd>(simd: S, rows: [S::f32s; N]) -> [S::f32s; POINTS];
}

/// Transforms the columns of `rows`. `points` starts at the image's column `first`. Columns outside the image are zeros,
/// also at a negative start.
#[inline(always)]
fn transform<S: Simd, T: Transform<N>, const N: usize>(
    simd: S,
    rows: [&[f32]; N],
    first: isize,
    points: [&mut [f32]; POINTS],
) {
    let [before, begin, count] = columns_inside(first, rows[0].len(), points[0].len());
    let rows = rows.map(|row| S::as_simd_f32s(&row[begin..begin + count]));
    let mut points = points.map(|points| {
        points[..before].fill(0.0);
        points[before + count..].fill(0.0);
        S::as_mut_simd_f32s(&mut points[before..before + count])
    });
    let mut values = [simd.splat_f32s(0.0); N];
    for at in 0..count / S::F32_LANES {
        for (value, row) in values.iter_mut().zip(&rows) {
            *value = row.0[at];
        }
        for (points, value) in points.iter_mut().zip(T::points(simd, values)) {
            points.0[at] = value;
        }
    }
    if !count.is_multiple_of(S::F32_LANES) {
        for (value, row) in values.iter_mut().zip(&rows) {
            *value = simd.partial_load_f32s(row.1);
        }
        for (points, value) in points.iter_mut().zip(T::points(simd, values)) {
            simd.partial_store_f32s(points.1, value);
        }
    }
}

/// `Bᵀ`.
struct InputRows;

impl Transform<POINTS> for InputRows {
    #[inline(always)]
    fn points<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; POINTS]) -> [S::f32s; POINTS] {
        let (two, four, five) = (simd.splat_f32s(2.0), simd.splat_f32s(4.0), simd.splat_f32s(5.0));
        let even = simd.negate_mul_add_e_f32s(four, c, e);
        let odd = simd.negate_mul_add_e_f32s(four, b, d);
        let (outer, inner) = (simd.sub_f32s(e, c), simd.sub_f32s(d, b));
        [
            simd.negate_mul_add_e_f32s(five, c, simd.mul_add_e_f32s(four, a, e)),
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            simd.mul_add_e_f32s(two, inner, outer),
            simd.negate_mul_add_e_f32s(two, inner, outer),
            simd.negate_mul_add_e_f32s(five, d, simd.mul_add_e_f32s(four, b, f)),
        ]
    }
}

/// `Aᵀ`: sums of products to four output rows.
#[inline(always)]
fn output_rows<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; POINTS]) -> [S::f32s; ROWS] {
    let (two, four, eight) = (simd.splat_f32s(2.0), simd.splat_f32s(4.0), simd.splat_f32s(8.0));
    let (near, near_odd) = (simd.add_f32s(b, c), simd.sub_f32s(b, c));
    let (far, far_odd) = (simd.add_f32s(d, e), simd.sub_f32s(d, e));
    [
        simd.add_f32s(simd.add_f32s(a, near), far),
        simd.mul_add_e_f32s(two, far_odd, near_odd),
        simd.mul_add_e_f32s(four, far, near),
        simd.add_f32s(simd.mul_add_e_f32s(eight, far_odd, near_odd), f),
    ]
}
