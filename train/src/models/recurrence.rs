//! Recurrent layers in few tensor operations.
//!
//! Burn's modules multiply each gate's weights with input and state separately: eight small matrix products per step of
//! an LSTM, and twice as many in the backward pass. Here the weights of all gates are concatenated, and the inputs of
//! all steps are multiplied at once, so a step is one product with the state. Where `kernels` has one, a kernel takes all
//! steps of an LSTM. Parameters, their names and gradients stay those of Burn's modules. Results are those of PyTorch's
//! `LSTM`, `GRU` and `RNN`.

use super::onnx::{GateActivation, Graph, RecurrentKind, RecurrentLayer, Value};
use burn::module::{Initializer, Module};
use burn::nn::{GateController, Gru, GruConfig, Linear, LinearConfig, Lstm, LstmConfig};
use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Device, Tensor};

/// A recurrent layer whose initial state is zero.
pub trait Recurrence: Module {
    /// Newly initialized weights with PyTorch's distribution.
    fn init(inputs: usize, hidden: usize, device: &Device) -> Self;

    /// The last hidden state, `[batch, hidden]`, after `steps`, `[batch, inputs, steps]`.
    fn last_hidden(&self, steps: Tensor<3>) -> Tensor<2>;

    /// The nodes of [`last_hidden`](Self::last_hidden).
    fn last_hidden_nodes(&self, graph: &Graph, steps: Value) -> Value;
}

impl Recurrence for Lstm {
    fn init(inputs: usize, hidden: usize, device: &Device) -> Self {
        let config = LstmConfig::new(inputs, hidden, true);
        config.with_initializer(pytorch(hidden)).init(device)
    }

    fn last_hidden(&self, steps: Tensor<3>) -> Tensor<2> {
        last_hidden(self, steps)
    }

    fn last_hidden_nodes(&self, graph: &Graph, steps: Value) -> Value {
        let forget_gate = self.forget_gate.as_ref().expect("gates are not coupled");
        let gates = [&self.input_gate, &self.output_gate, forget_gate, &self.cell_gate];
        let layer = RecurrentLayer {
            kind: RecurrentKind::Lstm,
            gates: gates.map(parts).to_vec(),
            gate_activation: GateActivation::Sigmoid,
        };
        graph.last_hidden(&layer, steps)
    }
}

impl Recurrence for Gru {
    fn init(inputs: usize, hidden: usize, device: &Device) -> Self {
        let config = GruConfig::new(inputs, hidden, true).with_reset_after(true);
        config.with_initializer(pytorch(hidden)).init(device)
    }

    fn last_hidden(&self, steps: Tensor<3>) -> Tensor<2> {
        gru_states(self, steps)
            .pop()
            .expect("a model's shape gives at least one step")
    }

    fn last_hidden_nodes(&self, graph: &Graph, steps: Value) -> Value {
        graph.last_hidden(&gru_layer(self), steps)
    }
}

/// Elman's recurrent layer: `tanh(W·x + b + U·h + c)`.
#[derive(Module, Debug)]
pub struct Rnn {
    input_transform: Linear,
    hidden_transform: Linear,
}

impl Recurrence for Rnn {
    fn init(inputs: usize, hidden: usize, device: &Device) -> Self {
        let linear = |inputs| {
            let config = LinearConfig::new(inputs, hidden);
            config.with_initializer(pytorch(hidden)).init(device)
        };
        Self {
            input_transform: linear(inputs),
            hidden_transform: linear(hidden),
        }
    }

    fn last_hidden(&self, steps: Tensor<3>) -> Tensor<2> {
        let input_layer = concatenate([&self.input_transform]);
        let (weight, bias) = concatenate([&self.hidden_transform]);
        let (batch, device) = (steps.dims()[0], steps.device());
        let mut hidden = Tensor::zeros([batch, bias.dims()[1]], &device);
        for from_input in split_steps(project_inputs(input_layer, steps)) {
            hidden = tanh(from_input + hidden.matmul(weight.clone()) + bias.clone());
        }
        hidden
    }

    fn last_hidden_nodes(&self, graph: &Graph, steps: Value) -> Value {
        let layer = RecurrentLayer {
            kind: RecurrentKind::Rnn,
            gates: vec![[&self.input_transform, &self.hidden_transform]],
            gate_activation: GateActivation::Sigmoid,
        };
        graph.last_hidden(&layer, steps)
    }
}

/// PyTorch's initialization: uniform within ±1 / √hidden.
fn pytorch(hidden: usize) -> Initializer {
    let bound = 1.0 / (hidden as f64).sqrt();
    Initializer::Uniform {
        min: -bound,
        max: bound,
    }
}

/// Concatenates layers with the same input: weights `[inputs, layers · outputs]` and biases `[1, layers · outputs]`.
pub(super) fn concatenate<const N: usize>(layers: [&Linear; N]) -> (Tensor<2>, Tensor<2>) {
    let weights = layers.map(|layer| layer.weight.val()).to_vec();
    let biases = layers.map(|layer| layer.bias.as_ref().expect("a bias").val()).to_vec();
    (Tensor::cat(weights, 1), Tensor::<1>::cat(biases, 0).unsqueeze())
}

