//! The innermost loops: sums of products in registers.

use super::parts::Rows;
use pulp::Simd;
use std::ops::Range;

/// Output channels of one tile.
pub const BLOCK: usize = 4;

/// Some columns of one output row, in a block of channels.
pub struct Tile<'a> {
    /// Starts at the first row and column that overlap.
    pub x: &'a [f32],
    pub channel: usize,
    pub stride: usize,
    /// `[inputs, taps]`.
    pub weights: &'a [[f32; BLOCK]],
    pub taps: usize,
    /// Taps that overlap rows of the image.
    pub overlap: Range<usize>,
    pub kernel_columns: usize,
}

impl Tile<'_> {
    #[inline(always)]
    pub fn accumulate<S: Simd, const K: usize, const V: usize>(
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
pub fn store<S: Simd, const V: usize>(simd: S, sums: &[S::f32s; V], out: &mut [f32]) {
    if out.len() == V * S::F32_LANES {
        S::as_mut_simd_f32s(out).0.copy_from_slice(sums);
    } else {
        for (sum, out) in sums.iter().zip(out.chunks_mut(S::F32_LANES)) {
            simd.partial_store_f32s(out, *sum);
        }
    }
}

/// The sum of whole vectors of values.
#[inline(always)]
pub fn sum<S: Simd>(simd: S, values: &[f32]) -> f32 {
    let mut sum = simd.splat_f32s(0.0);
    for &vector in S::as_simd_f32s(values).0 {
        sum = simd.add_f32s(sum, vector);
    }
    simd.reduce_sum_f32s(sum)
}

/// Sums, over `rows`, the products of `B` output gradients with one input channel shifted by `kernel_row` and `K`
/// kernel columns.
#[inline(always)]
pub fn correlate<S: Simd, const K: usize, const B: usize>(
    simd: S,
    (x, input, (kernel_row, kernel_column), top): (&Rows, usize, (usize, usize), usize),
    (gradient, channels): (&Rows, [usize; B]),
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
