//! Max pooling over windows that neither overlap nor leave gaps, `[batch · channels, height, width]`.
//!
//! Like PyTorch's `MaxPool2d`: of several equal maxima the first gets the gradient, and rows and columns that do not
//! fill a window are dropped.

use super::buffer::Buffer;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Smallest amount of work for a thread, in values.
const MIN_VALUES: usize = 16 << 10;

/// Columns that are pooled together: a multiple of every vector length.
const STRIP: usize = 64;

/// Sizes of the input and of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Rows and columns of a window.
    pub window: [usize; 2],
}

impl PoolShape {
    /// Whether windows of this size can be pooled: an index into a window must fit in a byte, and a row of the window
    /// must fit in a strip.
    pub fn has_kernel(window: [usize; 2]) -> bool {
        let size = window[0] * window[1];
        (1..=256).contains(&size) && window[1] <= STRIP
    }

    /// Values of a band: the rows of the input that one row of the result covers.
    pub fn band(&self) -> usize {
        self.window[0] * self.width
    }

    /// Positions of maxima from their indices.
    pub fn positions(&self) -> Positions {
        let columns = 0..self.window[1];
        let rows = (0..self.window[0]).map(|row| row * self.width);
        let offsets = rows.flat_map(|row| columns.clone().map(move |column| row + column));
        Positions {
            offsets: offsets.collect(),
            columns: self.window[1],
        }
    }

    /// Rows and columns of the result.
    pub fn pooled(&self) -> [usize; 2] {
        [self.height / self.window[0], self.width / self.window[1]]
    }
}

/// Where the values of a window are. A table, because a division for each maximum is slow.
pub struct Positions {
    /// In the band of the first window, by index.
    offsets: Vec<usize>,
    /// Of a window.
    columns: usize,
}

impl Positions {
    /// In its band, of each maximum of one row of the result.
    #[inline(always)]
    pub fn of<'a>(&'a self, indices: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let windows = indices.iter().enumerate();
        windows.map(|(window, &index)| window * self.columns + self.offsets[usize::from(index)])
    }

    /// Writes the gradients of one row of the result to its band, which is zero elsewhere.
    #[inline(always)]
    pub fn scatter(&self, gradient: &[f32], indices: &[u8], band: &mut [f32]) {
        for (position, &gradient) in self.of(indices).zip(gradient) {
            band[position] = gradient;
        }
    }
}

/// The maxima, and for each its index in its window, row by row.
pub fn forward(x: &[f32], shape: &PoolShape) -> (Buffer, Vec<u8>) {
    let (plane, pooled) = (shape.height * shape.width, shape.pooled());
    let size = x.len() / plane * pooled[0] * pooled[1];
    let (mut maxima, mut indices) = (Buffer::take(size), vec![0u8; size]);
    let planes = maxima
        .par_chunks_exact_mut(pooled[0] * pooled[1])
        .zip(indices.par_chunks_exact_mut(pooled[0] * pooled[1]))
        .zip(x.par_chunks_exact(plane));
    planes
        .with_min_len(MIN_VALUES.div_ceil(plane))
        .for_each(|((maxima, indices), x)| {
            let out = maxima
                .chunks_exact_mut(pooled[1])
                .zip(indices.chunks_exact_mut(pooled[1]));
            for (band, (maxima, indices)) in x.chunks_exact(shape.band()).zip(out) {
                pool_band(band, shape, maxima, indices);
            }
        });
    (maxima, indices)
}

/// Computes one row of the result from the rows of the input that it covers.
pub fn pool_band(band: &[f32], shape: &PoolShape, maxima: &mut [f32], indices: &mut [u8]) {
    Arch::new().dispatch(Band {
        x: band,
        shape,
        maxima,
        indices,
    });
}

/// One row of the result.
struct Band<'a> {
    /// The input rows, `[window rows, width]`.
    x: &'a [f32],
    shape: &'a PoolShape,
    maxima: &'a mut [f32],
    indices: &'a mut [u8],
}

impl WithSimd for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let columns = self.shape.window[1];
        // Down the columns first, where neighbouring columns are independent, then across.
        let step = STRIP / columns;
        for (strip, (maxima, indices)) in self
            .maxima
            .chunks_mut(step)
            .zip(self.indices.chunks_mut(step))
            .enumerate()
        {
            let begin = strip * step * columns;
            let (mut largest, mut row_of) = ([0.0; STRIP], [0; STRIP]);
            let x = self.x.chunks_exact(self.shape.width);
            let rows = x.map(|row| &row[begin..begin + maxima.len() * columns]);
            let out = largest.chunks_mut(S::F32_LANES).zip(row_of.chunks_mut(S::F32_LANES));
            for (at, (largest, row_of)) in out.enumerate().take((maxima.len() * columns).div_ceil(S::F32_LANES)) {
                let mut best = simd.splat_f32s(f32::NEG_INFINITY);
                let mut best_row = simd.splat_u32s(0);
                for (row, values) in rows.clone().enumerate() {
                    let remaining = &values[at * S::F32_LANES..];
                    let value = simd.partial_load_f32s(&remaining[..remaining.len().min(S::F32_LANES)]);
                    // NaN counts as larger than any number, so a diverged run stays visible.
                    let larger = simd.or_m32s(
                        simd.greater_than_f32s(value, best),
                        simd.not_m32s(simd.equal_f32s(value, value)),
                    );
                    best = simd.select_f32s(larger, value, best);
                    best_row = simd.select_u32s(larger, simd.splat_u32s(row as u32), best_row);
                }
                simd.partial_store_f32s(largest, best);
                simd.partial_store_u32s(row_of, best_row);
            }
            let windows = largest.chunks_exact(columns).zip(row_of.chunks_exact(columns));
            for ((largest, row_of), (maximum, index)) in windows.zip(maxima.iter_mut().zip(indices)) {
                let (mut best, mut best_index) = (largest[0], row_of[0] as usize * columns);
                for (column, (&value, &row)) in largest.iter().zip(row_of).enumerate().skip(1) {
                    let value_index = row as usize * columns + column;
                    let larger = value > best || value.is_nan() || (value == best && value_index < best_index);
                    best = if larger { value } else { best };
                    best_index = if larger { value_index } else { best_index };
                }
                (*maximum, *index) = (best, best_index as u8);
            }
        }
    }
}

/// The input's gradient from the maxima's indices and gradients.
pub fn backward(gradient: &[f32], indices: &[u8], shape: &PoolShape) -> Buffer {
    let (plane, pooled) = (shape.height * shape.width, shape.pooled());
    let positions = shape.positions();
    let mut out = Buffer::take(gradient.len() / (pooled[0] * pooled[1]) * plane);
    let planes = out
        .par_chunks_exact_mut(plane)
        .zip(gradient.par_chunks_exact(pooled[0] * pooled[1]))
        .zip(indices.par_chunks_exact(pooled[0] * pooled[1]));
    planes
        .with_min_len(MIN_VALUES.div_ceil(plane))
        .for_each(|((out, gradient), indices)| {
            out.fill(0.0);
            let values = gradient.chunks_exact(pooled[1]).zip(indices.chunks_exact(pooled[1]));
            for (band, (gradient, indices)) in out.chunks_exact_mut(shape.band()).zip(values) {
                positions.scatter(gradient, indices, band);
            }
        });
    out
}
