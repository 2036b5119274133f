//! Batch normalization, the sum of several of them, and an optional ReLU, in one pass over memory.
//!
//! Computes `relu(Σ γᵢ · (xᵢ − meanᵢ) / stdᵢ + βᵢ)` over images `[batch, channels, height, width]`: the last operations
//! of a convolution layer or of a residual block with its shortcut. Memory limits the speed, arithmetic does not. The
//! forward pass reads each input once for the moments and once for the result. The backward pass reads inputs, result
//! and gradient twice each. Without ReLU it does not read the result, which then need not be kept.
//!
//! Equations: Ioffe and Szegedy (2015), Algorithm 1 and section 3; the variance is the biased one, as in PyTorch.

use super::buffer::Buffer;
use pulp::Arch;
use rayon::prelude::*;
use std::array;

/// Values summed in f32 before the sum is added to an f64.
const CHUNK: usize = 1024;
/// Sums computed in parallel, which lets the compiler vectorise them. Divides [`CHUNK`].
const LANES: usize = 32;
/// Smallest amount of work for a thread, in values.
const MIN_VALUES: usize = 16 << 10;

/// The activation after the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `max(x, 0)`.
    Relu,
}

/// Normalization of one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// `[channels]`.
    pub mean: Vec<f32>,
    /// `1 / sqrt(variance + ε)`, `[channels]`.
    pub inverse_std: Vec<f32>,
    /// `[channels]`.
    pub gamma: Vec<f32>,
    /// `[channels]`.
    pub beta: Vec<f32>,
}

/// Gradients of one input and of its γ and β.
#[derive(Debug)]
pub struct Gradients {
    /// Same shape as the input.
    pub x: Buffer,
    /// `[channels]`.
    pub gamma: Vec<f32>,
    /// `[channels]`.
    pub beta: Vec<f32>,
}

/// Mean and biased variance of each channel of `x`, `[batch, channels, plane]`.
///
/// Values are shifted by each channel's first value, so a mean far from zero costs no accuracy.
pub fn moments(x: &[f32], channels: usize, plane: usize) -> (Vec<f32>, Vec<f32>) {
    let origin = |channel: usize| x[channel * plane];
    let sums = channel_sums([x], channels, plane, |channel| {
        let origin = origin(channel);
        move |[x]: [f32; 1]| [x - origin, (x - origin) * (x - origin)]
    });
    let count = (x.len() / channels) as f64;
    let finish = |(channel, [sum, squares]): (usize, [f64; 2])| {
        let mean = sum / count;
        let variance = (squares / count - mean * mean).max(0.0);
        ((f64::from(origin(channel)) + mean) as f32, variance as f32)
    };
    sums.into_iter().enumerate().map(finish).unzip()
}

/// `activation(Σ γᵢ · (xᵢ − meanᵢ) / stdᵢ + βᵢ)`.
pub fn forward(terms: &[(&[f32], &Affine)], activation: Activation, channels: usize, plane: usize) -> Buffer {
    let mut out = Buffer::take(terms[0].0.len());
    let arch = Arch::new();
    let planes = out.par_chunks_exact_mut(plane).with_min_len(MIN_VALUES.div_ceil(plane));
    planes.enumerate().for_each(|(at, out)| {
        let channel = at % channels;
        let shift: f32 = terms.iter().map(|(_, affine)| affine.shift(channel)).sum();
        for (part, out) in out.chunks_mut(CHUNK).enumerate() {
            arch.dispatch(|| {
                out.fill(shift);
                for (x, affine) in terms {
                    let scale = affine.scale(channel);
                    for (out, x) in out.iter_mut().zip(&x[at * plane + part * CHUNK..]) {
                        *out += scale * x;
                    }
                }
                if activation == Activation::Relu {
                    for out in out {
                        *out = out.max(0.0);
                    }
                }
            });
        }
    });
    out
}

