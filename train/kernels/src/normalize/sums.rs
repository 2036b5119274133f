//! Sums over each channel of `[batch, channels, plane]`.

use super::channel::{split, vectors};
use super::{MIN_VALUES, plane_of};
use pulp::{Arch, Scalar, Simd, WithSimd};
use rayon::prelude::*;
use std::array;

/// Values summed in f32 before the sum is added to an f64.
const CHUNK: usize = 1024;
/// Vectors of sums, such that an addition need not wait for the one before.
const UNROLL: usize = 4;

/// Sums for one channel of a value and of its products with `N` others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sums<const N: usize> {
    pub value: f64,
    pub products: [f64; N],
}

impl<const N: usize> Sums<N> {
    const ZERO: Self = Self {
        value: 0.0,
        products: [0.0; N],
    };

    fn plus(self, other: &Self) -> Self {
        Self {
            value: self.value + other.value,
            products: array::from_fn(|at| self.products[at] + other.products[at]),
        }
    }
}

/// What to sum.
pub trait Statistic<const N: usize>: Copy {
    /// A value and its `N` factors, from the inputs and the gradient at some positions.
    fn pick<S: Simd>(self, simd: S, inputs: [S::f32s; N], gradient: S::f32s) -> (S::f32s, [S::f32s; N]);
}

/// Sums for each channel. `statistic` gives that of a channel. The order of summation depends on the shape and the width
/// of the processor's vectors only.
pub fn by_channel<const N: usize, T: Statistic<N>>(
    inputs: [&[f32]; N],
    gradient: &[f32],
    channels: usize,
    plane: usize,
    statistic: impl Fn(usize) -> T + Sync,
) -> Vec<Sums<N>> {
    let arch = Arch::new();
    let planes: Vec<Sums<N>> = (0..gradient.len() / plane)
        .into_par_iter()
        .with_min_len(MIN_VALUES.div_ceil(plane))
        .map(|at| {
            arch.dispatch(PlaneSums {
                inputs: inputs.map(|input| plane_of(input, at, plane)),
                gradient: plane_of(gradient, at, plane),
                statistic: statistic(at % channels),
            })
        })
        .collect();
    let channel = |channel: usize| planes[channel..].iter().step_by(channels);
    (0..channels)
        .map(|at| channel(at).fold(Sums::ZERO, Sums::plus))
        .collect()
}

struct PlaneSums<'a, T, const N: usize> {
    inputs: [&'a [f32]; N],
    gradient: &'a [f32],
    statistic: T,
}

impl<T: Statistic<N>, const N: usize> WithSimd for PlaneSums<'_, T, N> {
    type Output = Sums<N>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Sums<N> {
        let count = self.gradient.len();
        let (inputs, rest) = split::<S, N>(self.inputs, count);
        let ([gradient], [gradient_rest]) = split::<S, 1>([self.gradient], count);
        let mut totals = Sums::ZERO;
        let zero = simd.splat_f32s(0.0);
        for begin in (0..gradient.len()).step_by(CHUNK / S::F32_LANES) {
            let chunk = begin..gradient.len().min(begin + CHUNK / S::F32_LANES);
            let mut sums = [(zero, [zero; N]); UNROLL];
            let whole = chunk.len() - chunk.len() % UNROLL;
            for first in (begin..begin + whole).step_by(UNROLL) {
                for (at, sums) in sums.iter_mut().enumerate() {
                    let x = vectors(simd, &inputs, first + at);
                    add(simd, sums, self.statistic.pick(simd, x, gradient[first + at]));
                }
            }
            for (at, &gradient) in gradient.iter().enumerate().take(chunk.end).skip(begin + whole) {
                let x = vectors(simd, &inputs, at);
                add(simd, &mut sums[0], self.statistic.pick(simd, x, gradient));
            }
            for (value, products) in sums {
                totals.value += f64::from(simd.reduce_sum_f32s(value));
                for (total, product) in totals.products.iter_mut().zip(products) {
                    *total += f64::from(simd.reduce_sum_f32s(product));
                }
            }
        }
        for (at, &gradient) in gradient_rest.iter().enumerate() {
            let x = vectors(Scalar::new(), &rest, at);
            let (value, factors) = self.statistic.pick(Scalar::new(), x, gradient);
            totals.value += f64::from(value);
            for (total, factor) in totals.products.iter_mut().zip(factors) {
                *total += f64::from(value) * f64::from(factor);
            }
        }
        totals
    }
}

#[inline(always)]
fn add<S: Simd, const N: usize>(
    simd: S,
    (value_sum, products): &mut (S::f32s, [S::f32s; N]),
    (value, factors): (S::f32s, [S::f32s; N]),
) {
    *value_sum = simd.add_f32s(*value_sum, value);
    for (product, factor) in products.iter_mut().zip(factors) {
        *product = simd.mul_add_e_f32s(value, factor, *product);
    }
}
