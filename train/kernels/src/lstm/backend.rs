//! The backends that have kernels for the steps of an LSTM.

use super::{GATES, LstmShape, PANEL, States, backward, forward};
use crate::{Plain, primitive, values};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, FlexDevice};

pub trait LstmBackend: Backend {
    /// Whether there is a kernel for this shape.
    fn has_lstm(device: &Self::Device, shape: &LstmShape) -> bool;

    /// The last hidden state, `[batch, hidden]`, from `inputs`, `[steps, batch, gates · hidden]`, and recurrent weights,
    /// `[hidden, gates · hidden]`.
    fn lstm(inputs: FloatTensor<Self>, weight: FloatTensor<Self>, shape: &LstmShape) -> FloatTensor<Self> {
        Self::lstm_states(inputs, weight, shape).0
    }

    /// [`lstm`](Self::lstm), and the states that the backward pass needs.
    fn lstm_states(
        inputs: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        shape: &LstmShape,
    ) -> (FloatTensor<Self>, LstmStates<Self>);

    /// The gradient of the inputs, `[steps · batch, gates · hidden]`, from that of the last hidden state, `[batch, hidden]`.
    fn lstm_backward(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gates_and_cells: [FloatTensor<Self>; 2],
        shape: &LstmShape,
    ) -> FloatTensor<Self>;
}

/// [`States`] as tensors, with a row for each step and sequence.
#[derive(Clone, Debug)]
pub struct LstmStates<B: Backend> {
    /// `[steps · batch, gates · hidden]`.
    pub gates: FloatTensor<B>,
    /// `[steps · batch, hidden]`.
    pub cells: FloatTensor<B>,
    /// `[steps · batch, hidden]`.
    pub hidden: FloatTensor<B>,
}

impl LstmBackend for Flex {
    /// The hidden state must consist of whole vectors.
    fn has_lstm(_: &FlexDevice, shape: &LstmShape) -> bool {
        shape.states() > 0 && shape.hidden.is_multiple_of(PANEL)
    }

    fn lstm(inputs: Plain, weight: Plain, shape: &LstmShape) -> Plain {
        let [inputs, weight] = [inputs, weight].map(|tensor| tensor.to_contiguous());
        let out = forward(values(&inputs), values(&weight), shape, None);
        primitive(out, [shape.batch, shape.hidden])
    }

    fn lstm_states(inputs: Plain, weight: Plain, shape: &LstmShape) -> (Plain, LstmStates<Self>) {
        let [inputs, weight] = [inputs, weight].map(|tensor| tensor.to_contiguous());
        let mut states = States::new(shape);
        let out = forward(values(&inputs), values(&weight), shape, Some(&mut states));
        let rows = shape.steps * shape.batch;
        let states = LstmStates {
            gates: primitive(states.gates, [rows, GATES * shape.hidden]),
            cells: primitive(states.cells, [rows, shape.hidden]),
            hidden: primitive(states.hidden, [rows, shape.hidden]),
        };
        (primitive(out, [shape.batch, shape.hidden]), states)
    }

    fn lstm_backward(gradient: Plain, weight: Plain, gates_and_cells: [Plain; 2], shape: &LstmShape) -> Plain {
        let [gradient, weight] = [gradient, weight].map(|tensor| tensor.to_contiguous());
        let states = gates_and_cells.each_ref().map(values);
        let out = backward(values(&gradient), values(&weight), shape, states);
        primitive(out, [shape.steps * shape.batch, GATES * shape.hidden])
    }
}
