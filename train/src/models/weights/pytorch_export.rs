//! Exports a model's weights as a safetensors file with the names and layouts of a PyTorch module's state dict.
//!
//! Batch norm's gamma and beta become PyTorch's `weight` and `bias`. A dense layer's weight is `[outputs, inputs]`. A
//! recurrent layer's gate matrices are stacked in the order of `torch.nn.LSTM`, `GRU` and `RNN`. Module names are the
//! same on both sides, or those of the published checkpoints if the model's description has them.

use super::export::export_weights;
use super::gates::{GATES, LEAVES, PARTS};
use super::pytorch_file::PYTORCH_FORMAT;
use crate::models::Model;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// A tensor under its new name.
#[derive(Clone, Debug, PartialEq)]
struct Tensor<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Cow<'a, [u8]>,
}

/// The state dict as a safetensors file.
///
/// # Errors
/// If a parameter has no PyTorch counterpart. The message is a sentence.
pub fn export_pytorch(model: &Model) -> Result<Vec<u8>, String> {
    let ours = export_weights(model)?;
    let ours = SafeTensors::deserialize(&ours).map_err(|error| error.to_string())?;
    let tensors = ours.iter().map(|(name, view)| {
        let tensor = Tensor {
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().into(),
        };
        (name.to_owned(), tensor)
    });
    let renames = model.kind().description().pytorch.renames;
    let state: BTreeMap<String, Tensor<'_>> = state_dict(tensors.collect())?
        .into_iter()
        .map(|(name, tensor)| (published_name(name, renames), tensor))
        .collect();
    let views = state.iter().map(|(name, tensor)| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
        view.map(|view| (name.as_str(), view))
            .map_err(|error| error.to_string())
    });
    let views: Vec<_> = views.collect::<Result<_, String>>()?;
    let (key, value) = PYTORCH_FORMAT;
    let metadata = HashMap::from([(key.to_owned(), value.to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| error.to_string())
}

fn state_dict(mut ours: BTreeMap<String, Tensor<'_>>) -> Result<BTreeMap<String, Tensor<'_>>, String> {
    let mut state = BTreeMap::new();
    for gates in GATES {
        let first = format!("{}.{}.weight", gates[0], PARTS[0].0);
        let layers = ours.keys().filter_map(|name| name.strip_suffix(&first));
        let layers: Vec<String> = layers.map(String::from).collect();
        for layer in layers {
            join_gates(&layer, gates, &mut ours, &mut state)?;
        }
    }
    for (name, tensor) in ours {
        let (module, leaf) = name.rsplit_once('.').unwrap_or(("", &name));
        match leaf {
            "gamma" => drop(state.insert(format!("{module}.weight"), tensor)),
            "beta" => drop(state.insert(format!("{module}.bias"), tensor)),
            "running_mean" => {
                // PyTorch reads this count only for a batch norm without momentum.
                let count = Tensor {
                    dtype: Dtype::I64,
                    shape: Vec::new(),
                    bytes: vec![0; size_of::<i64>()].into(),
                };
                state.insert(format!("{module}.num_batches_tracked"), count);
                state.insert(name, tensor);
            }
            "weight" if tensor.shape.len() == 2 => drop(state.insert(name, transposed(&tensor)?)),
            _ => drop(state.insert(name, tensor)),
        }
    }
    Ok(state)
}

/// The name in the published checkpoint. Import's patterns are literal beginnings of its names, so they can be reversed.
fn published_name(name: String, renames: &[(&str, &str)]) -> String {
    let published = renames.iter().find_map(|(pattern, ours)| {
        let rest = name.strip_prefix(ours)?;
        Some(literal(pattern) + rest)
    });
    published.unwrap_or(name)
}

/// The text that a pattern of a description matches.
fn literal(pattern: &str) -> String {
    pattern.trim_start_matches('^').replace('\\', "")
}

/// Builds `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0` and `bias_hh_l0` of a recurrent layer.
fn join_gates<'a>(
    layer: &str,
    gates: &[&str],
    ours: &mut BTreeMap<String, Tensor<'a>>,
    state: &mut BTreeMap<String, Tensor<'a>>,
) -> Result<(), String> {
    for (part, suffix) in PARTS {
        for leaf in LEAVES {
            let mut joined: Option<Tensor<'_>> = None;
            for gate in gates {
                let name = format!("{layer}{gate}.{part}.{leaf}");
                let tensor = ours
                    .remove(&name)
                    .ok_or_else(|| format!("parameter {name} is missing"))?;
                let rows = if leaf == "weight" { transposed(&tensor)? } else { tensor };
                match &mut joined {
                    None => joined = Some(rows),
                    Some(joined) => {
                        joined.shape[0] += rows.shape[0];
                        joined.bytes.to_mut().extend_from_slice(&rows.bytes);
                    }
                }
            }
            state.extend(joined.map(|joined| (format!("{layer}.{leaf}_{suffix}_l0"), joined)));
        }
    }
    Ok(())
}

/// Transposes a matrix.
fn transposed(tensor: &Tensor<'_>) -> Result<Tensor<'static>, String> {
    let (&[rows, columns], Dtype::F32) = (tensor.shape.as_slice(), tensor.dtype) else {
        return Err(format!(
            "a parameter of shape {:?} and dtype {:?} is not a matrix of f32",
            tensor.shape, tensor.dtype
        ));
    };
    const SIZE: usize = size_of::<f32>();
    let mut bytes = Vec::with_capacity(tensor.bytes.len());
    for column in 0..columns {
        for row in 0..rows {
            bytes.extend_from_slice(&tensor.bytes[(row * columns + column) * SIZE..][..SIZE]);
        }
    }
    Ok(Tensor {
        dtype: Dtype::F32,
        shape: vec![columns, rows],
        bytes: bytes.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ModelKind, testing};
    use burn::tensor::Device;

    /// Shapes and values by name.
    fn exported(model: &Model) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
        let bytes = export_pytorch(model).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        file.iter()
            .map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), view.data().to_vec())))
            .collect()
    }

    #[test]
    fn every_state_dict_has_only_pytorch_names() {
        for &kind in ModelKind::ALL.iter().filter(|kind| !kind.name().starts_with("vgg16-")) {
            for name in exported(&testing::model(kind, 8, &Device::flex())).keys() {
                let leaf = name.rsplit('.').next().unwrap_or_default();
                let known = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
                let recurrent = ["_ih_l0", "_hh_l0", "_ih_l1", "_hh_l1"];
                let recurrent = recurrent.iter().any(|suffix| leaf.ends_with(suffix));
                // The learned bandwidth of `harmonic-cnn`, which belongs to no layer of PyTorch.
                let own = name == "hstft.bw_Q";
                assert!(known.contains(&leaf) || recurrent || own, "{kind}: {name}");
                assert!(
                    !name.contains("transform") && !name.contains("features.convolutions"),
                    "{kind}: {name}"
                );
            }
        }
    }

    #[test]
    fn patterns_of_all_descriptions_are_literal_beginnings() {
        for &kind in ModelKind::ALL {
            for (pattern, _) in kind.description().pytorch.renames {
                assert_eq!(format!("^{}", regex::escape(&literal(pattern))), *pattern, "{kind}");
            }
        }
    }

    #[test]
    fn recurrent_gates_are_stacked_in_pytorchs_order() {
        let device = Device::flex();
        let model = testing::model(ModelKind::Crnn1dGru, 8, &device);
        let ours = export_weights(&model).unwrap();
        let ours = SafeTensors::deserialize(&ours).unwrap();
        let names: Vec<_> = ours
            .names()
            .into_iter()
            .filter(|name| name.contains("reset_gate.input"))
            .collect();
        let weight = names.iter().find(|name| name.ends_with("weight")).unwrap();
        let module = weight.strip_suffix(".reset_gate.input_transform.weight").unwrap();
        let state = exported(&model);
        let (shape, bytes) = &state[&format!("{module}.weight_ih_l0")];
        let [inputs, hidden] = *ours.tensor(weight).unwrap().shape() else {
            unreachable!()
        };
        assert_eq!(*shape, [3 * hidden, inputs]);
        let value = |bytes: &[u8], at: usize| f32::from_le_bytes(bytes[4 * at..][..4].try_into().unwrap());
        for (gate, name) in ["reset_gate", "update_gate", "new_gate"].iter().enumerate() {
            let gate_weight = ours.tensor(&format!("{module}.{name}.input_transform.weight")).unwrap();
            for (output, input) in [(0, 0), (hidden - 1, 2), (1, inputs - 1)] {
                let row = gate * hidden + output;
                assert_eq!(
                    value(bytes, row * inputs + input),
                    value(gate_weight.data(), input * hidden + output)
                );
            }
        }
    }

    #[test]
    fn an_exported_state_dict_loads_into_the_same_model() {
        let directory = tempfile::tempdir().unwrap();
        let device = Device::flex();
        // Square dense weights have the same shape in either layout, and models without batch norm do not show the
        // layout by their names. The others have recurrent layers, and the names of published checkpoints.
        for kind in [
            ModelKind::MfccDense,
            ModelKind::Cnn1d,
            ModelKind::Cnn2d,
            ModelKind::Vgg16,
            ModelKind::Crnn,
            ModelKind::Crnn1dRnn,
            ModelKind::ChoiCrnn,
            ModelKind::WonCrnn,
            ModelKind::Musicnn,
            ModelKind::HarmonicCnn,
            ModelKind::SelfAttention,
        ] {
            let path = directory.path().join(format!("{kind}.safetensors"));
            let model = testing::model(kind, 8, &device);
            std::fs::write(&path, export_pytorch(&model).unwrap()).unwrap();
            let (read, _) = crate::models::import_weights(testing::model(kind, 8, &device), &path).unwrap();
            assert_eq!(
                export_weights(&read).unwrap(),
                export_weights(&model).unwrap(),
                "{kind}"
            );
        }
    }
}
