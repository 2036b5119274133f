//! Batch normalization, the sum of several of them, and an optional ReLU, in one pass over memory.
//!
//! Computes `relu(Σ γᵢ · (xᵢ − meanᵢ) / stdᵢ + βᵢ)` over images `[batch, channels, height, width]`: the last operations
//! of a convolution layer or of a residual block with its shortcut. Memory limits the speed, arithmetic does not. The
//! forward pass reads each input once for the moments and once for the result. The backward pass reads inputs and
//! gradient twice each. It computes the sign of the result again, which costs less than to read it. [`pooled`] fuses max
//! pooling too.
//!
//! Equations: Ioffe and Szegedy (2015), Algorithm 1 and section 3; the variance is the biased one, as in PyTorch.

mod channel;
pub mod pooled;
mod sums;

use super::buffer::Buffer;
use channel::{Deviation, Line, Slope, SumGradient, WriteGradients, WriteResult};
use pulp::Arch;
use rayon::prelude::*;
use std::array;
use sums::Sums;

/// Smallest amount of work for a thread, in values.
const MIN_VALUES: usize = 16 << 10;

/// The activation after the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `max(x, 0)`. NaN stays NaN.
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

/// An input, `[batch, channels, plane]`, and its normalization.
pub type Term<'a> = (&'a [f32], &'a Affine);

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
    let sums = sums::by_channel([x], x, channels, plane, |channel| Deviation {
        origin: origin(channel),
    });
    let count = (x.len() / channels) as f64;
    let finish = |(channel, sums): (usize, Sums<1>)| {
        let mean = sums.value / count;
        let variance = (sums.products[0] / count - mean * mean).max(0.0);
        ((f64::from(origin(channel)) + mean) as f32, variance as f32)
    };
    sums.into_iter().enumerate().map(finish).unzip()
}

/// `activation(Σ γᵢ · (xᵢ − meanᵢ) / stdᵢ + βᵢ)`.
pub fn forward<const N: usize>(terms: [Term; N], activation: Activation, channels: usize, plane: usize) -> Buffer {
    let mut out = Buffer::take(terms[0].0.len());
    let arch = Arch::new();
    let planes = out.par_chunks_exact_mut(plane).with_min_len(MIN_VALUES.div_ceil(plane));
    planes.enumerate().for_each(|(at, out)| {
        arch.dispatch(WriteResult {
            line: Line::new(terms, activation, at % channels),
            inputs: terms.map(|(x, _)| plane_of(x, at, plane)),
            out,
        });
    });
    out
}

/// The gradients of each input of the sum from the result's gradient. The terms hold the batch's own moments.
pub fn backward<const N: usize>(
    terms: [Term; N],
    activation: Activation,
    gradient: &[f32],
    plane: usize,
) -> [Gradients; N] {
    let channels = terms[0].1.mean.len();
    let sums = sums_of_gradients(terms, activation, gradient, plane);
    let arch = Arch::new();
    input_gradients(terms, &sums, plane, |at, slopes, out| {
        arch.dispatch(WriteGradients {
            line: Line::new(terms, activation, at % channels),
            slopes,
            inputs: terms.map(|(x, _)| plane_of(x, at, plane)),
            gradient: plane_of(gradient, at, plane),
            out,
        });
    })
}

/// Each channel's sums of the gradient `g` of the normalized sum, and of `g · (x − mean)`.
fn sums_of_gradients<const N: usize>(
    terms: [Term; N],
    activation: Activation,
    gradient: &[f32],
    plane: usize,
) -> Vec<Sums<N>> {
    let channels = terms[0].1.mean.len();
    sums::by_channel(terms.map(|(x, _)| x), gradient, channels, plane, |channel| {
        SumGradient {
            line: Line::new(terms, activation, channel),
            means: terms.map(|(_, affine)| affine.mean[channel]),
        }
    })
}

/// Plane `at` of all images' channels.
#[inline(always)]
fn plane_of(values: &[f32], at: usize, plane: usize) -> &[f32] {
    &values[at * plane..(at + 1) * plane]
}

/// All planes of `buffers`.
fn planes_of<const N: usize>(buffers: &mut [Buffer; N], plane: usize) -> Vec<[&mut [f32]; N]> {
    let count = buffers[0].len() / plane;
    let mut planes = buffers.each_mut().map(|buffer| buffer.chunks_exact_mut(plane));
    let mut next = || planes.each_mut().map(|planes| planes.next().expect("a plane"));
    (0..count).map(|_| next()).collect()
}

/// All gradients from the sums of `g` and `g · (x − mean)`. `write` writes the inputs' gradients of one plane.
fn input_gradients<const N: usize>(
    terms: [Term; N],
    sums: &[Sums<N>],
    plane: usize,
    write: impl Fn(usize, [Slope; N], [&mut [f32]; N]) + Sync,
) -> [Gradients; N] {
    let (size, channels) = (terms[0].0.len(), sums.len());
    let slopes = sums.iter().enumerate();
    let slopes = slopes.map(|(channel, sums)| Slope::new(terms, sums, size / channels, channel));
    let slopes: Vec<[Slope; N]> = slopes.collect();
    let mut out: [Buffer; N] = array::from_fn(|_| Buffer::take(size));
    let planes = planes_of(&mut out, plane).into_par_iter();
    let planes = planes.with_min_len(MIN_VALUES.div_ceil(plane));
    planes
        .enumerate()
        .for_each(|(at, out)| write(at, slopes[at % channels], out));
    let mut terms = terms.iter().enumerate();
    out.map(|x| {
        let (term, (_, affine)) = terms.next().expect("a term for each result");
        let gamma = |(sums, &inverse_std): (&Sums<N>, &f32)| (sums.products[term] * f64::from(inverse_std)) as f32;
        Gradients {
            x,
            gamma: sums.iter().zip(&affine.inverse_std).map(gamma).collect(),
            beta: sums.iter().map(|sums| sums.value as f32).collect(),
        }
    })
}

impl Affine {
    pub fn new(mean: Vec<f32>, variance: &[f32], epsilon: f64, gamma: Vec<f32>, beta: Vec<f32>) -> Self {
        let inverse_std = |&variance: &f32| (f64::from(variance) + epsilon).sqrt().recip() as f32;
        Self {
            mean,
            inverse_std: variance.iter().map(inverse_std).collect(),
            gamma,
            beta,
        }
    }

    fn scale(&self, channel: usize) -> f32 {
        self.gamma[channel] * self.inverse_std[channel]
    }

    fn shift(&self, channel: usize) -> f32 {
        self.beta[channel] - self.mean[channel] * self.scale(channel)
    }
}
