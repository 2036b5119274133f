//! The GRU and LSTM of Keras 1 and of Keras 2 before 2.3.
//!
//! They differ from PyTorch's in three ways. Each gate has one bias. The gates' activation is the hard sigmoid,
//! `clip(0.2 x + 0.5, 0, 1)`. The GRU's reset gate multiplies the state before its matrix product. Weights are
//! initialized as in Keras: Glorot uniform for the input, orthogonal for the state, zero biases.

use super::keras;
use super::onnx::{GateActivation, Graph, RecurrentKind, RecurrentLayer, Value};
use super::recurrence::{concatenate, project_inputs, split_steps};
use burn::module::{Initializer, Module};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor};

/// `input · W + state · U + b`, before the activation.
#[derive(Module, Debug)]
struct Gate {
    input: Linear,
    state: Linear,
}

impl Gate {
    fn new(inputs: usize, hidden: usize, device: &Device) -> Self {
        let state = LinearConfig::new(hidden, hidden).with_bias(false);
        Self {
            input: keras::dense(inputs, hidden, device),
            state: state.with_initializer(ORTHOGONAL).init(device),
        }
    }

    fn parts(&self) -> [&Linear; 2] {
        [&self.input, &self.state]
    }
}

const ORTHOGONAL: Initializer = Initializer::Orthogonal { gain: 1.0 };

/// `h = z · h + (1 - z) · tanh(x · W + (r · h) · U + b)`.
#[derive(Module, Debug)]
pub struct KerasGru {
    update_gate: Gate,
    reset_gate: Gate,
    new_gate: Gate,
}

impl KerasGru {
    pub fn new(inputs: usize, hidden: usize, device: &Device) -> Self {
        let gate = || Gate::new(inputs, hidden, device);
        Self {
            update_gate: gate(),
            reset_gate: gate(),
            new_gate: gate(),
        }
    }

    /// The state, `[batch, hidden]`, after each of `steps`, `[batch, inputs, steps]`, from a zero state.
    pub fn states(&self, steps: Tensor<3>) -> Vec<Tensor<2>> {
        let ([batch, ..], device) = (steps.dims(), steps.device());
        let input_layer = concatenate([&self.update_gate.input, &self.reset_gate.input, &self.new_gate.input]);
        let gates_weight = Tensor::cat(state_weights([&self.update_gate, &self.reset_gate]), 1);
        let new_weight = self.new_gate.state.weight.val();
        let size = new_weight.dims()[0];
        let mut hidden = Tensor::zeros([batch, size], &device);
        let mut states = Vec::with_capacity(steps.dims()[2]);
        for from_input in split_steps(project_inputs(input_layer, steps)) {
            let gates = from_input.clone().narrow(1, 0, 2 * size) + hidden.clone().matmul(gates_weight.clone());
            let gates = hard_sigmoid(gates);
            let (update, reset) = (gates.clone().narrow(1, 0, size), gates.narrow(1, size, size));
            let from_state = (reset * hidden.clone()).matmul(new_weight.clone());
            let candidate = tanh(from_input.narrow(1, 2 * size, size) + from_state);
            hidden = candidate.clone() + update * (hidden - candidate);
            states.push(hidden.clone());
        }
        states
    }

    /// The last state, `[batch, hidden]`.
    pub fn last_state(&self, steps: Tensor<3>) -> Tensor<2> {
        self.states(steps)
            .pop()
            .expect("a model's shape gives at least one step")
    }

    /// The nodes of [`states`](Self::states), which are one tensor, `[batch, hidden, steps]`.
    pub fn states_nodes(&self, graph: &Graph, steps: Value) -> Value {
        graph.hidden_states(&self.layer(), steps)
    }

    /// The nodes of [`last_state`](Self::last_state).
    pub fn last_state_nodes(&self, graph: &Graph, steps: Value) -> Value {
        graph.last_hidden(&self.layer(), steps)
    }

    fn layer(&self) -> RecurrentLayer<'_> {
        let gates = [&self.update_gate, &self.reset_gate, &self.new_gate];
        RecurrentLayer {
            kind: RecurrentKind::Gru { reset_after: false },
            gates: gates.map(Gate::parts).to_vec(),
            gate_activation: GateActivation::HardSigmoid,
        }
    }
}

/// An LSTM with Keras' initial bias of 1 for the forget gate.
#[derive(Module, Debug)]
pub struct KerasLstm {
    input_gate: Gate,
    forget_gate: Gate,
    output_gate: Gate,
    cell_gate: Gate,
}

impl KerasLstm {
    pub fn new(inputs: usize, hidden: usize, device: &Device) -> Self {
        let gate = || Gate::new(inputs, hidden, device);
        let mut forget_gate = gate();
        forget_gate.input.bias = Some(Initializer::Ones.init([hidden], device));
        Self {
            input_gate: gate(),
            forget_gate,
            output_gate: gate(),
            cell_gate: gate(),
        }
    }

    /// The last hidden state, `[batch, hidden]`, after `steps`, `[batch, inputs, steps]`, from a zero state.
    pub fn last_hidden(&self, steps: Tensor<3>) -> Tensor<2> {
        let ([batch, ..], device) = (steps.dims(), steps.device());
        let gates = [&self.input_gate, &self.forget_gate, &self.output_gate, &self.cell_gate];
        let weight = Tensor::cat(state_weights(gates), 1);
        let size = weight.dims()[0];
        let mut hidden = Tensor::zeros([batch, size], &device);
        let mut cell = hidden.clone();
        for from_input in split_steps(project_inputs(concatenate(gates.map(|gate| &gate.input)), steps)) {
            let sums = from_input + hidden.matmul(weight.clone());
            let gates = hard_sigmoid(sums.clone().narrow(1, 0, 3 * size));
            let [input, forget, output] = [0, 1, 2].map(|at| gates.clone().narrow(1, at * size, size));
            cell = forget * cell + input * tanh(sums.narrow(1, 3 * size, size));
            hidden = output * tanh(cell.clone());
        }
        hidden
    }

