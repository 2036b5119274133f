//! The steps of an LSTM.
//!
//! A step of Burn's tensor operations is a product of two small matrices and a dozen operations on a few thousand
//! values: more time goes into starting them than into arithmetic. Here a thread takes [`ROWS`] sequences through all
//! steps. The recurrent weights stay in its second-level cache.
//!
//! With `x` the step's inputs times their weights plus biases, and `h` and `c` zero before the first step:
//!
//! ```text
//! [i, f, o, g] = x + h · W
//! c = sigmoid(f) · c + sigmoid(i) · tanh(g)
//! h = sigmoid(o) · tanh(c)
//! ```
//!
//! Equations: PyTorch's `LSTM`, whose gates have another order.

mod activation;
pub mod backend;
#[cfg(feature = "gpu")]
mod device;
mod product;

use super::buffer::Buffer;
use activation::{sigmoid, tanh};
use product::{Matrix, PANEL, ROWS};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// The gates: input, forget, output and cell.
pub const GATES: usize = 4;

/// Sizes of an LSTM and its sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LstmShape {
    pub steps: usize,
    /// Sequences.
    pub batch: usize,
    /// Width of the hidden state.
    pub hidden: usize,
}

impl LstmShape {
    fn states(&self) -> usize {
        self.steps * self.batch * self.hidden
    }
}

/// The states that the backward pass needs.
#[derive(Debug)]
pub struct States {
    /// After their activations, `[steps, batch, gates, hidden]`.
    pub gates: Buffer,
    /// Before each step, `[steps, batch, hidden]`.
    pub cells: Buffer,
    /// The hidden state before each step, `[steps, batch, hidden]`.
    pub hidden: Buffer,
}

impl States {
    pub fn new(shape: &LstmShape) -> Self {
        Self {
            gates: Buffer::take(GATES * shape.states()),
            cells: Buffer::take(shape.states()),
            hidden: Buffer::take(shape.states()),
        }
    }
}

/// The last hidden state, `[batch, hidden]`, from `inputs`, `[steps, batch, gates, hidden]`, and recurrent weights,
/// `[hidden, gates, hidden]`.
pub fn forward(inputs: &[f32], weight: &[f32], shape: &LstmShape, states: Option<&mut States>) -> Vec<f32> {
    let (hidden, width) = (shape.hidden, GATES * shape.hidden);
    let weight = Matrix::new([hidden, width], |row, column| weight[row * width + column]);
    let mut out = vec![0.0; shape.batch * hidden];
    let mut groups: Vec<Forward> = out
        .chunks_mut(ROWS * hidden)
        .enumerate()
        .map(|(group, out)| Forward {
            inputs: steps_of_group(inputs, shape, width, group),
            weight: &weight,
            states: None,
            out,
        })
        .collect();
    if let Some(states) = states {
        let [gates, cells, before] = [
            steps_by_group(&mut states.gates, shape, width),
            steps_by_group(&mut states.cells, shape, hidden),
            steps_by_group(&mut states.hidden, shape, hidden),
        ];
        for (((group, gates), cells), before) in groups.iter_mut().zip(gates).zip(cells).zip(before) {
            group.states = Some([gates, cells, before]);
        }
    }
    let arch = Arch::new();
    groups.into_par_iter().for_each(|group| arch.dispatch(group));
    out
}

/// The gradient of the inputs, `[steps, batch, gates, hidden]`, from that of the last hidden state, `[batch, hidden]`, and
/// the gates and cells of [`States`].
pub fn backward(gradient: &[f32], weight: &[f32], shape: &LstmShape, [gates, cells]: [&[f32]; 2]) -> Buffer {
    let (hidden, width) = (shape.hidden, GATES * shape.hidden);
    let transposed = Matrix::new([width, hidden], |row, column| weight[column * width + row]);
    let mut out = Buffer::take(gates.len());
    let arch = Arch::new();
    steps_by_group(&mut out, shape, width)
        .into_par_iter()
        .zip(gradient.par_chunks(ROWS * hidden))
        .enumerate()
        .for_each(|(group, (out, gradient))| {
            arch.dispatch(Backward {
                gates: steps_of_group(gates, shape, width, group),
                cells: steps_of_group(cells, shape, hidden, group),
                weight: &transposed,
                gradient,
                out,
            });
        });
    out
}

