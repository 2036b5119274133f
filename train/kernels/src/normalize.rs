//! Batch normalization, the sum of several of them, and an optional ReLU, in one pass over memory.
//!
//! Computes `relu(Σ γᵢ · (xᵢ − meanᵢ) / stdᵢ + βᵢ)` over images `[batch, channels, height, width]`: the last operations
//! of a convolution layer or of a residual block with its shortcut. Memory limits the speed, arithmetic does not. The
//! forward pass reads each input once for the moments and once for the result. The backward pass reads input, result
//! and gradient twice each. Without ReLU it does not read the result, which then need not be kept.
//!
//! Equations: Ioffe and Szegedy (2015), Algorithm 1 and section 3; the variance is the biased one, as in PyTorch.

use super::buffer::Buffer;
use pulp::Arch;
use rayon::prelude::*;

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
    let sums = channel_sums([x; 3], channels, plane, |channel| {
        let origin = origin(channel);
        move |[x, ..]| [x - origin, (x - origin) * (x - origin)]
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

/// The gradients of one input of the sum, from the result's gradient and, with ReLU, the result. `affine` holds the
/// batch's own moments.
pub fn backward(x: &[f32], affine: &Affine, result: Option<&[f32]>, gradient: &[f32], plane: usize) -> Gradients {
    match result {
        Some(result) => backward_through(x, affine, [result, gradient], plane, relu_gradient),
        None => backward_through(x, affine, [gradient; 2], plane, |_, gradient| gradient),
    }
}

/// `through` maps the result's gradient back through the activation to the sum's gradient.
fn backward_through(
    x: &[f32],
    affine: &Affine,
    [result, gradient]: [&[f32]; 2],
    plane: usize,
    through: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> Gradients {
    let channels = affine.mean.len();
    let sums = channel_sums([x, result, gradient], channels, plane, |channel| {
        let mean = affine.mean[channel];
        move |[x, result, gradient]| {
            let gradient = through(result, gradient);
            [gradient, gradient * (x - mean)]
        }
    });
    let count = (x.len() / channels) as f64;
    let mut out = Buffer::take(x.len());
    let arch = Arch::new();
    let planes = out.par_chunks_exact_mut(plane).with_min_len(MIN_VALUES.div_ceil(plane));
    planes.enumerate().for_each(|(at, out)| {
        // dx = γ/std · (g − mean(g) − (x − mean)/variance · mean(g · (x − mean)))
        let channel = at % channels;
        let [sum, product] = sums[channel];
        let (scale, mean) = (affine.scale(channel), affine.mean[channel]);
        let offset = (sum / count) as f32;
        let slope = (product / count * f64::from(affine.inverse_std[channel]).powi(2)) as f32;
        let [x, result, gradient] = [x, result, gradient].map(|values| &values[at * plane..(at + 1) * plane]);
        arch.dispatch(|| {
            for ((out, x), (&result, &gradient)) in out.iter_mut().zip(x).zip(result.iter().zip(gradient)) {
                *out = scale * (through(result, gradient) - offset - slope * (x - mean));
            }
        });
    });
    Gradients {
        x: out,
        gamma: sums
            .iter()
            .zip(&affine.inverse_std)
            .map(|([_, product], &inverse_std)| (product * f64::from(inverse_std)) as f32)
            .collect(),
        beta: sums.iter().map(|&[sum, _]| sum as f32).collect(),
    }
}

impl Affine {
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

/// Sums, per channel, of two statistics of the three values at each position. The order of summation depends on the
/// shape only.
fn channel_sums<F: Fn([f32; 3]) -> [f32; 2]>(
    values: [&[f32]; 3],
    channels: usize,
    plane: usize,
    statistics: impl Fn(usize) -> F + Sync,
) -> Vec<[f64; 2]> {
    let arch = Arch::new();
    let planes: Vec<[f64; 2]> = (0..values[0].len() / plane)
        .into_par_iter()
        .with_min_len(MIN_VALUES.div_ceil(plane))
        .map(|at| {
            let values = values.map(|values| &values[at * plane..(at + 1) * plane]);
            let statistics = statistics(at % channels);
            arch.dispatch(|| plane_sums(values, statistics))
        })
        .collect();
    let add = |[a, b]: [f64; 2], [c, d]: &[f64; 2]| [a + c, b + d];
    (0..channels)
        .map(|channel| planes[channel..].iter().step_by(channels).fold([0.0; 2], add))
        .collect()
}

#[inline(always)]
fn plane_sums([a, b, c]: [&[f32]; 3], statistics: impl Fn([f32; 3]) -> [f32; 2]) -> [f64; 2] {
    let mut totals = [0.0; 2];
    for ((a, b), c) in a.chunks(CHUNK).zip(b.chunks(CHUNK)).zip(c.chunks(CHUNK)) {
        let mut sums = [[0.0f32; LANES]; 2];
        let (a, b, c) = (a.chunks(LANES), b.chunks(LANES), c.chunks(LANES));
        for ((a, b), c) in a.zip(b).zip(c) {
            let [first, second] = &mut sums;
            for (((a, b), c), (first, second)) in a.iter().zip(b).zip(c).zip(first.iter_mut().zip(second)) {
                let [x, y] = statistics([*a, *b, *c]);
                *first += x;
                *second += y;
            }
        }
        for (total, sums) in totals.iter_mut().zip(&sums) {
            *total += sums.iter().map(|&sum| f64::from(sum)).sum::<f64>();
        }
    }
    totals
}