    /// The nodes of [`last_hidden`](Self::last_hidden).
    pub fn last_hidden_nodes(&self, graph: &Graph, steps: Value) -> Value {
        let gates = [&self.input_gate, &self.output_gate, &self.forget_gate, &self.cell_gate];
        let layer = RecurrentLayer {
            kind: RecurrentKind::Lstm,
            gates: gates.map(Gate::parts).to_vec(),
            gate_activation: GateActivation::HardSigmoid,
        };
        graph.last_hidden(&layer, steps)
    }
}

fn state_weights<const N: usize>(gates: [&Gate; N]) -> Vec<Tensor<2>> {
    gates.map(|gate| gate.state.weight.val()).to_vec()
}

fn hard_sigmoid(x: Tensor<2>) -> Tensor<2> {
    (x * 0.2 + 0.5).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    const INPUTS: usize = 5;
    const HIDDEN: usize = 4;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    /// `x · W + h · U + b` of one clip, in plain arithmetic.
    fn sums(gate: &Gate, x: &[f32], h: &[f32]) -> Vec<f32> {
        let (w, u) = (values(gate.input.weight.val()), values(gate.state.weight.val()));
        let b = values(gate.input.bias.as_ref().unwrap().val());
        let column = |weights: &[f32], input: &[f32], at: usize| -> f32 {
            input
                .iter()
                .enumerate()
                .map(|(row, value)| value * weights[row * HIDDEN + at])
                .sum()
        };
        (0..HIDDEN)
            .map(|at| column(&w, x, at) + column(&u, h, at) + b[at])
            .collect()
    }

    fn gate_of(sums: Vec<f32>) -> Vec<f32> {
        sums.into_iter().map(|sum| (0.2 * sum + 0.5).clamp(0.0, 1.0)).collect()
    }

    /// Inputs that are large enough to saturate some gates, step by step for each of two clips.
    fn steps(device: &Device) -> (Tensor<3>, [Vec<Vec<f32>>; 2]) {
        let steps = Tensor::<3>::random([2, INPUTS, 7], Distribution::Normal(0.0, 4.0), device);
        let plain = [0, 1].map(|clip| {
            let clip = steps.clone().narrow(0, clip, 1).squeeze_dim::<2>(0).transpose();
            values(clip).chunks(INPUTS).map(<[f32]>::to_vec).collect()
        });
        (steps, plain)
    }

    fn assert_close(found: Tensor<2>, expected: [Vec<f32>; 2]) {
        for (found, expected) in values(found).iter().zip(expected.concat()) {
            assert!((found - expected).abs() < 1e-5, "{found} and {expected}");
        }
    }

    #[test]
    fn gru_matches_plain_arithmetic() {
        let device = Device::flex();
        let mut gru = KerasGru::new(INPUTS, HIDDEN, &device);
        gru.reset_gate.input.bias = Some(NONZERO.init([HIDDEN], &device));
        let (steps, clips) = steps(&device);
        let expected = clips.map(|clip| {
            clip.iter().fold(vec![0.0; HIDDEN], |h, x| {
                let (z, r) = (
                    gate_of(sums(&gru.update_gate, x, &h)),
                    gate_of(sums(&gru.reset_gate, x, &h)),
                );
                let reset: Vec<f32> = r.iter().zip(&h).map(|(r, h)| r * h).collect();
                let candidate = sums(&gru.new_gate, x, &reset);
                let new = |at: usize| z[at] * h[at] + (1.0 - z[at]) * candidate[at].tanh();
                (0..HIDDEN).map(new).collect()
            })
        });
        assert_close(gru.last_state(steps), expected);
    }

    /// Biases other than zero.
    const NONZERO: Initializer = Initializer::Constant { value: 0.7 };

    #[test]
    fn lstm_matches_plain_arithmetic() {
        let device = Device::flex();
        let lstm = KerasLstm::new(INPUTS, HIDDEN, &device);
        let (steps, clips) = steps(&device);
        let expected = clips.map(|clip| {
            let start = (vec![0.0; HIDDEN], vec![0.0; HIDDEN]);
            let last = clip.iter().fold(start, |(h, c), x| {
                let [input, forget, output] =
                    [&lstm.input_gate, &lstm.forget_gate, &lstm.output_gate].map(|gate| gate_of(sums(gate, x, &h)));
                let candidate = sums(&lstm.cell_gate, x, &h);
                let cell = |at: usize| forget[at] * c[at] + input[at] * candidate[at].tanh();
                let c: Vec<f32> = (0..HIDDEN).map(cell).collect();
                ((0..HIDDEN).map(|at| output[at] * c[at].tanh()).collect(), c)
            });
            last.0
        });
        assert_close(lstm.last_hidden(steps), expected);
        assert_eq!(values(lstm.forget_gate.input.bias.unwrap().val()), [1.0; HIDDEN]);
    }

    #[test]
    fn new_state_weights_are_orthogonal() {
        let gate = Gate::new(INPUTS, HIDDEN, &Device::flex());
        let weight = gate.state.weight.val();
        let product = weight.clone().transpose().matmul(weight);
        let error = (product - Tensor::eye(HIDDEN, &Device::flex()))
            .abs()
            .max()
            .into_scalar::<f32>();
        assert!(error < 1e-5, "{error}");
    }
}