/// The gradients of each input of the sum, from the result's gradient and, with ReLU, the result. The terms hold the
/// batch's own moments.
///
/// # Panics
/// Panics if there are neither one nor two terms.
pub fn backward(terms: &[(&[f32], &Affine)], result: Option<&[f32]>, gradient: &[f32], plane: usize) -> Vec<Gradients> {
    let identity = |_, gradient| gradient;
    match (terms, result) {
        (&[term], None) => vec![backward_one(term, [gradient; 2], plane, identity)],
        (&[term], Some(result)) => vec![backward_one(term, [result, gradient], plane, relu_gradient)],
        (&[a, b], None) => backward_two([a, b], [gradient; 2], plane, identity).into(),
        (&[a, b], Some(result)) => backward_two([a, b], [result, gradient], plane, relu_gradient).into(),
        _ => panic!("one image, or one and its shortcut"),
    }
}

/// `through` maps the result's gradient back through the activation to the sum's gradient.
fn backward_one(
    (x, affine): (&[f32], &Affine),
    [result, gradient]: [&[f32]; 2],
    plane: usize,
    through: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> Gradients {
    let channels = affine.mean.len();
    let sums: Vec<[f64; 2]> = channel_sums([x, result, gradient], channels, plane, |channel| {
        let mean = affine.mean[channel];
        move |[x, result, gradient]: [f32; 3]| {
            let gradient = through(result, gradient);
            [gradient, gradient * (x - mean)]
        }
    });
    let slopes = affine.slopes(&sums, x.len() / channels);
    let mut out = Buffer::take(x.len());
    let arch = Arch::new();
    let planes = out.par_chunks_exact_mut(plane).with_min_len(MIN_VALUES.div_ceil(plane));
    planes.enumerate().for_each(|(at, out)| {
        let slope = slopes[at % channels];
        let [x, result, gradient] = [x, result, gradient].map(|values| &values[at * plane..(at + 1) * plane]);
        arch.dispatch(|| {
            for ((out, x), (&result, &gradient)) in out.iter_mut().zip(x).zip(result.iter().zip(gradient)) {
                *out = slope.gradient(*x, through(result, gradient));
            }
        });
    });
    affine.gradients(out, &sums)
}

/// [`backward_one`] of two inputs that reads the result and its gradient once for both.
fn backward_two(
    [(x, x_affine), (y, y_affine)]: [(&[f32], &Affine); 2],
    [result, gradient]: [&[f32]; 2],
    plane: usize,
    through: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> [Gradients; 2] {
    let channels = x_affine.mean.len();
    let sums: Vec<[f64; 3]> = channel_sums([x, y, result, gradient], channels, plane, |channel| {
        let (x_mean, y_mean) = (x_affine.mean[channel], y_affine.mean[channel]);
        move |[x, y, result, gradient]: [f32; 4]| {
            let gradient = through(result, gradient);
            [gradient, gradient * (x - x_mean), gradient * (y - y_mean)]
        }
    });
    let sums = [1, 2].map(|term| sums.iter().map(|sums| [sums[0], sums[term]]).collect::<Vec<_>>());
    let count = x.len() / channels;
    let (x_slopes, y_slopes) = (x_affine.slopes(&sums[0], count), y_affine.slopes(&sums[1], count));
    let (mut x_out, mut y_out) = (Buffer::take(x.len()), Buffer::take(y.len()));
    let arch = Arch::new();
    let planes = x_out.par_chunks_exact_mut(plane).zip(y_out.par_chunks_exact_mut(plane));
    let planes = planes.with_min_len(MIN_VALUES.div_ceil(plane)).enumerate();
    planes.for_each(|(at, (x_out, y_out))| {
        let (x_slope, y_slope) = (x_slopes[at % channels], y_slopes[at % channels]);
        let [x, y, result, gradient] = [x, y, result, gradient].map(|values| &values[at * plane..(at + 1) * plane]);
        arch.dispatch(|| {
            let inputs = x.iter().zip(y).zip(result.iter().zip(gradient));
            for ((x_out, y_out), ((x, y), (&result, &gradient))) in x_out.iter_mut().zip(y_out).zip(inputs) {
                let gradient = through(result, gradient);
                *x_out = x_slope.gradient(*x, gradient);
                *y_out = y_slope.gradient(*y, gradient);
            }
        });
    });
    [x_affine.gradients(x_out, &sums[0]), y_affine.gradients(y_out, &sums[1])]
}

/// `dx = γ/std · (g − mean(g) − (x − mean)/variance · mean(g · (x − mean)))` for one channel.
#[derive(Clone, Copy)]
struct Slope {
    scale: f32,
    mean: f32,
    offset: f32,
    slope: f32,
}

impl Slope {
    #[inline(always)]
    fn gradient(self, x: f32, gradient: f32) -> f32 {
        self.scale * (gradient - self.offset - self.slope * (x - self.mean))
    }
}

impl Affine {
    /// From each channel's sums of `g` and `g · (x − mean)` over `count` values.
    fn slopes(&self, sums: &[[f64; 2]], count: usize) -> Vec<Slope> {
        let slope = |(channel, [sum, product]): (usize, &[f64; 2])| Slope {
            scale: self.scale(channel),
            mean: self.mean[channel],
            offset: (sum / count as f64) as f32,
            slope: (product / count as f64 * f64::from(self.inverse_std[channel]).powi(2)) as f32,
        };
        sums.iter().enumerate().map(slope).collect()
    }

    fn gradients(&self, x: Buffer, sums: &[[f64; 2]]) -> Gradients {
        let gamma = |([_, product], &inverse_std): (&[f64; 2], &f32)| (product * f64::from(inverse_std)) as f32;
        Gradients {
            x,
            gamma: sums.iter().zip(&self.inverse_std).map(gamma).collect(),
            beta: sums.iter().map(|&[sum, _]| sum as f32).collect(),
        }
    }

    fn scale(&self, channel: usize) -> f32 {
        self.gamma[channel] * self.inverse_std[channel]
    }

    fn shift(&self, channel: usize) -> f32 {
        self.beta[channel] - self.mean[channel] * self.scale(channel)
    }
}

#[inline(always)]
fn relu_gradient(result: f32, gradient: f32) -> f32 {
    if result > 0.0 { gradient } else { 0.0 }
}

/// Sums, per channel, of the statistics of the values at each position. The order of summation depends on the shape
/// only.
fn channel_sums<const I: usize, const O: usize, F: Fn([f32; I]) -> [f32; O]>(
    values: [&[f32]; I],
    channels: usize,
    plane: usize,
    statistics: impl Fn(usize) -> F + Sync,
) -> Vec<[f64; O]> {
    let arch = Arch::new();
    let planes: Vec<[f64; O]> = (0..values[0].len() / plane)
        .into_par_iter()
        .with_min_len(MIN_VALUES.div_ceil(plane))
        .map(|at| {
            let values = values.map(|values| &values[at * plane..(at + 1) * plane]);
            let statistics = statistics(at % channels);
            arch.dispatch(|| plane_sums(values, statistics))
        })
        .collect();
    let add = |sums: [f64; O], plane: &[f64; O]| array::from_fn(|at| sums[at] + plane[at]);
    (0..channels)
        .map(|channel| planes[channel..].iter().step_by(channels).fold([0.0; O], add))
        .collect()
}

#[inline(always)]
fn plane_sums<const I: usize, const O: usize>(
    values: [&[f32]; I],
    statistics: impl Fn([f32; I]) -> [f32; O],
) -> [f64; O] {
    let mut totals = [0.0; O];
    let count = values[0].len();
    for chunk in (0..count).step_by(CHUNK) {
        let mut sums = [[0.0f32; LANES]; O];
        let end = count.min(chunk + CHUNK);
        for begin in (chunk..end).step_by(LANES) {
            let lanes = LANES.min(end - begin);
            let values = values.map(|values| &values[begin..begin + lanes]);
            // Twice, because the compiler vectorises a loop of constant length.
            let mut add = |lane: usize| {
                let values = array::from_fn(|at| values[at][lane]);
                for (sums, value) in sums.iter_mut().zip(statistics(values)) {
                    sums[lane] += value;
                }
            };
            if lanes == LANES {
                for lane in 0..LANES {
                    add(lane);
                }
            } else {
                for lane in 0..lanes {
                    add(lane);
                }
            }
        }
        for (total, sums) in totals.iter_mut().zip(&sums) {
            *total += sums.iter().map(|&sum| f64::from(sum)).sum::<f64>();
        }
    }
    totals
}
