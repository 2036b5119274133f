//! Safetensors files with the arrays of a Keras 1 model under Keras' names, as `scripts/python/keras_weights.py` writes
//! them: `conv1_W`, `bn1_gamma`, `gru1_U_h`.
//!
//! Names may begin with `weights/`. In a file that has such names, other tensors are not weights and are ignored.
//!
//! Layouts are the same as Burn's: dense weights are `[inputs, outputs]`, and convolutions that were saved with
//! `image_dim_ordering` "th", as the published ones, are `[outputs, inputs, rows, columns]`. Keras 1 names the running
//! variance `running_std`.

use crate::models::music_tagger::KERAS_LAYERS;
use safetensors::SafeTensors;

const PREFIX: &str = "weights/";

/// Keras' names of the parts of a layer, and ours. The letters z, r and h are a GRU's update gate, reset gate and
/// candidate.
const PARTS: [(&str, &str); 15] = [
    ("W_z", "update_gate.input.weight"),
    ("W_r", "reset_gate.input.weight"),
    ("W_h", "new_gate.input.weight"),
    ("U_z", "update_gate.state.weight"),
    ("U_r", "reset_gate.state.weight"),
    ("U_h", "new_gate.state.weight"),
    ("b_z", "update_gate.input.bias"),
    ("b_r", "reset_gate.input.bias"),
    ("b_h", "new_gate.input.bias"),
    ("W", "weight"),
    ("b", "bias"),
    ("gamma", "gamma"),
    ("beta", "beta"),
    ("running_mean", "running_mean"),
    ("running_std", "running_var"),
];

/// The file with our names, or `None` if its names are not Keras'.
pub fn renamed(bytes: &[u8]) -> Option<Vec<u8>> {
    let file = SafeTensors::deserialize(bytes).ok()?;
    let tensors = file.tensors();
    let prefixed = tensors.iter().any(|(name, _)| name.starts_with(PREFIX));
    let prefix = if prefixed { PREFIX } else { "" };
    let weights = tensors
        .iter()
        .filter_map(|(name, view)| Some((name.strip_prefix(prefix)?, view)));
    let weights = weights.map(|(name, view)| Some((our_name(name)?, view)));
    let weights: Vec<_> = weights.collect::<Option<_>>()?;
    safetensors::serialize(weights, None).ok()
}

/// `gru1_U_h` to `gru0.new_gate.state.weight`.
fn our_name(name: &str) -> Option<String> {
    let split = |(theirs, ours)| Some((name.strip_suffix(theirs)?.strip_suffix('_')?, ours));
    let (layer, part): (&str, &str) = PARTS.into_iter().find_map(split)?;
    let known = KERAS_LAYERS.iter().find(|(theirs, _)| *theirs == layer);
    Some(format!("{}.{part}", known.map_or(layer, |(_, ours)| ours)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::{Dtype, TensorView};

    fn names(names: &[&str]) -> Option<Vec<String>> {
        let view = TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
        let bytes = safetensors::serialize(names.iter().map(|name| (*name, view.clone())), None).unwrap();
        let renamed = renamed(&bytes)?;
        let file = SafeTensors::deserialize(&renamed).unwrap();
        let mut names: Vec<String> = file.names().into_iter().map(String::from).collect();
        names.sort();
        Some(names)
    }

    #[test]
    fn keras_names_are_recognised() {
        let expected = [
            "encoder.blocks.0.conv.weight",
            "encoder.input_norm.running_var",
            "gru1.new_gate.state.weight",
        ];
        let keras = ["bn_0_freq_running_std", "conv1_W", "gru2_U_h"];
        assert_eq!(names(&keras).unwrap(), expected);
        let prefixed = keras.map(|name| format!("{PREFIX}{name}"));
        let mut with_others: Vec<&str> = prefixed.iter().map(String::as_str).collect();
        with_others.push("cute/tags");
        assert_eq!(names(&with_others).unwrap(), expected);
    }

    #[test]
    fn other_files_are_left_alone() {
        for other in [&["conv1.weight"][..], &["conv1_W", "linear.bias"], &["_W2"]] {
            assert_eq!(names(other), None, "{other:?}");
        }
        assert_eq!(renamed(b"not weights"), None);
    }

    #[test]
    fn an_unknown_layer_keeps_its_name() {
        assert_eq!(names(&["dense_3_b"]).unwrap(), ["dense_3.bias"]);
    }
}
