//! The normalized sum, its activation and max pooling, in one pass over memory.
//!
//! The sum is computed for one row of windows at a time and pooled while it is in a cache; only its maxima are written.
//! Only they have gradients. So the inputs at the maxima are kept, and the backward pass reads all inputs only once.

use super::channel::{Line, WriteGradients, WriteResult};
use super::{Activation, Gradients, MIN_VALUES, Term, input_gradients, plane_of, planes_of, sums_of_gradients};
use crate::buffer::Buffer;
use crate::max_pool::{self, PoolShape};
use pulp::Arch;
use rayon::prelude::*;
use std::array;

/// The result of [`forward`].
pub struct Pooled<const N: usize> {
    /// `[batch, channels, …]`.
    pub maxima: Buffer,
    /// Of each maximum in its window, row by row.
    pub indices: Vec<u8>,
    /// Each input of the sum at the maxima.
    pub inputs: [Buffer; N],
}

/// `max_pool(activation(Σ γᵢ · (xᵢ − meanᵢ) / stdᵢ + βᵢ))`.
pub fn forward<const N: usize>(
    terms: [Term; N],
    activation: Activation,
    channels: usize,
    shape: &PoolShape,
) -> Pooled<N> {
    let (plane, band, [rows, columns]) = (shape.height * shape.width, shape.band(), shape.pooled());
    let size = terms[0].0.len() / plane * rows * columns;
    let (mut maxima, mut indices) = (Buffer::take(size), vec![0; size]);
    let mut inputs: [Buffer; N] = array::from_fn(|_| Buffer::take(size));
    let positions = shape.positions();
    let arch = Arch::new();
    let planes = maxima
        .par_chunks_exact_mut(rows * columns)
        .zip(indices.par_chunks_exact_mut(rows * columns))
        .zip(planes_of(&mut inputs, rows * columns));
    let planes = planes.with_min_len(MIN_VALUES.div_ceil(plane)).enumerate();
    planes.for_each(|(at, ((maxima, indices), mut inputs))| {
        let line = Line::new(terms, activation, at % channels);
        let xs = terms.map(|(x, _)| plane_of(x, at, plane));
        let mut sum = vec![0.0; band];
        for row in 0..rows {
            let xs = xs.map(|x| plane_of(x, row, band));
            arch.dispatch(WriteResult {
                line,
                inputs: xs,
                out: &mut sum,
            });
            let out = row * columns..(row + 1) * columns;
            max_pool::pool_band(&sum, shape, &mut maxima[out.clone()], &mut indices[out.clone()]);
            for (x, input) in xs.iter().zip(&mut inputs) {
                for (input, position) in input[out.clone()].iter_mut().zip(positions.of(&indices[out.clone()])) {
                    *input = x[position];
                }
            }
        }
    });
    Pooled {
        maxima,
        indices,
        inputs,
    }
}

/// The gradients of each input of the sum from the maxima's gradient, indices and inputs (`at_maxima`). The terms hold
/// the batch's own moments.
pub fn backward<const N: usize>(
    terms: [Term; N],
    activation: Activation,
    (at_maxima, indices, shape): ([&[f32]; N], &[u8], &PoolShape),
    gradient: &[f32],
) -> [Gradients; N] {
    let channels = terms[0].1.mean.len();
    let (plane, band, [rows, columns]) = (shape.height * shape.width, shape.band(), shape.pooled());
    let at_maxima: [Term; N] = array::from_fn(|term| (at_maxima[term], terms[term].1));
    let sums = sums_of_gradients(at_maxima, activation, gradient, rows * columns);
    let positions = shape.positions();
    let arch = Arch::new();
    input_gradients(terms, &sums, plane, |at, slopes, mut out| {
        let line = Line::new(terms, activation, at % channels);
        let xs = terms.map(|(x, _)| plane_of(x, at, plane));
        let gradient = plane_of(gradient, at, rows * columns).chunks_exact(columns);
        let indices = indices[at * rows * columns..(at + 1) * rows * columns].chunks_exact(columns);
        let mut maxima = gradient.zip(indices);
        let mut sparse = vec![0.0; band];
        for begin in (0..plane).step_by(band) {
            let covered = begin..plane.min(begin + band);
            sparse.fill(0.0);
            // Rows that do not fill a window have no maxima.
            if let Some((gradient, indices)) = maxima.next() {
                positions.scatter(gradient, indices, &mut sparse);
            }
            arch.dispatch(WriteGradients {
                line,
                slopes,
                inputs: xs.map(|x| &x[covered.clone()]),
                gradient: &sparse[..covered.len()],
                out: out.each_mut().map(|out| &mut out[covered.clone()]),
            });
        }
    })
}
