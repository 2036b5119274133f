//! Tests with malicious and damaged weights files.

use super::pytorch_file::crafted::{Entry, Precision, legacy_file, state_dict, zip_file};
use super::{ImportError, export_weights, import_weights};
use crate::models::{Model, ModelKind, testing};
use crate::testing::fault_rounds;
use burn::tensor::Device;
use proptest::prelude::*;
use safetensors::SafeTensors;
use std::fs;
use std::path::Path;

/// The smallest model: dense layers on statistics.
const KIND: ModelKind = ModelKind::MfccDense;

fn model() -> Model {
    testing::model(KIND, 8, &Device::flex())
}

/// The model's tensors in PyTorch's layout, where dense weights are `[outputs, inputs]`.
fn entries() -> Vec<Entry> {
    let bytes = export_weights(&model()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut entries: Vec<Entry> = file
        .iter()
        .map(|(name, view)| {
            let shape: Vec<usize> = view.shape().iter().rev().copied().collect();
            Entry::new(name, &shape)
        })
        .collect();
    entries.sort_by(|first, second| first.name.cmp(&second.name));
    entries
}

fn import(directory: &Path, name: &str, bytes: &[u8]) -> Result<usize, ImportError> {
    let path = directory.join(name);
    fs::write(&path, bytes).unwrap();
    import_weights(model(), &path).map(|(_, tensors)| tensors)
}

#[test]
fn crafted_files_load_before_they_are_damaged() {
    let (directory, entries) = (tempfile::tempdir().unwrap(), entries());
    assert_eq!(
        import(directory.path(), "zip.pt", &zip_file(&entries)).unwrap(),
        entries.len()
    );
    let legacy = legacy_file(&state_dict(&entries), &entries);
    assert_eq!(import(directory.path(), "legacy.pth", &legacy).unwrap(), entries.len());
}

#[test]
fn pytorch_weights_of_other_precisions_are_cast_to_f32() {
    let directory = tempfile::tempdir().unwrap();
    let weights = |precision: Precision| {
        let mut entries = entries();
        entries.iter_mut().for_each(|entry| entry.precision = precision);
        let legacy = legacy_file(&state_dict(&entries), &entries);
        ["zip.pt", "legacy.pt"]
            .into_iter()
            .zip([zip_file(&entries), legacy])
            .map(|(name, bytes)| {
                let path = directory.path().join(name);
                fs::write(&path, bytes).unwrap();
                let (model, tensors) = import_weights(model(), &path).unwrap();
                assert_eq!(tensors, entries.len());
                let input = testing::input(1, &KIND.description().usual_shape, &Device::flex());
                // Two dtypes in one product used to panic.
                let logits = model.forward(input).into_data().try_to_vec::<f32>().unwrap();
                assert_eq!(logits.len(), 8, "{precision:?} in {name}");
                let bytes = export_weights(&model).unwrap();
                let file = SafeTensors::deserialize(&bytes).unwrap();
                let mut tensors: Vec<(String, Vec<f32>)> = file
                    .iter()
                    .map(|(name, view)| (name.to_owned(), bytemuck::pod_collect_to_vec(view.data())))
                    .collect();
                tensors.sort_by(|one, other| one.0.cmp(&other.0));
                tensors
            })
            .collect::<Vec<_>>()
    };
    let single = weights(Precision::Single);
    for (precision, tolerance) in [
        (Precision::Double, 0.0),
        (Precision::Half, 2f32.powi(-11)),
        (Precision::BFloat16, 2f32.powi(-8)),
    ] {
        for (found, expected) in weights(precision).iter().zip(&single) {
            for ((name, found), (_, expected)) in found.iter().zip(expected) {
                assert_eq!(found.len(), expected.len());
                let close = |(a, b): (&f32, &f32)| (a - b).abs() <= tolerance * b.abs();
                assert!(found.iter().zip(expected).all(close), "{precision:?}: {name}");
            }
        }
    }
}

#[test]
fn a_file_with_code_is_refused_and_the_code_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let evil = b"\x80\x02cposix\nsystem\nX\x05\x00\x00\x00touch\x85R.";
    for (name, bytes) in [("plain.pt", evil.to_vec()), ("legacy.pt", legacy_file(evil, &[]))] {
        let error = import(directory.path(), name, &bytes).unwrap_err();
        assert!(matches!(error, ImportError::Refused { .. }), "{error}");
        let message = error.to_string();
        assert!(
            message.contains(name) && message.contains("`posix.system`") && message.contains(".safetensors"),
            "{message}"
        );
    }
}

#[test]
fn a_tensor_larger_than_its_file_is_never_allocated() {
    let directory = tempfile::tempdir().unwrap();
    let mut entries = entries();
    // One number with a stride of 0, repeated 2^31 times: 8 GiB.
    entries[0].shape = vec![1 << 31];
    entries[0].strides = vec![0];
    entries[0].elements = 1;
    let message = import(directory.path(), "weights.pt", &zip_file(&entries))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("larger than the file") && message.contains(&entries[0].name),
        "{message}"
    );
    entries[0].shape = vec![1 << 62, 1 << 62];
    entries[0].strides = vec![0, 0];
    assert!(import(directory.path(), "weights.pt", &zip_file(&entries)).is_err());
}

#[test]
fn safetensors_headers_with_impossible_sizes_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let file = |length: u64, header: &str| [length.to_le_bytes().as_slice(), header.as_bytes()].concat();
    let large = r#"{"w":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4611686018427387904]}}"#;
    for bytes in [
        file(1 << 60, "{}"),
        file(u64::MAX, "{}"),
        file(large.len() as u64, large),
        file(2, "{}"),
        Vec::new(),
    ] {
        let error = import(directory.path(), "weights.safetensors", &bytes).unwrap_err();
        assert!(error.to_string().contains("weights.safetensors"), "{error}");
    }
}

/// A file with some bytes changed, most of them in the structure and not in the numbers.
fn damaged(intact: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = intact.len();
    let changes = prop::collection::vec((0..length, any::<u8>()), 1..6);
    (changes, prop::option::weighted(0.2, 0..length)).prop_map(move |(changes, cut)| {
        let mut bytes = intact.clone();
        changes.into_iter().for_each(|(at, value)| bytes[at] = value);
        bytes.truncate(cut.unwrap_or(length));
        bytes
    })
}

/// Small tensors only, so most bytes are structure.
fn small() -> Vec<Entry> {
    let mut entries = entries();
    entries.retain(|entry| entry.elements <= 64);
    entries
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(fault_rounds(64)))]

    #[test]
    fn a_damaged_archive_never_panics(bytes in damaged(zip_file(&small()))) {
        let directory = tempfile::tempdir().unwrap();
        let _ = import(directory.path(), "weights.pt", &bytes);
    }

    #[test]
    fn a_damaged_legacy_file_never_panics(bytes in damaged(legacy_file(&state_dict(&small()), &small()))) {
        let directory = tempfile::tempdir().unwrap();
        let _ = import(directory.path(), "weights.pt", &bytes);
    }

    #[test]
    fn damaged_safetensors_are_errors(bytes in damaged(export_weights(&model()).unwrap()[..2000].to_vec())) {
        let directory = tempfile::tempdir().unwrap();
        prop_assert!(import(directory.path(), "weights.safetensors", &bytes).is_err());
    }
}
