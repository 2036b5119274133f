//! Max pooling over windows that neither overlap nor leave gaps, `[batch · channels, height, width]`.
//!
//! As PyTorch's `MaxPool2d`: the first of several equal maxima takes the gradient, and rows and columns that do not fill
//! a window are left out.

use super::buffer::Buffer;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Smallest piece of work for a thread, in values.
const MIN_VALUES: usize = 16 << 10;

/// Columns that are pooled together: a whole number of vectors of any width.
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
    /// Whether windows of this size can be pooled: a place in one must fit into a byte, a row of one into a strip.
    pub fn has_kernel(window: [usize; 2]) -> bool {
        let size = window[0] * window[1];
        (1..=256).contains(&size) && window[1] <= STRIP
    }

    /// Rows and columns of the result.
    pub fn pooled(&self) -> [usize; 2] {
        [self.height / self.window[0], self.width / self.window[1]]
    }
}

/// The maxima, and where in its window, row by row, each of them lies.
pub fn forward(x: &[f32], shape: &PoolShape) -> (Buffer, Vec<u8>) {
    let (plane, pooled) = (shape.height * shape.width, shape.pooled());
    let size = x.len() / plane * pooled[0] * pooled[1];
    let (mut maxima, mut places) = (Buffer::take(size), vec![0u8; size]);
    let rows = shape.window[0];
    let arch = Arch::new();
    let planes = maxima
        .par_chunks_exact_mut(pooled[0] * pooled[1])
        .zip(places.par_chunks_exact_mut(pooled[0] * pooled[1]))
        .zip(x.par_chunks_exact(plane));
    planes
        .with_min_len(MIN_VALUES.div_ceil(plane))
        .for_each(|((maxima, places), x)| {
            let bands = x.chunks_exact(rows * shape.width);
            let out = maxima
                .chunks_exact_mut(pooled[1])
                .zip(places.chunks_exact_mut(pooled[1]));
            for (band, (maxima, places)) in bands.zip(out) {
                arch.dispatch(Band {
                    x: band,
                    shape,
                    maxima,
                    places,
                });
            }
        });
    (maxima, places)
}

/// One row of the result.
struct Band<'a> {
    /// The rows that are pooled, `[window rows, width]`.
    x: &'a [f32],
    shape: &'a PoolShape,
    maxima: &'a mut [f32],
    places: &'a mut [u8],
}

impl WithSimd for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let columns = self.shape.window[1];
        // Down the columns first, where neighbours are independent, then across.
        let step = STRIP / columns;
        for (strip, (maxima, places)) in self
            .maxima
            .chunks_mut(step)
            .zip(self.places.chunks_mut(step))
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
                    let rest = &values[at * S::F32_LANES..];
                    let value = simd.partial_load_f32s(&rest[..rest.len().min(S::F32_LANES)]);
                    // A NaN is larger than all, so that a run that diverged is seen.
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
            for ((largest, row_of), (maximum, place)) in windows.zip(maxima.iter_mut().zip(places)) {
                let (mut best, mut best_place) = (largest[0], row_of[0] as usize * columns);
                for (column, (&value, &row)) in largest.iter().zip(row_of).enumerate().skip(1) {
                    let value_place = row as usize * columns + column;
                    let larger = value > best || value.is_nan() || (value == best && value_place < best_place);
                    best = if larger { value } else { best };
                    best_place = if larger { value_place } else { best_place };
                }
                (*maximum, *place) = (best, best_place as u8);
            }
        }
    }
}

/// The gradient of the input, given the places of the maxima and their gradients.
pub fn backward(gradient: &[f32], places: &[u8], shape: &PoolShape) -> Buffer {
    let (plane, pooled) = (shape.height * shape.width, shape.pooled());
    let [rows, columns] = shape.window;
    let mut out = Buffer::take(gradient.len() / (pooled[0] * pooled[1]) * plane);
    let planes = out
        .par_chunks_exact_mut(plane)
        .zip(gradient.par_chunks_exact(pooled[0] * pooled[1]))
        .zip(places.par_chunks_exact(pooled[0] * pooled[1]));
    planes
        .with_min_len(MIN_VALUES.div_ceil(plane))
        .for_each(|((out, gradient), places)| {
            out.fill(0.0);
            let values = gradient.chunks_exact(pooled[1]).zip(places.chunks_exact(pooled[1]));
            for (band, (gradient, places)) in out.chunks_exact_mut(rows * shape.width).zip(values) {
                for (at, (&gradient, &place)) in gradient.iter().zip(places).enumerate() {
                    let (row, column) = (usize::from(place) / columns, usize::from(place) % columns);
                    band[row * shape.width + at * columns + column] = gradient;
                }
            }
        });
    out
}
