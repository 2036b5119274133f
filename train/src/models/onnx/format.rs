//! The messages of an ONNX file as protocol buffers, with only the fields that exported models need.
//!
//! Source of the field numbers: `onnx/onnx.proto`.

use shared::runtime::protobuf::Message;

/// Version of the format, which belongs to the opset.
const IR_VERSION: i64 = 8;
/// Version of the operators.
pub const OPSET: i64 = 18;

/// `TensorProto.DataType`.
const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// The first dimension of every input and output: its name, because its size is free.
pub const BATCH: &str = "batch";

/// An attribute of a node.
#[derive(Clone, Debug)]
pub enum Attribute {
    Int(i64),
    Float(f32),
    Text(&'static str),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Texts(Vec<&'static str>),
}

impl Attribute {
    /// `AttributeProto`.
    fn message(&self, name: &str) -> Message {
        let named = Message::new().text(1, name);
        let (kind, message) = match self {
            Self::Float(value) => (1, named.float(2, *value)),
            Self::Int(value) => (2, named.signed(3, *value)),
            Self::Text(value) => (3, named.text(4, value)),
            Self::Floats(values) => (6, values.iter().fold(named, |named, value| named.float(7, *value))),
            Self::Ints(values) => (7, values.iter().fold(named, |named, value| named.signed(8, *value))),
            Self::Texts(values) => (8, values.iter().fold(named, |named, value| named.text(9, value))),
        };
        message.unsigned(20, kind)
    }
}

/// `NodeProto`.
pub fn node<'a>(
    operator: &str,
    name: &str,
    inputs: impl IntoIterator<Item = &'a str>,
    outputs: impl IntoIterator<Item = &'a str>,
    attributes: &[(&'static str, Attribute)],
) -> Message {
    let node = inputs
        .into_iter()
        .fold(Message::new(), |node, input| node.text(1, input));
    let node = outputs.into_iter().fold(node, |node, output| node.text(2, output));
    let node = node.text(3, name).text(4, operator);
    attributes.iter().fold(node, |node, (name, attribute)| {
        node.message(5, &attribute.message(name))
    })
}

/// `TensorProto` of floats.
pub fn float_tensor(name: &str, dimensions: &[usize], values: &[f32]) -> Message {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, FLOAT, dimensions, &bytes)
}

/// `TensorProto` of a list of integers.
pub fn int_tensor(name: &str, values: &[i64]) -> Message {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, INT64, &[values.len()], &bytes)
}

fn tensor(name: &str, kind: u64, dimensions: &[usize], bytes: &[u8]) -> Message {
    let tensor = dimensions
        .iter()
        .fold(Message::new(), |tensor, &size| tensor.unsigned(1, size as u64));
    tensor.unsigned(2, kind).text(8, name).bytes(9, bytes)
}

/// `ValueInfoProto` of an input or output of floats whose first dimension is [`BATCH`].
pub fn value(name: &str, dimensions: &[usize]) -> Message {
    let shape = Message::new().message(1, &Message::new().text(2, BATCH));
    let shape = dimensions.iter().fold(shape, |shape, &size| {
        shape.message(1, &Message::new().unsigned(1, size as u64))
    });
    let tensor = Message::new().unsigned(1, FLOAT).message(2, &shape);
    Message::new()
        .text(1, name)
        .message(2, &Message::new().message(1, &tensor))
}

/// `ModelProto`: the bytes of an ONNX file.
pub fn model(graph: &Message, metadata: &[(String, String)]) -> Vec<u8> {
    let model = Message::new()
        .signed(1, IR_VERSION)
        .text(2, "cratedigger")
        .text(3, env!("CARGO_PKG_VERSION"))
        .message(7, graph)
        .message(8, &Message::new().signed(2, OPSET));
    let entry = |(key, value): &(String, String)| Message::new().text(1, key).text(2, value);
    metadata
        .iter()
        .fold(model, |model, property| model.message(14, &entry(property)))
        .into_bytes()
}
