//! What an LSTM remembers of a sequence, in few operations.
//!
//! Burn's `Lstm` multiplies each gate's weights with input and state on their own: eight small matrix products a step,
//! and twice as many on the way back. Here the four gates' weights stand side by side, and input and state too, so a
//! step is one product. The parameters, their names and their gradients stay those of Burn's module.

use burn::nn::{GateController, Linear, Lstm};
use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Tensor, s};

/// The last hidden state, `[batch, hidden]`, after `steps`, `[batch, inputs, steps]`, from an empty one. `lstm` must be a
/// plain one: forward, with biases, without clipping, sigmoid gates and hyperbolic tangents.
pub fn last_hidden(lstm: &Lstm, steps: Tensor<3>) -> Tensor<2> {
    let forget_gate = lstm.forget_gate.as_ref().expect("gates are not coupled");
    let gates = [&lstm.input_gate, forget_gate, &lstm.output_gate, &lstm.cell_gate];
    let side_by_side = |part: fn(&GateController) -> &Linear| {
        let weights = gates.iter().map(|gate| part(gate).weight.val()).collect();
        let biases = gates
            .iter()
            .map(|gate| part(gate).bias.as_ref().expect("a bias").val())
            .collect();
        (Tensor::<2>::cat(weights, 1), Tensor::<1>::cat(biases, 0))
    };
    let (of_input, input_bias) = side_by_side(|gate| &gate.input_transform);
    let (of_state, state_bias) = side_by_side(|gate| &gate.hidden_transform);
    let weight = Tensor::cat(vec![of_input, of_state], 0);
    let bias = (input_bias + state_bias).unsqueeze::<2>();

    let ([batch, _, count], hidden_size, device) = (steps.dims(), lstm.d_hidden, steps.device());
    // Steps first, so that each is one piece of memory.
    let steps = steps.permute([2, 0, 1]);
    let mut hidden = Tensor::zeros([batch, hidden_size], &device);
    let mut cell = hidden.clone();
    for step in 0..count {
        let input = steps.clone().slice(s![step..step + 1]).squeeze_dim::<2>(0);
        let sums = Tensor::cat(vec![input, hidden], 1).matmul(weight.clone()) + bias.clone();
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
    use burn::module::{Module, ModuleVisitor, Param};
    use burn::nn::LstmConfig;
    use burn::optim::GradientsParams;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn states_and_gradients_are_those_of_burns_module() {
        struct Compare<'a>(&'a GradientsParams, &'a GradientsParams, usize);
        impl ModuleVisitor for Compare<'_> {
            fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
                let gradient = |of: &GradientsParams| of.get::<D>(parameter.id).expect("a gradient");
                let difference = (gradient(self.0) - gradient(self.1)).abs().max().into_scalar::<f32>();
                assert!(difference < 1e-5, "{difference}");
                self.2 += 1;
            }
        }
        let device = Device::flex().autodiff();
        let lstm = LstmConfig::new(5, 7, true).init(&device);
        let steps = Tensor::<3>::random([3, 5, 11], Distribution::Normal(0.0, 1.0), &device).require_grad();
        let cost = Tensor::<2>::random([3, 7], Distribution::Normal(0.0, 1.0), &device);
        let ours = last_hidden(&lstm, steps.clone());
        let (_, state) = lstm.forward(steps.clone().swap_dims(1, 2), None);
        let difference = (ours.clone() - state.hidden.clone()).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-6, "{difference}");
        let [(ours, our_input), (burns, burns_input)] = [ours, state.hidden].map(|hidden| {
            let gradients = (hidden * cost.clone()).sum().backward();
            let of_input = steps.grad(&gradients).expect("a gradient");
            (GradientsParams::from_grads(gradients, &lstm), of_input)
        });
        assert!((our_input - burns_input).abs().max().into_scalar::<f32>() < 1e-5);
        let mut compare = Compare(&ours, &burns, 0);
        lstm.visit(&mut compare);
        // Four gates of two weights and two biases.
        assert_eq!(compare.2, 16);
    }
}
