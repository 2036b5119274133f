//! A graph of operations: values, nodes that compute values from values, and weights.

use super::format::{self, Attribute};
use crate::models::{InputShape, Model, parameters};
use burn::module::{Param, ParamId};
use burn::tensor::Tensor;
use shared::runtime::protobuf::Message;
use std::cell::RefCell;
use std::collections::HashMap;

/// An input, the output of a node, or a constant of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(usize);

/// The graph of a model. Methods append a node and return its output.
#[derive(Debug)]
pub struct Graph {
    shape: InputShape,
    /// The names of the model's parameters in weight files.
    parameters: HashMap<ParamId, String>,
    /// The model's inputs, and their dimensions after the first.
    inputs: Vec<(Value, Vec<usize>)>,
    parts: RefCell<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    /// Names of the values.
    names: Vec<String>,
    nodes: Vec<Node>,
    constants: Vec<Message>,
}

#[derive(Debug)]
struct Node {
    operator: &'static str,
    inputs: Vec<Value>,
    output: Value,
    /// Outputs before this one, which are not computed.
    skipped: usize,
    attributes: Vec<(&'static str, Attribute)>,
}

impl Parts {
    /// Adds a value under a name that no other has.
    fn value(&mut self, name: String) -> Value {
        assert!(!self.names.contains(&name), "two values of the graph are named {name}");
        self.names.push(name);
        Value(self.names.len() - 1)
    }
}

impl Graph {
    /// A graph with the inputs of `model`, which was built for inputs of `shape`.
    pub fn new(model: &Model, shape: &InputShape) -> Self {
        let mut graph = Self {
            shape: *shape,
            parameters: parameters(model)
                .into_iter()
                .map(|parameter| (parameter.id, parameter.name))
                .collect(),
            inputs: Vec::new(),
            parts: RefCell::default(),
        };
        for (name, dimensions) in model.kind().description().input.shapes(shape) {
            let value = graph.parts.get_mut().value(name.to_owned());
            graph.inputs.push((value, dimensions));
        }
        graph
    }

    /// The shape of the inputs.
    pub fn shape(&self) -> &InputShape {
        &self.shape
    }

    /// `[batch, 1, samples]`.
    ///
    /// # Panics
    /// Panics if the model's `InputKind` has no waveform.
    pub fn waveform(&self) -> Value {
        self.input("waveform")
    }

    /// `[batch, 1, rows, columns]`.
    ///
    /// # Panics
    /// Panics if the model's `InputKind` has no spectrogram.
    pub fn spectrogram(&self) -> Value {
        self.input("spectrogram")
    }

    /// `[batch, values]`.
    ///
    /// # Panics
    /// Panics if the model's `InputKind` has no statistics.
    pub fn statistics(&self) -> Value {
        self.input("statistics")
    }

    fn input(&self, name: &str) -> Value {
        let parts = self.parts.borrow();
        let found = self.inputs.iter().find(|(value, _)| parts.names[value.0] == name);
        found.expect("a network uses only the inputs of its InputKind").0
    }

    /// Appends a node and returns its first output.
    pub(super) fn node(
        &self,
        operator: &'static str,
        inputs: &[Value],
        attributes: Vec<(&'static str, Attribute)>,
    ) -> Value {
        self.node_with_output(operator, inputs, attributes, 0)
    }

    /// Appends a node and returns its output after `skipped` others.
    pub(super) fn node_with_output(
        &self,
        operator: &'static str,
        inputs: &[Value],
        attributes: Vec<(&'static str, Attribute)>,
        skipped: usize,
    ) -> Value {
        let mut parts = self.parts.borrow_mut();
        let name = format!("{operator}_{}", parts.nodes.len());
        let output = parts.value(name);
        parts.nodes.push(Node {
            operator,
            inputs: inputs.to_vec(),
            output,
            skipped,
            attributes,
        });
        output
    }

    /// The name of a parameter of the model.
    pub(super) fn name<const D: usize>(&self, parameter: &Param<Tensor<D>>) -> &str {
        let name = self.parameters.get(&parameter.id);
        name.expect("the graph is of the model that the parameter is part of")
    }

    /// A parameter of the model, under its name in weight files.
    pub(super) fn parameter<const D: usize>(&self, parameter: &Param<Tensor<D>>) -> Value {
        self.tensor(self.name(parameter).to_owned(), parameter.val())
    }

    /// The values of a tensor.
    pub fn tensor<const D: usize>(&self, name: String, tensor: Tensor<D>) -> Value {
        let dimensions = tensor.dims();
        let values = tensor.into_data().try_to_vec::<f32>();
        let values = values.expect("parameters are f32 and in main memory");
        let mut parts = self.parts.borrow_mut();
        parts.constants.push(format::float_tensor(&name, &dimensions, &values));
        parts.value(name)
    }

    /// Values that are not parameters, in a shape; a single number without dimensions fits every shape.
    pub fn constant(&self, values: &[f32], dimensions: &[usize]) -> Value {
        let mut parts = self.parts.borrow_mut();
        let name = format!("constant_{}", parts.constants.len());
        parts.constants.push(format::float_tensor(&name, dimensions, values));
        parts.value(name)
    }

    /// A list of dimensions, axes or sizes.
    pub(super) fn integers(&self, values: &[i64]) -> Value {
        let mut parts = self.parts.borrow_mut();
        let name = format!("integers_{}", parts.constants.len());
        parts.constants.push(format::int_tensor(&name, values));
        parts.value(name)
    }

    /// The `GraphProto`. `outputs` are nodes' outputs, each with a name that replaces its own and its width.
    pub(super) fn finish(self, name: &str, outputs: &[(Value, &str, usize)]) -> Message {
        let Parts {
            mut names,
            nodes,
            constants,
        } = self.parts.into_inner();
        for &(value, name, _) in outputs {
            name.clone_into(&mut names[value.0]);
        }
        let mut graph = Message::new();
        for (at, node) in nodes.iter().enumerate() {
            let inputs = node.inputs.iter().map(|input| names[input.0].as_str());
            // An output that is not computed has no name.
            let outputs = std::iter::repeat_n("", node.skipped).chain([names[node.output.0].as_str()]);
            let name = format!("{}_{at}", node.operator);
            graph = graph.message(
                1,
                &format::node(node.operator, &name, inputs, outputs, &node.attributes),
            );
        }
        graph = graph.text(2, name);
        graph = constants.iter().fold(graph, |graph, tensor| graph.message(5, tensor));
        for (value, dimensions) in &self.inputs {
            graph = graph.message(11, &format::value(&names[value.0], dimensions));
        }
        for &(_, name, width) in outputs {
            graph = graph.message(12, &format::value(name, &[width]));
        }
        graph
    }
}
