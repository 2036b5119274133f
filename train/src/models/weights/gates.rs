//! The gates of recurrent layers: PyTorch stacks their matrices, Burn has a module for each.

use burn::store::burn_pack::Tensor;
use burn::tensor::Bytes;
use std::collections::HashSet;

/// The gates of an LSTM, a GRU and a plain recurrent layer, in PyTorch's order.
pub const GATES: [&[&str]; 3] = [
    &[".input_gate", ".forget_gate", ".cell_gate", ".output_gate"],
    &[".reset_gate", ".update_gate", ".new_gate"],
    &[""],
];

/// The parts of a gate, with PyTorch's names.
pub const PARTS: [(&str, &str); 2] = [("input_transform", "ih"), ("hidden_transform", "hh")];

/// The leaves of a gate's part.
pub const LEAVES: [&str; 2] = ["weight", "bias"];

/// The names of a stacked tensor's gates in a model with these parameters: `gru.weight_ih_l0` gives
/// `gru.reset_gate.input_transform.weight` and so on. `None` if the model has no such layer.
fn gate_names(stacked: &str, parameters: &HashSet<&str>) -> Option<Vec<String>> {
    let (layer, leaf) = stacked.rsplit_once('.')?;
    let (part, leaf) = PARTS.iter().find_map(|(part, suffix)| {
        let leaf = LEAVES.iter().find(|name| leaf == format!("{name}_{suffix}_l0"))?;
        Some((part, leaf))
    })?;
    let names = GATES.map(|gates| -> Vec<String> {
        gates
            .iter()
            .map(|gate| format!("{layer}{gate}.{part}.{leaf}"))
            .collect()
    });
    names
        .into_iter()
        .find(|names| names.iter().all(|name| parameters.contains(name.as_str())))
}

/// Splits the stacked tensors of a PyTorch file into a tensor for each gate of the model, whose parameters these are.
/// Other tensors stay as they are, and so does a stack that cannot be split evenly, which then fits no parameter.
///
/// # Errors
/// If a stacked tensor cannot be read.
pub fn split_gates(tensors: Vec<Tensor>, parameters: &[String]) -> Result<Vec<Tensor>, String> {
    let parameters: HashSet<&str> = parameters.iter().map(String::as_str).collect();
    let mut split = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let rows = tensor.shape.iter().next().copied().unwrap_or_default();
        let gates = gate_names(&tensor.name, &parameters).filter(|gates| rows.is_multiple_of(gates.len()));
        let Some(gates) = gates else {
            split.push(tensor);
            continue;
        };
        let mut shape = tensor.shape.to_vec();
        shape[0] /= gates.len();
        let dtype = tensor.dtype;
        let bytes = tensor.into_bytes().map_err(|error| error.to_string())?;
        let size = bytes.len() / gates.len();
        split.extend(gates.into_iter().enumerate().map(|(at, name)| {
            let rows = Bytes::from_bytes_vec(bytes[at * size..][..size].to_vec());
            Tensor::new(name, dtype, shape.clone(), None, rows)
        }));
    }
    Ok(split)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::DType;

    fn stacked(name: &str, rows: usize) -> Tensor {
        let values: Vec<u8> = (0..rows as u8 * 2)
            .flat_map(|value| f32::from(value).to_le_bytes())
            .collect();
        Tensor::new(name.into(), DType::F32, [rows, 2], None, Bytes::from_bytes_vec(values))
    }

    #[test]
    fn stacked_gates_are_split_in_pytorchs_order() {
        let parameters: Vec<String> = ["reset_gate", "update_gate", "new_gate"]
            .map(|gate| format!("rnn.{gate}.input_transform.weight"))
            .to_vec();
        let tensors = vec![stacked("rnn.weight_ih_l0", 6), stacked("dense.weight", 6)];
        let split = split_gates(tensors, &parameters).unwrap();
        let names: Vec<&str> = split.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(names[..3], parameters);
        assert_eq!(names[3], "dense.weight");
        for (at, gate) in split[..3].iter().enumerate() {
            assert_eq!(gate.shape.to_vec(), [2, 2]);
            let expected: Vec<u8> = (0..4u8)
                .flat_map(|value| f32::from(4 * at as u8 + value).to_le_bytes())
                .collect();
            assert_eq!(gate.to_bytes().unwrap()[..], expected[..]);
        }
    }

    #[test]
    fn other_layers_and_uneven_stacks_stay_whole() {
        let parameters = ["a", "b"].map(|gate| format!("rnn.{gate}.input_transform.weight"));
        let split = split_gates(vec![stacked("rnn.weight_ih_l0", 6)], &parameters).unwrap();
        assert_eq!((split.len(), split[0].name.as_str()), (1, "rnn.weight_ih_l0"));
        let parameters: Vec<String> = GATES[1]
            .iter()
            .map(|gate| format!("rnn{gate}.hidden_transform.bias"))
            .collect();
        let split = split_gates(vec![stacked("rnn.bias_hh_l0", 5)], &parameters).unwrap();
        assert_eq!((split.len(), split[0].shape.to_vec()), (1, vec![5, 2]));
    }
}