/// `input · weight + bias` for each step from one matrix product: `[batch, inputs, steps]` to `[steps, batch, outputs]`.
pub(super) fn project_inputs((weight, bias): (Tensor<2>, Tensor<2>), steps: Tensor<3>) -> Tensor<3> {
    let ([batch, inputs, count], [_, outputs]) = (steps.dims(), weight.dims());
    // Steps first, so each step is contiguous in memory.
    let rows = steps.permute([2, 0, 1]).reshape([count * batch, inputs]);
    (rows.matmul(weight) + bias).reshape([count, batch, outputs])
}

/// Splits `[steps, batch, values]` into its steps. In the backward pass, each part's gradient is added to a tensor of
/// zeros as large as the tensor that was split. Splitting into groups of steps first keeps these tensors small.
pub(super) fn split_steps(sequence: Tensor<3>) -> impl Iterator<Item = Tensor<2>> {
    let run = sequence.dims()[0].isqrt().max(1);
    let runs = sequence.split(run, 0).into_iter();
    runs.flat_map(|run| run.split(1, 0)).map(|step| step.squeeze_dim(0))
}

/// The hidden state, `[batch, hidden]`, after each of `steps`, `[batch, inputs, steps]`. `gru` must be PyTorch's
/// variant: with biases, without clipping, with sigmoid gates and tanh, and the reset gate applied after the product.
pub fn gru_states(gru: &Gru, steps: Tensor<3>) -> Vec<Tensor<2>> {
    let (size, [batch, ..], device) = (gru.d_hidden, steps.dims(), steps.device());
    let gates = [&gru.reset_gate, &gru.update_gate, &gru.new_gate];
    let input_layer = concatenate(gates.map(|gate| &gate.input_transform));
    let (weight, bias) = concatenate(gates.map(|gate| &gate.hidden_transform));
    let mut hidden = Tensor::zeros([batch, size], &device);
    let mut states = Vec::with_capacity(steps.dims()[2]);
    for from_input in split_steps(project_inputs(input_layer, steps)) {
        let from_state = hidden.clone().matmul(weight.clone()) + bias.clone();
        let gates = sigmoid(from_input.clone().narrow(1, 0, 2 * size) + from_state.clone().narrow(1, 0, 2 * size));
        let (reset, update) = (gates.clone().narrow(1, 0, size), gates.narrow(1, size, size));
        let candidate = tanh(from_input.narrow(1, 2 * size, size) + reset * from_state.narrow(1, 2 * size, size));
        // (1 - z) · n + z · h
        hidden = candidate.clone() + update * (hidden - candidate);
        states.push(hidden.clone());
    }
    states
}

/// The nodes of [`gru_states`], whose states are one tensor, `[batch, hidden, steps]`.
pub fn gru_states_nodes(gru: &Gru, graph: &Graph, steps: Value) -> Value {
    graph.hidden_states(&gru_layer(gru), steps)
}

fn gru_layer(gru: &Gru) -> RecurrentLayer<'_> {
    RecurrentLayer {
        kind: RecurrentKind::Gru { reset_after: true },
        gates: [&gru.update_gate, &gru.reset_gate, &gru.new_gate].map(parts).to_vec(),
        gate_activation: GateActivation::Sigmoid,
    }
}

fn parts(gate: &GateController) -> [&Linear; 2] {
    [&gate.input_transform, &gate.hidden_transform]
}

