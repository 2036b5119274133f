//! Weights from a file into a model: PyTorch checkpoints (`.pt`, `.pth`) and this project's own safetensors.
//!
//! Every tensor of the file must find its place and every parameter of the model a tensor, or nothing is changed.

use super::pytorch_zip::without_zip64_end;
use super::{Model, ModelKind};
use burn::store::{ApplyResult, KeyRemapper, PytorchStore, SafetensorsStore};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Weights that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// An extension that no reader is known for.
    #[error("{} is neither a .safetensors nor a .pt or .pth file; give one of these", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("could not read weights from {}: {detail}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        detail: String,
    },
    /// The file's tensors are not the model's.
    #[error("the weights in {} do not fit {kind}: {detail}; was the file made by another model, or for another number \
             of classes?", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The model.
        kind: ModelKind,
        /// The names that have no counterpart.
        detail: String,
    },
}

/// The key under which PyTorch training scripts usually keep the weights beside epoch and optimizer.
const STATE_DICT_KEY: &str = "model_state_dict";

/// PyTorch counts batches per batch norm; only a momentum of None reads the count, and Burn has none.
const IGNORED_SUFFIX: &str = "num_batches_tracked";

/// The model with the weights of `path`; how many tensors were loaded beside it.
pub fn import_weights(mut model: Model, path: &Path) -> Result<(Model, usize), ImportError> {
    let kind = model.kind();
    let unreadable = |detail: String| ImportError::Unreadable {
        path: path.to_owned(),
        detail,
    };
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    let result = match extension {
        "safetensors" => {
            let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
            let mut store = SafetensorsStore::from_bytes(Some(bytes))
                .allow_partial(true)
                .validate(false);
            model
                .load_from(&mut store)
                .map_err(|error| unreadable(error.to_string()))?
        }
        "pt" | "pth" => {
            let names = kind.description().pytorch.renames.to_vec();
            let remapper = KeyRemapper::from_patterns(names).expect("the patterns are constant and valid");
            let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
            let shortened = without_zip64_end(&bytes)
                .map(|archive| -> std::io::Result<NamedTempFile> {
                    let mut copy = NamedTempFile::new()?;
                    copy.write_all(&archive)?;
                    Ok(copy)
                })
                .transpose()
                .map_err(|error| unreadable(format!("no temporary copy could be made: {error}")))?;
            let readable = shortened.as_ref().map_or(path, |copy| copy.path());
            let settings = |store: PytorchStore| {
                store
                    .map_indices_contiguous(false)
                    .remap(remapper.clone())
                    .allow_partial(true)
                    .validate(false)
            };
            let mut nested = settings(PytorchStore::from_file(readable).with_top_level_key(STATE_DICT_KEY));
            let mut plain = settings(PytorchStore::from_file(readable));
            model
                .load_from(&mut nested)
                .or_else(|_| model.load_from(&mut plain))
                .map_err(|error| unreadable(error.to_string()))?
        }
        _ => return Err(ImportError::UnknownFormat { path: path.to_owned() }),
    };
    let mismatch = describe_mismatch(&result);
    if mismatch.is_empty() {
        Ok((model, result.applied.len()))
    } else {
        Err(ImportError::Mismatch {
            path: path.to_owned(),
            kind,
            detail: mismatch.join("; "),
        })
    }
}

fn describe_mismatch(result: &ApplyResult) -> Vec<String> {
    let mut lines: Vec<String> = result.errors.iter().map(ToString::to_string).collect();
    let missing: Vec<_> = result.missing.iter().map(|(name, _)| name.as_str()).collect();
    if !missing.is_empty() {
        lines.push(format!("no tensor for {}", missing.join(", ")));
    }
    let unused: Vec<_> = result
        .unused
        .iter()
        .map(String::as_str)
        .filter(|name| !name.ends_with(IGNORED_SUFFIX))
        .collect();
    if !unused.is_empty() {
        lines.push(format!("no place for {}", unused.join(", ")));
    }
    lines
}

/// The weights as a safetensors file: plain names, no metadata, so that the same weights give the same bytes.
pub fn export_weights(model: &Model) -> Result<Vec<u8>, String> {
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata();
    model.save_into(&mut store).map_err(|error| error.to_string())?;
    store.get_bytes().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::testing;
    use burn::tensor::Device;

    fn logits(model: &Model) -> Vec<f32> {
        let device = Device::flex();
        let input = testing::input(1, &model.kind().description().usual_shape, &device);
        model.forward(input).into_data().try_to_vec().unwrap()
    }

    /// The published checkpoint, where the environment says it lies.
    fn checkpoint() -> Option<PathBuf> {
        let Some(directory) = std::env::var_os("CRATEDIGGER_REFERENCE") else {
            println!("skipped: CRATEDIGGER_REFERENCE names no directory with checkpoint_baseline1d.pt");
            return None;
        };
        Some(PathBuf::from(directory).join("checkpoint_baseline1d.pt"))
    }

    #[test]
    fn the_published_checkpoint_loads_whole() {
        let Some(path) = checkpoint() else { return };
        let device = Device::flex();
        let fresh = testing::model(ModelKind::Cnn1d, 8, &device);
        let before = logits(&fresh);
        let (model, tensors) = import_weights(fresh, &path).unwrap();
        // Four blocks of two convolution and four batch norm tensors, three dense layers of two.
        assert_eq!(tensors, 4 * 6 + 3 * 2);
        assert_ne!(logits(&model), before);
    }

    #[test]
    fn the_published_checkpoint_does_not_fit_another_model() {
        let Some(path) = checkpoint() else { return };
        let device = Device::flex();
        let error = import_weights(testing::model(ModelKind::Cnn2d, 8, &device), &path).unwrap_err();
        assert!(
            matches!(
                error,
                ImportError::Mismatch {
                    kind: ModelKind::Cnn2d,
                    ..
                }
            ),
            "{error}"
        );
        let error = import_weights(testing::model(ModelKind::Cnn1d, 10, &device), &path)
            .unwrap_err()
            .to_string();
        assert!(error.contains("classifier.linear2"), "{error}");
    }

    #[test]
    fn own_weights_come_back_to_the_bit_and_only_into_their_model() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("weights.safetensors");
        let device = Device::flex();
        for &kind in ModelKind::ALL {
            let model = testing::model(kind, 8, &device);
            let bytes = export_weights(&model).unwrap();
            assert_eq!(bytes, export_weights(&model).unwrap());
            std::fs::write(&path, bytes).unwrap();
            let (loaded, _) = import_weights(testing::model(kind, 8, &device), &path).unwrap();
            assert_eq!(logits(&loaded), logits(&model), "{kind}");
        }
        let error = import_weights(testing::model(ModelKind::Cnn1d, 8, &device), &path).unwrap_err();
        assert!(matches!(error, ImportError::Mismatch { .. }), "{error}");
        std::fs::write(&path, b"not weights at all").unwrap();
        let error = import_weights(testing::model(ModelKind::Cnn1d, 8, &device), &path).unwrap_err();
        assert!(matches!(error, ImportError::Unreadable { .. }), "{error}");
        let error = import_weights(
            testing::model(ModelKind::Cnn1d, 8, &device),
            &directory.path().join("weights.onnx"),
        );
        assert!(matches!(error.unwrap_err(), ImportError::UnknownFormat { .. }));
    }
}
