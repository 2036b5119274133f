//! Products of a few rows with a matrix that stays the same over many products.

use crate::buffer::Aligned;
use pulp::Simd;

/// Rows of the left factor.
pub const ROWS: usize = 8;
/// Columns of the matrix that are next to each other in memory. A multiple of any processor's vectors.
pub const PANEL: usize = 32;

/// A matrix in panels, `[columns / PANEL, rows, PANEL]`.
pub struct Matrix {
    panels: Aligned,
    rows: usize,
    columns: usize,
}

impl Matrix {
    /// `columns` must be a multiple of [`PANEL`].
    pub fn new([rows, columns]: [usize; 2], value: impl Fn(usize, usize) -> f32) -> Self {
        let mut panels = Aligned::default();
        panels.resize(rows * columns);
        for (panel, values) in panels.chunks_exact_mut(rows * PANEL).enumerate() {
            for (row, values) in values.chunks_exact_mut(PANEL).enumerate() {
                for (at, out) in values.iter_mut().enumerate() {
                    *out = value(row, panel * PANEL + at);
                }
            }
        }
        Self { panels, rows, columns }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// `out += xᵀ · matrix`: `[rows, ROWS]` to `[ROWS, columns]`.
    #[inline(always)]
    pub fn add_product<S: Simd>(&self, simd: S, x: &[[f32; ROWS]], out: &mut [f32]) {
        // ROWS × V sums, V values and a factor must fit in the registers.
        match S::REGISTER_COUNT {
            32.. => self.add::<S, 2>(simd, x, out),
            _ => self.add::<S, 1>(simd, x, out),
        }
    }

    #[inline(always)]
    fn add<S: Simd, const V: usize>(&self, simd: S, x: &[[f32; ROWS]], out: &mut [f32]) {
        let step = V * S::F32_LANES;
        for (panel, values) in self.panels.chunks_exact(self.rows * PANEL).enumerate() {
            for first in (0..PANEL).step_by(step) {
                let mut sums = [[simd.splat_f32s(0.0); V]; ROWS];
                for (x, values) in x.iter().zip(values.chunks_exact(PANEL)) {
                    let values = S::as_simd_f32s(&values[first..first + step]).0;
                    for (sums, &x) in sums.iter_mut().zip(x) {
                        let x = simd.splat_f32s(x);
                        for (sum, &value) in sums.iter_mut().zip(values) {
                            *sum = simd.mul_add_e_f32s(x, value, *sum);
                        }
                    }
                }
                for (row, sums) in sums.iter().enumerate() {
                    let begin = row * self.columns + panel * PANEL + first;
                    let out = S::as_mut_simd_f32s(&mut out[begin..begin + step]).0;
                    for (out, &sum) in out.iter_mut().zip(sums) {
                        *out = simd.add_f32s(*out, sum);
                    }
                }
            }
        }
    }
}