/// The sequences of a group in each step of `[steps, batch, width]`.
fn steps_of_group<'a>(values: &'a [f32], shape: &LstmShape, width: usize, group: usize) -> Vec<&'a [f32]> {
    let sequences = group * ROWS..shape.batch.min((group + 1) * ROWS);
    let steps = values.chunks_exact(shape.batch * width);
    steps
        .map(|step| &step[sequences.start * width..sequences.end * width])
        .collect()
}

/// [`steps_of_group`] of all groups.
fn steps_by_group<'a>(values: &'a mut [f32], shape: &LstmShape, width: usize) -> Vec<Vec<&'a mut [f32]>> {
    let mut groups: Vec<Vec<_>> = (0..shape.batch.div_ceil(ROWS)).map(|_| Vec::new()).collect();
    for step in values.chunks_exact_mut(shape.batch * width) {
        for (group, part) in groups.iter_mut().zip(step.chunks_mut(ROWS * width)) {
            group.push(part);
        }
    }
    groups
}

/// The forward pass of one group of sequences.
struct Forward<'a> {
    inputs: Vec<&'a [f32]>,
    weight: &'a Matrix,
    /// Where gates, cells and hidden states are kept.
    states: Option<[Vec<&'a mut [f32]>; 3]>,
    /// The hidden state, zero before.
    out: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let hidden = self.weight.rows();
        let width = GATES * hidden;
        let mut state = vec![[0.0; ROWS]; hidden];
        let mut cells = vec![0.0; self.out.len()];
        // Missing rows of the last group are computed from zeros.
        let mut gates = vec![0.0; ROWS * width];
        for (step, inputs) in self.inputs.iter().enumerate() {
            gates[..inputs.len()].copy_from_slice(inputs);
            self.weight.add_product(simd, &state, &mut gates);
            if let Some([_, kept_cells, kept_hidden]) = &mut self.states {
                kept_cells[step].copy_from_slice(&cells);
                kept_hidden[step].copy_from_slice(self.out);
            }
            let rows = gates.chunks_exact_mut(width).zip(cells.chunks_exact_mut(hidden));
            for (row, ((gates, cells), out)) in rows.zip(self.out.chunks_exact_mut(hidden)).enumerate() {
                step_forward(simd, gates, cells, out);
                for (state, out) in state.iter_mut().zip(out) {
                    state[row] = *out;
                }
            }
            if let Some([kept_gates, ..]) = &mut self.states {
                kept_gates[step].copy_from_slice(&gates[..inputs.len()]);
            }
        }
    }
}

/// One step of one sequence. Replaces the gates' sums by the gates and the cell by the next one.
#[inline(always)]
fn step_forward<S: Simd>(simd: S, gates: &mut [f32], cells: &mut [f32], out: &mut [f32]) {
    let (cells, out) = (S::as_mut_simd_f32s(cells).0, S::as_mut_simd_f32s(out).0);
    let count = cells.len();
    let (input, gates) = S::as_mut_simd_f32s(gates).0.split_at_mut(count);
    let (forget, gates) = gates.split_at_mut(count);
    let (output, cell_gate) = gates.split_at_mut(count);
    for at in 0..count {
        input[at] = sigmoid(simd, input[at]);
        forget[at] = sigmoid(simd, forget[at]);
        output[at] = sigmoid(simd, output[at]);
        cell_gate[at] = tanh(simd, cell_gate[at]);
        cells[at] = next_cell(simd, [input[at], forget[at], cell_gate[at]], cells[at]);
        out[at] = simd.mul_f32s(output[at], tanh(simd, cells[at]));
    }
}

#[inline(always)]
fn next_cell<S: Simd>(simd: S, [input, forget, cell_gate]: [S::f32s; 3], cell: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(forget, cell, simd.mul_f32s(input, cell_gate))
}

