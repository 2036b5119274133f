//! Recurrent layers: their states from a zero state. ONNX stacks the weights of all gates.

use super::format::Attribute::{self, Floats, Int, Texts};
use super::graph::{Graph, Value};
use burn::nn::Linear;
use burn::tensor::Tensor;

/// A recurrent layer.
#[derive(Clone, Debug)]
pub struct RecurrentLayer<'a> {
    pub kind: RecurrentKind,
    /// The transformations of the input and of the state, for each gate in ONNX's order: LSTM input, output, forget,
    /// cell; GRU update, reset, hidden.
    pub gates: Vec<[&'a Linear; 2]>,
    pub gate_activation: GateActivation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecurrentKind {
    Lstm,
    /// Whether the reset gate multiplies the state's product, as in PyTorch, or the state before it, as in Keras 1.
    Gru {
        reset_after: bool,
    },
    /// A plain layer with tanh.
    Rnn,
}

/// The activation of the gates. That of the candidates and cells is tanh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateActivation {
    Sigmoid,
    /// `clip(0.2 x + 0.5, 0, 1)`.
    HardSigmoid,
}

impl Graph {
    /// The last hidden state, `[batch, hidden]`, after `steps`, `[batch, inputs, steps]`.
    pub fn last_hidden(&self, layer: &RecurrentLayer<'_>, steps: Value) -> Value {
        let last = self.recurrent(layer, steps, 1);
        self.squeeze(last, 0)
    }

    /// The hidden state after each of `steps`, `[batch, inputs, steps]` to `[batch, hidden, steps]`.
    pub fn hidden_states(&self, layer: &RecurrentLayer<'_>, steps: Value) -> Value {
        let states = self.squeeze(self.recurrent(layer, steps, 0), 1);
        self.permute(states, &[1, 2, 0])
    }

    /// Output 0 is `[steps, 1, batch, hidden]`, output 1 the last of these.
    fn recurrent(&self, layer: &RecurrentLayer<'_>, steps: Value, output: usize) -> Value {
        let operator = match layer.kind {
            RecurrentKind::Lstm => "LSTM",
            RecurrentKind::Gru { .. } => "GRU",
            RecurrentKind::Rnn => "RNN",
        };
        let layer_name = self.layer_name(layer);
        let [weight_ih, weight_hh] = [0, 1].map(|part| {
            let weights = layer.gates.iter().map(|gate| gate[part].weight.val().transpose());
            Tensor::cat(weights.collect(), 0).unsqueeze::<3>()
        });
        let biases = [0, 1].map(|part| layer.gates.iter().map(move |gate| bias(gate[part])));
        let biases = Tensor::cat(biases.into_iter().flatten().collect(), 0).unsqueeze::<2>();
        let hidden = weight_hh.dims()[2];
        let inputs = [
            self.permute(steps, &[2, 0, 1]),
            self.tensor(format!("{layer_name}.weight_ih"), weight_ih),
            self.tensor(format!("{layer_name}.weight_hh"), weight_hh),
            self.tensor(format!("{layer_name}.bias"), biases),
        ];
        let mut attributes = vec![("hidden_size", Int(hidden as i64))];
        attributes.extend(layer.attributes());
        self.node_with_output(operator, &inputs, attributes, output)
    }

    /// The layer's name, without that of the gate, its part and its weight.
    fn layer_name(&self, layer: &RecurrentLayer<'_>) -> &str {
        let weight = self.name(&layer.gates[0][0].weight);
        let parts = if layer.kind == RecurrentKind::Rnn { 2 } else { 3 };
        weight.rsplitn(parts + 1, '.').last().unwrap_or(weight)
    }
}

impl RecurrentLayer<'_> {
    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let mut attributes = Vec::new();
        if let RecurrentKind::Gru { reset_after } = self.kind {
            attributes.push(("linear_before_reset", Int(reset_after.into())));
        }
        if self.gate_activation == GateActivation::HardSigmoid {
            let mut activations = vec!["HardSigmoid", "Tanh"];
            if self.kind == RecurrentKind::Lstm {
                activations.push("Tanh");
            }
            attributes.push(("activations", Texts(activations)));
            attributes.push(("activation_alpha", Floats(vec![0.2])));
            attributes.push(("activation_beta", Floats(vec![0.5])));
        }
        attributes
    }
}

/// A layer's bias, or zeros.
fn bias(layer: &Linear) -> Tensor<1> {
    let weight = layer.weight.val();
    match &layer.bias {
        Some(bias) => bias.val(),
        None => Tensor::zeros([weight.dims()[1]], &weight.device()),
    }
}
