//! The arithmetic of one channel, in vectors. Products and sums are rounded separately, so a value's result does not
//! depend on its position in a vector or in the rest.

use super::sums::{Statistic, Sums};
use super::{Activation, Term};
use pulp::{Scalar, Simd, WithSimd};
use std::array;

/// The normalized sum and its activation: `max(Σ scaleᵢ · xᵢ + shift, floor)`.
#[derive(Clone, Copy)]
pub struct Line<const N: usize> {
    scales: [f32; N],
    shift: f32,
    /// The smallest result.
    floor: f32,
}

impl<const N: usize> Line<N> {
    pub fn new(terms: [Term; N], activation: Activation, channel: usize) -> Self {
        Self {
            scales: terms.map(|(_, affine)| affine.scale(channel)),
            shift: terms.iter().map(|(_, affine)| affine.shift(channel)).sum(),
            floor: match activation {
                Activation::Identity => f32::NEG_INFINITY,
                Activation::Relu => 0.0,
            },
        }
    }

    #[inline(always)]
    fn sum<S: Simd>(self, simd: S, x: [S::f32s; N]) -> S::f32s {
        let mut sum = simd.splat_f32s(self.shift);
        for (scale, x) in self.scales.into_iter().zip(x) {
            sum = simd.add_f32s(sum, simd.mul_f32s(simd.splat_f32s(scale), x));
        }
        sum
    }

    /// The result. NaN stays NaN.
    #[inline(always)]
    fn result<S: Simd>(self, simd: S, x: [S::f32s; N]) -> S::f32s {
        let (sum, floor) = (self.sum(simd, x), simd.splat_f32s(self.floor));
        simd.select_f32s(simd.less_than_f32s(sum, floor), floor, sum)
    }

    /// The sum's gradient from the result's.
    #[inline(always)]
    fn gradient<S: Simd>(self, simd: S, x: [S::f32s; N], gradient: S::f32s) -> S::f32s {
        let (sum, floor) = (self.sum(simd, x), simd.splat_f32s(self.floor));
        let zero = simd.splat_f32s(0.0);
        simd.select_f32s(simd.less_than_or_equal_f32s(sum, floor), zero, gradient)
    }
}

/// `dx = γ/std · (g − mean(g) − (x − mean)/variance · mean(g · (x − mean)))` for one input.
#[derive(Clone, Copy)]
pub struct Slope {
    scale: f32,
    mean: f32,
    offset: f32,
    slope: f32,
}

impl Slope {
    /// Of each input, from the sums of `g` and `g · (x − mean)` over `count` values.
    pub fn new<const N: usize>(terms: [Term; N], sums: &Sums<N>, count: usize, channel: usize) -> [Self; N] {
        let mean = |sum: f64| sum / count as f64;
        array::from_fn(|term| {
            let affine = terms[term].1;
            Self {
                scale: affine.scale(channel),
                mean: affine.mean[channel],
                offset: mean(sums.value) as f32,
                slope: (mean(sums.products[term]) * f64::from(affine.inverse_std[channel]).powi(2)) as f32,
            }
        })
    }

    #[inline(always)]
    fn gradient<S: Simd>(self, simd: S, x: S::f32s, gradient: S::f32s) -> S::f32s {
        let centred = simd.sub_f32s(x, simd.splat_f32s(self.mean));
        let gradient = simd.sub_f32s(gradient, simd.splat_f32s(self.offset));
        let gradient = simd.sub_f32s(gradient, simd.mul_f32s(simd.splat_f32s(self.slope), centred));
        simd.mul_f32s(simd.splat_f32s(self.scale), gradient)
    }
}

/// The vectors of `inputs` at `at`. Not a closure, because the compiler does not inline closures into functions with
/// more processor features.
#[inline(always)]
pub fn vectors<S: Simd, const N: usize>(simd: S, inputs: &[&[S::f32s]; N], at: usize) -> [S::f32s; N] {
    let mut vectors = [simd.splat_f32s(0.0); N];
    for (vector, input) in vectors.iter_mut().zip(inputs) {
        *vector = input[at];
    }
    vectors
}