/// The backward pass of one group of sequences.
struct Backward<'a> {
    gates: Vec<&'a [f32]>,
    cells: Vec<&'a [f32]>,
    /// Transposed.
    weight: &'a Matrix,
    /// Of the last hidden state.
    gradient: &'a [f32],
    /// Where the gradient of the inputs is written.
    out: Vec<&'a mut [f32]>,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.weight.rows();
        let hidden = width / GATES;
        let mut hidden_gradient = vec![0.0; ROWS * hidden];
        hidden_gradient[..self.gradient.len()].copy_from_slice(self.gradient);
        let mut cell_gradient = vec![0.0; ROWS * hidden];
        let mut transposed = vec![[0.0; ROWS]; width];
        let steps = self.gates.into_iter().zip(self.cells).zip(self.out);
        for ((gates, cells), out) in steps.rev() {
            let rows = gates.chunks_exact(width).zip(cells.chunks_exact(hidden));
            let gradients = hidden_gradient
                .chunks_exact(hidden)
                .zip(cell_gradient.chunks_exact_mut(hidden));
            let rows = rows.zip(gradients).zip(out.chunks_exact_mut(width));
            for (row, (((gates, cells), gradients), out)) in rows.enumerate() {
                step_backward(simd, gates, cells, gradients, out);
                for (transposed, out) in transposed.iter_mut().zip(out) {
                    transposed[row] = *out;
                }
            }
            hidden_gradient.fill(0.0);
            self.weight.add_product(simd, &transposed, &mut hidden_gradient);
        }
    }
}

/// The gradient of the gates' sums of one step and sequence. Replaces the gradient of the cell after the step by that of
/// the cell before it.
#[inline(always)]
fn step_backward<S: Simd>(
    simd: S,
    gates: &[f32],
    cells: &[f32],
    (hidden_gradient, cell_gradient): (&[f32], &mut [f32]),
    out: &mut [f32],
) {
    let cells = S::as_simd_f32s(cells).0;
    let count = cells.len();
    let hidden_gradient = &S::as_simd_f32s(hidden_gradient).0[..count];
    let cell_gradient = &mut S::as_mut_simd_f32s(cell_gradient).0[..count];
    let (input, gates) = S::as_simd_f32s(gates).0.split_at(count);
    let (forget, gates) = gates.split_at(count);
    let (output, cell_gate) = gates.split_at(count);
    let (input_out, out) = S::as_mut_simd_f32s(out).0.split_at_mut(count);
    let (forget_out, out) = out.split_at_mut(count);
    let (output_out, cell_gate_out) = out.split_at_mut(count);
    for at in 0..count {
        let [i, f, o, g] = [input[at], forget[at], output[at], cell_gate[at]];
        let activated = tanh(simd, next_cell(simd, [i, f, g], cells[at]));
        let through_output = simd.mul_f32s(hidden_gradient[at], o);
        let cell = simd.mul_add_e_f32s(through_output, tanh_slope(simd, activated), cell_gradient[at]);
        let gradient = simd.mul_f32s(cell, g);
        input_out[at] = simd.mul_f32s(gradient, sigmoid_slope(simd, i));
        let gradient = simd.mul_f32s(cell, cells[at]);
        forget_out[at] = simd.mul_f32s(gradient, sigmoid_slope(simd, f));
        let gradient = simd.mul_f32s(hidden_gradient[at], activated);
        output_out[at] = simd.mul_f32s(gradient, sigmoid_slope(simd, o));
        cell_gate_out[at] = simd.mul_f32s(simd.mul_f32s(cell, i), tanh_slope(simd, g));
        cell_gradient[at] = simd.mul_f32s(cell, f);
    }
}

/// The derivative of the sigmoid function where its value is `y`.
#[inline(always)]
fn sigmoid_slope<S: Simd>(simd: S, y: S::f32s) -> S::f32s {
    simd.sub_f32s(y, simd.mul_f32s(y, y))
}

/// The derivative of tanh where its value is `y`.
#[inline(always)]
fn tanh_slope<S: Simd>(simd: S, y: S::f32s) -> S::f32s {
    simd.sub_f32s(simd.splat_f32s(1.0), simd.mul_f32s(y, y))
}
