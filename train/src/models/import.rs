//! Weights from a file into a model: PyTorch checkpoints (`.pt`, `.pth`) and this project's own safetensors.
//!
//! Every tensor of the file must find its place and every parameter of the model a tensor, or nothing is changed.

use super::pytorch_zip::without_zip64_end;
use super::{Model, ModelKind};
use burn::store::{ApplyResult, KeyRemapper, ModuleSnapshot, ModuleStore, PytorchStore, SafetensorsStore};
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

/// Names in the published 1-D checkpoint and their counterparts here. Its `Sequential`s count pooling, ReLU and
/// dropout too, hence the gaps.
const CNN1D_NAMES: [(&str, &str); 11] = [
    (r"^conv_block\.block\.0\.block\.0\.", "encoder.blocks.0.conv."),
    (r"^conv_block\.block\.0\.block\.1\.", "encoder.blocks.0.norm."),
    (r"^conv_block\.block\.2\.block\.0\.", "encoder.blocks.1.conv."),
    (r"^conv_block\.block\.2\.block\.1\.", "encoder.blocks.1.norm."),
    (r"^conv_block\.block\.4\.block\.0\.", "encoder.blocks.2.conv."),
    (r"^conv_block\.block\.4\.block\.1\.", "encoder.blocks.2.norm."),
    (r"^conv_block\.block\.6\.block\.0\.", "encoder.blocks.3.conv."),
    (r"^conv_block\.block\.6\.block\.1\.", "encoder.blocks.3.norm."),
    (r"^classifier\.0\.", "classifier.linear0."),
    (r"^classifier\.3\.", "classifier.linear1."),
    (r"^classifier\.6\.", "classifier.linear2."),
];

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
            load_into(&mut model, &mut store).map_err(|error| unreadable(error.to_string()))?
        }
        "pt" | "pth" => {
            let remapper = match kind {
                ModelKind::Cnn1d => {
                    KeyRemapper::from_patterns(CNN1D_NAMES.to_vec()).expect("the patterns are constant and valid")
                }
                ModelKind::Cnn2d | ModelKind::Crnn | ModelKind::MmCrnn => KeyRemapper::new(),
            };
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
            load_into(&mut model, &mut nested)
                .or_else(|_| load_into(&mut model, &mut plain))
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

/// Past the enum, whose variant would stand before every name.
fn load_into<S: ModuleStore>(model: &mut Model, store: &mut S) -> Result<ApplyResult, S::Error> {
    match model {
        Model::Cnn1d(model) => model.load_from(store),
        Model::Cnn2d(model) => model.load_from(store),
        Model::Crnn(model) => model.load_from(store),
        Model::MmCrnn(model) => model.load_from(store),
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
    let saved = match model {
        Model::Cnn1d(model) => model.save_into(&mut store),
        Model::Cnn2d(model) => model.save_into(&mut store),
        Model::Crnn(model) => model.save_into(&mut store),
        Model::MmCrnn(model) => model.save_into(&mut store),
    };
    saved.map_err(|error| error.to_string())?;
    store.get_bytes().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Tensor};

    fn logits(model: &Model) -> Vec<f32> {
        let input = super::super::ModelInput {
            waveform: Some(Tensor::ones([1, 1, 1 << 19], &Device::flex()) * 0.5),
            mel: Some(Tensor::ones([1, 1, 128, 512], &Device::flex()) * 0.5),
        };
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
        let fresh = ModelKind::Cnn1d.init(8, 0.2, &device);
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
        let error = import_weights(ModelKind::Cnn2d.init(8, 0.2, &device), &path).unwrap_err();
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
        let error = import_weights(ModelKind::Cnn1d.init(10, 0.2, &device), &path)
            .unwrap_err()
            .to_string();
        assert!(error.contains("classifier.linear2"), "{error}");
    }

    #[test]
    fn own_weights_come_back_to_the_bit_and_only_into_their_model() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("weights.safetensors");
        let device = Device::flex();
        for kind in ModelKind::ALL {
            let model = kind.init(8, 0.2, &device);
            let bytes = export_weights(&model).unwrap();
            assert_eq!(bytes, export_weights(&model).unwrap());
            std::fs::write(&path, bytes).unwrap();
            let (loaded, _) = import_weights(kind.init(8, 0.2, &device), &path).unwrap();
            assert_eq!(logits(&loaded), logits(&model), "{kind}");
        }
        let error = import_weights(ModelKind::Cnn1d.init(8, 0.2, &device), &path).unwrap_err();
        assert!(matches!(error, ImportError::Mismatch { .. }), "{error}");
        std::fs::write(&path, b"not weights at all").unwrap();
        let error = import_weights(ModelKind::Cnn1d.init(8, 0.2, &device), &path).unwrap_err();
        assert!(matches!(error, ImportError::Unreadable { .. }), "{error}");
        let error = import_weights(
            ModelKind::Cnn1d.init(8, 0.2, &device),
            &directory.path().join("weights.onnx"),
        );
        assert!(matches!(error.unwrap_err(), ImportError::UnknownFormat { .. }));
    }
}