/// `values` as vectors, and the rest. All arrays have the same length.
#[inline(always)]
pub fn split<S: Simd, const N: usize>(values: [&[f32]; N], count: usize) -> ([&[S::f32s]; N], [&[f32]; N]) {
    let (mut vectors, mut rest) = ([&[] as &[S::f32s]; N], [&[] as &[f32]; N]);
    for ((vectors, rest), values) in vectors.iter_mut().zip(&mut rest).zip(values) {
        (*vectors, *rest) = S::as_simd_f32s(&values[..count]);
    }
    // A length that the compiler knows to be the same needs no checks in the loop.
    let count = count / S::F32_LANES;
    for vectors in &mut vectors {
        *vectors = &vectors[..count];
    }
    (vectors, rest)
}

/// Writes the result for a range of positions.
pub struct WriteResult<'a, const N: usize> {
    pub line: Line<N>,
    pub inputs: [&'a [f32]; N],
    pub out: &'a mut [f32],
}

impl<const N: usize> WithSimd for WriteResult<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (inputs, rest) = split::<S, N>(self.inputs, self.out.len());
        let (out, out_rest) = S::as_mut_simd_f32s(self.out);
        for (at, out) in out.iter_mut().enumerate() {
            *out = self.line.result(simd, vectors(simd, &inputs, at));
        }
        for (at, out) in out_rest.iter_mut().enumerate() {
            *out = self.line.result(Scalar::new(), vectors(Scalar::new(), &rest, at));
        }
    }
}

/// Writes the inputs' gradients for a range of positions.
pub struct WriteGradients<'a, const N: usize> {
    pub line: Line<N>,
    pub slopes: [Slope; N],
    pub inputs: [&'a [f32]; N],
    /// Of the result.
    pub gradient: &'a [f32],
    pub out: [&'a mut [f32]; N],
}

impl<const N: usize> WithSimd for WriteGradients<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let count = self.gradient.len();
        let (inputs, rest) = split::<S, N>(self.inputs, count);
        let ([gradient], [gradient_rest]) = split::<S, 1>([self.gradient], count);
        let mut out = self.out.map(|values| {
            let (vectors, rest) = S::as_mut_simd_f32s(&mut values[..count]);
            (&mut vectors[..gradient.len()], rest)
        });
        for at in 0..gradient.len() {
            let x = vectors(simd, &inputs, at);
            let gradient = self.line.gradient(simd, x, gradient[at]);
            for (((out, _), slope), x) in out.iter_mut().zip(self.slopes).zip(x) {
                out[at] = slope.gradient(simd, x, gradient);
            }
        }
        for (at, &gradient) in gradient_rest.iter().enumerate() {
            let x = vectors(Scalar::new(), &rest, at);
            let gradient = self.line.gradient(Scalar::new(), x, gradient);
            for (((_, out), slope), x) in out.iter_mut().zip(self.slopes).zip(x) {
                out[at] = slope.gradient(Scalar::new(), x, gradient);
            }
        }
    }
}

/// The distance of a value from `origin`, and its square.
#[derive(Clone, Copy)]
pub struct Deviation {
    pub origin: f32,
}

impl Statistic<1> for Deviation {
    #[inline(always)]
    fn pick<S: Simd>(self, simd: S, [x]: [S::f32s; 1], _: S::f32s) -> (S::f32s, [S::f32s; 1]) {
        let deviation = simd.sub_f32s(x, simd.splat_f32s(self.origin));
        (deviation, [deviation])
    }
}

/// The sum's gradient, and each input's distance from its mean.
#[derive(Clone, Copy)]
pub struct SumGradient<const N: usize> {
    pub line: Line<N>,
    pub means: [f32; N],
}

impl<const N: usize> Statistic<N> for SumGradient<N> {
    #[inline(always)]
    fn pick<S: Simd>(self, simd: S, mut x: [S::f32s; N], gradient: S::f32s) -> (S::f32s, [S::f32s; N]) {
        let gradient = self.line.gradient(simd, x, gradient);
        for (x, mean) in x.iter_mut().zip(self.means) {
            *x = simd.sub_f32s(*x, simd.splat_f32s(mean));
        }
        (gradient, x)
    }
}
