//! Tests of the published taggers: parameter counts, weights under Keras' names, and the published answers.

use super::*;
use crate::models::testing::{self, conv, dense, parameter_count};
use crate::models::weights::published;
use crate::models::{Model, ModelKind, export_weights, import_weights, transfer_weights};
use burn::tensor::TensorData;
use burn::tensor::activation::sigmoid;
use safetensors::SafeTensors;

const TAGS: usize = 50;
/// Weights and answers: `pretrained/choi_crnn.safetensors` in the directory of `CRATEDIGGER_REFERENCE`.
const PUBLISHED: &str = "pretrained/choi_crnn.safetensors";
/// Largest difference of an embedding or a probability. Measured: 2e-7.
const TOLERANCE: f32 = 5e-4;

#[test]
fn parameter_counts_match_the_published_files() {
    // One bias per gate.
    let gru = |inputs: usize| 3 * (dense(inputs, 32) + 32 * 32);
    let crnn = conv(9, 1, 64) + conv(9, 64, 128) + 2 * conv(9, 128, 128) + 2 * (1440 + 64 + 3 * 128);
    let crnn = crnn + gru(128) + gru(32) + dense(32, TAGS);
    let cnn = conv(9, 1, 32) + conv(9, 32, 128) + conv(9, 128, 128) + conv(9, 128, 192) + conv(9, 192, 256);
    let cnn = cnn + 2 * (1366 + 32 + 128 + 128 + 192 + 256) + dense(256, TAGS);
    for (kind, counted, stated) in [
        (ModelKind::MusicTaggerCrnn, crnn, 396_786),
        (ModelKind::MusicTaggerCnn, cnn, 865_950),
    ] {
        assert_eq!((parameter_count(kind, TAGS), counted), (stated, stated), "{kind}");
    }
}

#[test]
fn clips_that_the_cnn_pools_to_nothing_are_refused() {
    let accepts = |kind: ModelKind, frames| {
        let spectrogram = [BANDS, frames];
        (kind.description().accepts)(&InputShape {
            spectrogram,
            ..InputShape::default()
        })
    };
    assert!(accepts(ModelKind::MusicTaggerCnn, 1280).is_ok() && accepts(ModelKind::MusicTaggerCrnn, 1).is_ok());
    let refused = accepts(ModelKind::MusicTaggerCnn, 1279).unwrap_err();
    assert!(refused.contains("at least 1280 frames"), "{refused}");
}

fn values(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    bytemuck::pod_collect_to_vec(file.tensor(name).unwrap().data())
}

fn largest_difference(found: Tensor<2>, expected: &[f32]) -> f32 {
    let found: Vec<f32> = found.into_data().try_to_vec().unwrap();
    assert_eq!(found.len(), expected.len());
    let differences = found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (found - expected).abs());
    differences.fold(0.0, f32::max)
}

#[test]
fn the_published_weights_give_the_published_tags() {
    let Some(path) = published::file(PUBLISHED) else { return };
    let device = Device::flex();
    let new_model = testing::model(ModelKind::MusicTaggerCrnn, TAGS, &device);
    let (model, loaded) = import_weights(new_model, &path).unwrap();
    // Five batch norms with four tensors, four convolutions and the dense layer with two, two GRUs with nine.
    assert_eq!(loaded, 5 * 4 + 5 * 2 + 2 * 9);
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let pieces: Vec<&str> = file
        .names()
        .into_iter()
        .filter_map(|name| name.strip_suffix("/melgram"))
        .collect();
    assert!(!pieces.is_empty());
    for piece in pieces {
        let melgram = TensorData::new(values(&file, &format!("{piece}/melgram")), [1, 1, BANDS, 1366]);
        let embeddings = model.embed(ModelInput {
            spectrogram: Some(Tensor::from_data(melgram, &device)),
            waveform: None,
            statistics: None,
        });
        let tags = sigmoid(model.classify(embeddings.clone()));
        let embedding_error = largest_difference(embeddings, &values(&file, &format!("{piece}/embedding")));
        let tag_error = largest_difference(tags, &values(&file, &format!("{piece}/tags")));
        println!("{piece}: embedding {embedding_error:.1e}, tags {tag_error:.1e}");
        assert!(embedding_error < TOLERANCE && tag_error < TOLERANCE, "{piece}");
    }
}

/// The weights of a model under Keras' names, with `prefix` before each.
fn keras_file(model: &Model, prefix: &str) -> Vec<u8> {
    let bytes = export_weights(model).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        let (layer, rest) = KERAS_LAYERS
            .iter()
            .find_map(|(theirs, ours)| Some((theirs, name.strip_prefix(ours)?.strip_prefix('.')?)))
            .unwrap();
        let part = match rest {
            "weight" => "W",
            "bias" => "b",
            "running_var" => "running_std",
            "gamma" | "beta" | "running_mean" => rest,
            gate => {
                let (gate, part) = gate.split_once('.').unwrap();
                let gate = match gate {
                    "update_gate" => 'z',
                    "reset_gate" => 'r',
                    "new_gate" => 'h',
                    _ => unreachable!("{gate}"),
                };
                let part = match part {
                    "input.weight" => 'W',
                    "input.bias" => 'b',
                    "state.weight" => 'U',
                    _ => unreachable!("{part}"),
                };
                &format!("{part}_{gate}")
            }
        };
        (format!("{prefix}{layer}_{part}"), view)
    });
    safetensors::serialize(tensors.collect::<Vec<_>>(), None).unwrap()
}

#[test]
fn weights_under_keras_names_load_with_and_without_a_prefix() {
    let (directory, device) = (tempfile::tempdir().unwrap(), Device::flex());
    let path = directory.path().join("keras.safetensors");
    for kind in [ModelKind::MusicTaggerCrnn, ModelKind::MusicTaggerCnn] {
        for prefix in ["", "weights/"] {
            let model = testing::model(kind, TAGS, &device);
            std::fs::write(&path, keras_file(&model, prefix)).unwrap();
            let (loaded, _) = import_weights(testing::model(kind, TAGS, &device), &path).unwrap();
            assert_eq!(
                export_weights(&loaded).unwrap(),
                export_weights(&model).unwrap(),
                "{kind} {prefix}"
            );
            // Another number of tags.
            let (_, transfer) = transfer_weights(testing::model(kind, 8, &device), &path, false).unwrap();
            assert_eq!(transfer.newly_initialized, ["linear.weight", "linear.bias"], "{kind}");
        }
        // The other network's weights.
        let other = testing::model(ModelKind::MusicTaggerCnn, TAGS, &device);
        if kind == ModelKind::MusicTaggerCrnn {
            let error = import_weights(other, &path).unwrap_err().to_string();
            assert!(
                error.contains("encoder.blocks.4.conv.weight") && error.contains("gru0"),
                "{error}"
            );
        }
    }
}