/// The last hidden state, `[batch, hidden]`, after `steps`, `[batch, inputs, steps]`, from a zero state. `lstm` must be
/// forward, with biases, without clipping, with sigmoid gates and tanh.
fn last_hidden(lstm: &Lstm, steps: Tensor<3>) -> Tensor<2> {
    let forget_gate = lstm.forget_gate.as_ref().expect("gates are not coupled");
    let gates = [&lstm.input_gate, forget_gate, &lstm.output_gate, &lstm.cell_gate];
    let (input_weight, input_bias) = concatenate(gates.map(|gate: &GateController| &gate.input_transform));
    let (weight, bias) = concatenate(gates.map(|gate: &GateController| &gate.hidden_transform));

    let ([batch, ..], hidden_size, device) = (steps.dims(), lstm.d_hidden, steps.device());
    let inputs = project_inputs((input_weight, input_bias + bias), steps);
    if let Some(hidden) = kernels::lstm(&inputs, &weight) {
        return hidden;
    }
    let mut hidden = Tensor::zeros([batch, hidden_size], &device);
    let mut cell = hidden.clone();
    for from_input in split_steps(inputs) {
        let sums = from_input + hidden.matmul(weight.clone());
        let gates = sigmoid(sums.clone().narrow(1, 0, 3 * hidden_size));
        let [input, forget, output] = [0, 1, 2].map(|at| gates.clone().narrow(1, at * hidden_size, hidden_size));
        let candidate = tanh(sums.narrow(1, 3 * hidden_size, hidden_size));
        cell = forget * cell + input * candidate;
        hidden = output * tanh(cell.clone());
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::{ModuleVisitor, Param};
    use burn::optim::GradientsParams;
    use burn::tensor::Distribution;

    /// Compares gradients parameter by parameter, and counts the parameters.
    struct Compare<'a>(&'a GradientsParams, &'a GradientsParams, usize);

    impl ModuleVisitor for Compare<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let gradient = |gradients: &GradientsParams| gradients.get::<D>(parameter.id).expect("a gradient");
            let difference = (gradient(self.0) - gradient(self.1)).abs().max().into_scalar::<f32>();
            assert!(difference < 1e-5, "{difference}");
            self.2 += 1;
        }
    }

    /// Compares two ways to compute `[batch, hidden]` from `[batch, inputs, steps]`: results, gradients of the steps,
    /// and gradients of the `parameters` parameters of `module`.
    fn compare<M: Module>(
        module: &M,
        parameters: usize,
        ours: impl Fn(Tensor<3>) -> Tensor<2>,
        plain: impl Fn(Tensor<3>) -> Tensor<2>,
    ) {
        let device = Device::flex().autodiff();
        for count in [1, 2, 11] {
            let steps = Tensor::<3>::random([3, 5, count], Distribution::Normal(0.0, 1.0), &device).require_grad();
            let (ours, plain) = (ours(steps.clone()), plain(steps.clone()));
            let cost = Tensor::<2>::random(ours.dims(), Distribution::Normal(0.0, 1.0), &device);
            let difference = (ours.clone() - plain.clone()).abs().max().into_scalar::<f32>();
            assert!(difference < 1e-6, "{difference}");
            let [(ours, our_input), (plain, plain_input)] = [ours, plain].map(|hidden| {
                let gradients = (hidden * cost.clone()).sum().backward();
                let input_gradient = steps.grad(&gradients).expect("a gradient");
                (GradientsParams::from_grads(gradients, module), input_gradient)
            });
            assert!((our_input - plain_input).abs().max().into_scalar::<f32>() < 1e-5);
            let mut compare = Compare(&ours, &plain, 0);
            module.visit(&mut compare);
            assert_eq!(compare.2, parameters);
        }
    }

    #[test]
    fn lstm_states_and_gradients_match_burn() {
        // The kernel needs a multiple of 32.
        for hidden in [7, 32] {
            let lstm = Lstm::init(5, hidden, &Device::flex().autodiff());
            let plain = |steps: Tensor<3>| lstm.forward(steps.swap_dims(1, 2), None).1.hidden;
            // Four gates of two weights and two biases.
            compare(&lstm, 16, |steps| lstm.last_hidden(steps), plain);
        }
    }

    #[test]
    fn gru_states_and_gradients_match_burn() {
        let gru = Gru::init(5, 7, &Device::flex().autodiff());
        let plain = |steps: Tensor<3>| gru.forward(steps.swap_dims(1, 2), None);
        // Three gates of two weights and two biases.
        compare(
            &gru,
            12,
            |steps| gru.last_hidden(steps),
            |steps| {
                let count = steps.dims()[2];
                plain(steps).narrow(1, count - 1, 1).squeeze_dim(1)
            },
        );
        // All states.
        compare(
            &gru,
            12,
            |steps| Tensor::cat(gru_states(&gru, steps), 1),
            |steps| plain(steps).flatten(1, 2),
        );
    }

    #[test]
    fn rnn_states_and_gradients_match_a_plain_loop() {
        let rnn = Rnn::init(5, 7, &Device::flex().autodiff());
        let plain = |steps: Tensor<3>| {
            let mut hidden = Tensor::zeros([3, 7], &steps.device());
            for step in steps.iter_dim(2) {
                let input = rnn.input_transform.forward(step.squeeze_dim(2));
                hidden = tanh(input + rnn.hidden_transform.forward(hidden));
            }
            hidden
        };
        compare(&rnn, 4, |steps| rnn.last_hidden(steps), plain);
    }

    #[test]
    fn new_weights_have_pytorchs_range() {
        struct Largest(f32);
        impl ModuleVisitor for Largest {
            fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
                self.0 = self.0.max(parameter.val().abs().max().into_scalar::<f32>());
            }
        }
        let device = Device::flex();
        let largest = |module: &dyn Fn(&mut Largest)| {
            let mut largest = Largest(0.0);
            module(&mut largest);
            largest.0
        };
        for largest in [
            largest(&|visitor| Rnn::init(9, 64, &device).visit(visitor)),
            largest(&|visitor| Gru::init(9, 64, &device).visit(visitor)),
            largest(&|visitor| Lstm::init(9, 64, &device).visit(visitor)),
        ] {
            // 1 / √64, whatever the number of inputs.
            assert!((0.12..=0.125).contains(&largest), "{largest}");
        }
    }
}
