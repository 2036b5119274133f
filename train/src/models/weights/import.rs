//! Loads weights from a file into a model: PyTorch checkpoints (`.pt`, `.pth`), this project's safetensors, and
//! safetensors with Keras' names.
//!
//! Every tensor of the file must match a parameter and every parameter a tensor, otherwise the import fails. Weights in
//! half or double precision are converted to f32, the dtype of all parameters.

use super::gates::split_gates;
use super::keras_layout;
use super::pytorch_file::{self, PYTORCH_FORMAT, Refusal};
use super::pytorch_zip::without_zip64_end;
use crate::models::{Model, ModelKind, ParameterPattern, parameters};
use burn::module::{Module, ModuleMapper, Param};
use burn::store::{
    ApplyError, ApplyResult, FloatCastAdapter, KeyRemapper, ModuleAdapter, ModuleSnapshot, ModuleStore, PathFilter,
    PyTorchToBurnAdapter, PytorchStore, SafetensorsStore,
};
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::SafeTensors;
use shared::runtime::guard;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Weights that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The extension is unknown.
    #[error("{} is not a .safetensors, .pt or .pth file; give one of these", path.display())]
    UnknownFormat { path: PathBuf },
    /// The file cannot be read.
    #[error("cannot read weights from {}: {detail}", path.display())]
    Unreadable { path: PathBuf, detail: String },
    /// The file contains code, or claims sizes that it does not have.
    #[error(
        "refused to load {}: {refusal}; use a .safetensors file, or save only the model's state_dict()",
        path.display()
    )]
    Refused { path: PathBuf, refusal: Refusal },
    /// The last layer has another number of outputs than there are classes; everything else matches.
    #[error(
        "the weights in {} have {outputs} outputs, and there are {classes} classes; name one class per output, in the \
         order of the outputs",
        path.display()
    )]
    Outputs {
        path: PathBuf,
        outputs: usize,
        classes: usize,
    },
    /// The file's tensors do not match the model's.
    #[error("the weights in {} do not fit {kind}: {detail}; use weights of this model and the same number of classes",
            path.display())]
    Mismatch {
        path: PathBuf,
        kind: ModelKind,
        /// Missing and unexpected tensors, and wrong shapes.
        detail: String,
    },
}

/// The key of the weights in many PyTorch checkpoints, next to epoch and optimizer.
const STATE_DICT_KEY: &str = "model_state_dict";

/// PyTorch counts batches per batch norm. The count matters only for a momentum of None, which Burn does not support.
const IGNORED_SUFFIX: &str = "num_batches_tracked";

/// Loads the weights of `path` into the model; also returns the number of loaded tensors.
pub fn import_weights(mut model: Model, path: &Path) -> Result<(Model, usize), ImportError> {
    let result = apply(&mut model, path, None)?;
    let classifier = model.kind().description().classifier;
    let others = describe_mismatch(model.kind(), &result, |name| name.starts_with(classifier));
    if let Some((outputs, classes)) = differing_outputs(&result, classifier).filter(|_| others.is_empty()) {
        return Err(ImportError::Outputs {
            path: path.to_owned(),
            outputs,
            classes,
        });
    }
    refuse(&model, path, &describe_mismatch(model.kind(), &result, |_| false))?;
    Ok((flush_subnormal(model), result.applied.len()))
}

/// The result of [`transfer_weights`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Names of the loaded parameters.
    pub loaded: BTreeSet<String>,
    /// Names of the other parameters, which are newly initialized.
    pub newly_initialized: Vec<String>,
}

/// Loads initial weights from `path` for transfer learning. The file may have another number of classes, in which case
/// its classifier is skipped, and may lack the parameters that the model's description allows. `replace_classifier`
/// skips the classifier even if it fits.
pub fn transfer_weights(
    mut model: Model,
    path: &Path,
    replace_classifier: bool,
) -> Result<(Model, Transfer), ImportError> {
    let description = model.kind().description();
    let names: Vec<String> = parameters(&model).into_iter().map(|parameter| parameter.name).collect();
    let selected = names
        .iter()
        .filter(|name| !(replace_classifier && name.starts_with(description.classifier)));
    let result = apply(
        &mut model,
        path,
        Some(PathFilter::new().with_full_paths(selected.cloned())),
    )?;
    let may_differ = |name: &str| {
        name.starts_with(description.classifier)
            || description
                .newly_initialized
                .iter()
                .any(|prefix| name.starts_with(prefix))
    };
    refuse(&model, path, &describe_mismatch(model.kind(), &result, may_differ))?;
    let loaded: BTreeSet<String> = result.applied.into_iter().collect();
    let newly_initialized = names.into_iter().filter(|name| !loaded.contains(name)).collect();
    Ok((
        flush_subnormal(model),
        Transfer {
            loaded,
            newly_initialized,
        },
    ))
}

/// The model with zeros for weights that are too small for a normal f32. Weight decay leaves thousands of them in filters
/// that died, and CPUs compute with them a hundred times slower than with other numbers.
fn flush_subnormal(model: Model) -> Model {
    struct Flush;
    impl ModuleMapper for Flush {
        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            parameter.map(|tensor| {
                let data = tensor.to_data().convert::<f32>();
                let values = data.as_slice::<f32>().expect("the data were just converted");
                let is_subnormal = |value: &f32| value.is_subnormal();
                if !values.iter().any(is_subnormal) {
                    return tensor;
                }
                let flushed = values
                    .iter()
                    .map(|value| if is_subnormal(value) { 0.0 } else { *value });
                let data = TensorData::new(flushed.collect::<Vec<f32>>(), tensor.shape());
                let (device, require_grad) = (tensor.device(), tensor.is_require_grad());
                Tensor::from_data(data, &device).set_require_grad(require_grad)
            })
        }
    }
    model.map(&mut Flush)
}

fn refuse(model: &Model, path: &Path, mismatch: &[String]) -> Result<(), ImportError> {
    if mismatch.is_empty() {
        return Ok(());
    }
    Err(ImportError::Mismatch {
        path: path.to_owned(),
        kind: model.kind(),
        detail: mismatch.join("; "),
    })
}

/// Loads matching tensors; `only` restricts their names.
fn apply(model: &mut Model, path: &Path, only: Option<PathFilter>) -> Result<ApplyResult, ImportError> {
    let unreadable = |detail: String| ImportError::Unreadable {
        path: path.to_owned(),
        detail,
    };
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    let only = only.unwrap_or_else(PathFilter::all);
    let names = model.kind().description().pytorch.renames.to_vec();
    let remapper = KeyRemapper::from_patterns(names).expect("the patterns are constant and valid");
    match extension {
        "safetensors" => {
            let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
            let bytes = keras_layout::renamed(&bytes).unwrap_or(bytes);
            let pytorch = is_pytorch_layout(&bytes, model.kind());
            let size = bytes.len() as u64;
            let mut store = SafetensorsStore::from_bytes(Some(bytes));
            if pytorch {
                return load_pytorch(model, &mut store.remap(remapper), &only, size).map_err(unreadable);
            }
            store = store.filter(only).allow_partial(true).validate(false);
            store = store.with_from_adapter(to_f32());
            guarded(|| model.load_from(&mut store).map_err(|error| error.to_string())).map_err(unreadable)
        }
        "pt" | "pth" => {
            let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
            let shortened = without_zip64_end(&bytes);
            pytorch_file::check(shortened.as_deref().unwrap_or(&bytes)).map_err(|refusal| ImportError::Refused {
                path: path.to_owned(),
                refusal,
            })?;
            let shortened = shortened
                .map(|archive| -> std::io::Result<NamedTempFile> {
                    let mut copy = NamedTempFile::new()?;
                    copy.write_all(&archive)?;
                    Ok(copy)
                })
                .transpose()
                .map_err(|error| unreadable(format!("cannot write a temporary copy: {error}")))?;
            let readable = shortened.as_ref().map_or(path, |copy| copy.path());
            let settings = |store: PytorchStore| store.map_indices_contiguous(false).remap(remapper.clone());
            let mut nested = settings(PytorchStore::from_file(readable).with_top_level_key(STATE_DICT_KEY));
            let mut plain = settings(PytorchStore::from_file(readable));
            let size = bytes.len() as u64;
            load_pytorch(model, &mut nested, &only, size)
                .or_else(|_| load_pytorch(model, &mut plain, &only, size))
                .map_err(unreadable)
        }
        _ => Err(ImportError::UnknownFormat { path: path.to_owned() }),
    }
}

/// Loads a PyTorch file of `size` bytes if no tensor is larger than the file. The reader would allocate any tensor of
/// up to 10 GiB before it compares the shape with the model's, and a stride of 0 makes such a tensor from a single
/// number.
fn load_pytorch<S: ModuleStore>(
    model: &mut Model,
    store: &mut S,
    only: &PathFilter,
    size: u64,
) -> Result<ApplyResult, String> {
    let names: Vec<String> = parameters(model).into_iter().map(|parameter| parameter.name).collect();
    guarded(|| {
        let tensors = store.get_all_tensors().map_err(|error| error.to_string())?;
        for (name, tensor) in tensors {
            let elements = tensor
                .shape
                .iter()
                .try_fold(1u64, |product, &axis| product.checked_mul(axis as u64));
            let bytes = elements.and_then(|elements| elements.checked_mul(tensor.dtype.size() as u64));
            if bytes.is_none_or(|bytes| bytes > size) {
                return Err(format!("its tensor `{name}` is larger than the file"));
            }
        }
        // The stores' own loading does not split gates, and the one of PyTorch files does not accept an adapter.
        let adapter = PyTorchToBurnAdapter.chain(to_f32());
        let tensors = split_gates(tensors.values().cloned().collect(), &names)?;
        Ok(model.apply(tensors, Some(only.clone()), Some(Box::new(adapter)), true))
    })
}

fn to_f32() -> FloatCastAdapter {
    FloatCastAdapter::to(DType::F32)
}

/// Runs a third-party reader on untrusted bytes. After a panic, the model must be discarded.
fn guarded<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    guard::catch(read).unwrap_or_else(|panic| Err(format!("its reader failed: {panic}")))
}

/// Whether a safetensors file has PyTorch's layout, with dense weights as `[outputs, inputs]`: its metadata says so, or
/// its names are PyTorch's. For invalid files this returns false, and the store reports the error.
fn is_pytorch_layout(bytes: &[u8], kind: ModelKind) -> bool {
    let Ok(file) = SafeTensors::deserialize(bytes) else {
        return false;
    };
    let (key, value) = PYTORCH_FORMAT;
    let metadata = SafeTensors::read_metadata(bytes)
        .ok()
        .and_then(|(_, header)| header.metadata().clone());
    if metadata.is_some_and(|metadata| metadata.get(key).is_some_and(|format| format == value)) {
        return true;
    }
    let renames = kind.description().pytorch.renames.iter();
    let patterns: Vec<ParameterPattern> = renames.map(|(pattern, _)| ParameterPattern::new(pattern)).collect();
    file.names()
        .into_iter()
        .any(|name| name.ends_with(IGNORED_SUFFIX) || patterns.iter().any(|pattern| pattern.matches(name)))
}

/// The number of outputs in the file and in the model, if they differ: the length of the last layer's bias.
fn differing_outputs(result: &ApplyResult, classifier: &str) -> Option<(usize, usize)> {
    result.errors.iter().find_map(|error| match error {
        ApplyError::ShapeMismatch { path, expected, found } if path.starts_with(classifier) => {
            (found.num_dims() == 1 && expected.num_dims() == 1).then(|| (found.num_elements(), expected.num_elements()))
        }
        _ => None,
    })
}

/// The parameter that caused the error.
fn error_path(error: &ApplyError) -> &str {
    match error {
        ApplyError::ShapeMismatch { path, .. }
        | ApplyError::DTypeMismatch { path, .. }
        | ApplyError::AdapterError { path, .. }
        | ApplyError::LoadError { path, .. } => path,
    }
}

/// Lists errors, missing tensors and unexpected tensors, except for parameters that may differ.
fn describe_mismatch(kind: ModelKind, result: &ApplyResult, may_differ: impl Fn(&str) -> bool) -> Vec<String> {
    let errors = result.errors.iter().filter(|error| !may_differ(error_path(error)));
    let mut lines: Vec<String> = errors.map(ToString::to_string).collect();
    let missing = result.missing.iter().map(|(name, _)| name.as_str());
    let missing: Vec<_> = missing.filter(|name| !may_differ(name)).collect();
    if !missing.is_empty() {
        lines.push(format!("missing tensors: {}", missing.join(", ")));
    }
    let ignored = kind.description().pytorch.ignored;
    let unused: Vec<_> = result
        .unused
        .iter()
        .map(String::as_str)
        .filter(|name| !name.ends_with(IGNORED_SUFFIX) && !may_differ(name))
        .filter(|name| !ignored.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    if !unused.is_empty() {
        lines.push(format!("unexpected tensors: {}", unused.join(", ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::export_weights;
    use crate::models::testing;
    use crate::models::weights::published;
    use crate::models::weights::pytorch_file::crafted::Precision;
    use burn::tensor::Device;
    use safetensors::tensor::{Dtype, TensorView};

    fn logits(model: &Model) -> Vec<f32> {
        let device = Device::flex();
        let input = testing::input(1, &model.kind().description().usual_shape, &device);
        model.forward(input).into_data().try_to_vec().unwrap()
    }

    fn checkpoint() -> Option<PathBuf> {
        published::file("checkpoint_baseline1d.pt")
    }

    #[test]
    fn the_published_checkpoint_loads_completely() {
        let Some(path) = checkpoint() else { return };
        let device = Device::flex();
        let new_model = testing::model(ModelKind::Cnn1d, 8, &device);
        let before = logits(&new_model);
        let (model, tensors) = import_weights(new_model, &path).unwrap();
        // Four blocks with two convolution and four batch norm tensors, three dense layers with two.
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
        assert!(error.contains("have 8 outputs, and there are 10 classes"), "{error}");
    }

    #[test]
    fn exported_weights_load_bit_for_bit_and_only_into_their_model() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("weights.safetensors");
        let device = Device::flex();
        for &kind in ModelKind::ALL {
            let model = testing::model(kind, 8, &device);
            let bytes = export_weights(&model).unwrap();
            assert_eq!(bytes, export_weights(&model).unwrap());
            std::fs::write(&path, &bytes).unwrap();
            let (loaded, _) = import_weights(testing::model(kind, 8, &device), &path).unwrap();
            assert!(export_weights(&loaded).unwrap() == bytes, "{kind}");
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

    #[test]
    fn safetensors_of_other_precisions_are_cast_to_f32() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("weights.safetensors");
        let device = Device::flex();
        // A model with batch norms, whose running statistics are not parameters.
        let trained = testing::model(ModelKind::Cnn1d, 8, &device);
        let exported = export_weights(&trained).unwrap();
        let file = SafeTensors::deserialize(&exported).unwrap();
        for (dtype, precision, tolerance) in [
            (Dtype::F64, Precision::Double, 0.0),
            (Dtype::F16, Precision::Half, 1e-3),
            (Dtype::BF16, Precision::BFloat16, 1e-2),
        ] {
            let cast: Vec<(&str, Vec<usize>, Vec<u8>)> = file
                .iter()
                .map(|(name, view)| {
                    let values: Vec<f32> = bytemuck::pod_collect_to_vec(view.data());
                    let bytes = values.into_iter().flat_map(|value| precision.bytes(value)).collect();
                    (name, view.shape().to_vec(), bytes)
                })
                .collect();
            let views = cast
                .iter()
                .map(|(name, shape, bytes)| (*name, TensorView::new(dtype, shape.clone(), bytes).unwrap()));
            std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
            let (loaded, _) = import_weights(testing::model(ModelKind::Cnn1d, 8, &device), &path).unwrap();
            for (found, expected) in logits(&loaded).iter().zip(logits(&trained)) {
                assert!(
                    (found - expected).abs() <= tolerance,
                    "{dtype:?}: {found} and {expected}"
                );
            }
            let reexported = export_weights(&loaded).unwrap();
            let reexported = SafeTensors::deserialize(&reexported).unwrap();
            assert!(
                reexported.iter().all(|(_, view)| view.dtype() == Dtype::F32),
                "{dtype:?}"
            );
        }
    }

    #[test]
    fn transfer_skips_the_classifier_for_other_classes_or_on_request() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("weights.safetensors");
        let device = Device::flex();
        let trained = testing::model(ModelKind::Crnn, 8, &device);
        std::fs::write(&path, export_weights(&trained).unwrap()).unwrap();
        let names = ["classifier.linear.weight", "classifier.linear.bias"].map(String::from);
        let all = parameters(&trained).len();
        // Another number of classes, or the same with a newly initialized classifier requested.
        for (classes, replace) in [(3, false), (8, true)] {
            let new_model = testing::model(ModelKind::Crnn, classes, &device);
            let input = || testing::input(1, &ModelKind::Crnn.description().usual_shape, &device);
            let (model, transfer) = transfer_weights(new_model.clone(), &path, replace).unwrap();
            assert_eq!(
                (transfer.newly_initialized.as_slice(), transfer.loaded.len()),
                (names.as_slice(), all - 2)
            );
            let values = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
            assert_eq!(values(model.embed(input())), values(trained.embed(input())));
            let embeddings = trained.embed(input());
            assert_eq!(
                values(model.classify(embeddings.clone())),
                values(new_model.classify(embeddings))
            );
        }
        let (_, transfer) = transfer_weights(testing::model(ModelKind::Crnn, 8, &device), &path, false).unwrap();
        assert_eq!(transfer.loaded.len(), all);
        // Parameters outside the classifier must fit.
        let error = transfer_weights(testing::model(ModelKind::Cnn2d, 8, &device), &path, false).unwrap_err();
        assert!(matches!(error, ImportError::Mismatch { .. }), "{error}");
    }

    #[test]
    fn subnormal_weights_are_loaded_as_zero() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("weights.safetensors");
        let model = testing::model(ModelKind::Cnn1d, 8, &Device::flex());
        let bytes = export_weights(&model).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let tiny = (f32::MIN_POSITIVE / 8.0).to_le_bytes();
        let mut changed = bytes.clone();
        for (_, view) in tensors.iter() {
            let at = view.data().as_ptr() as usize - bytes.as_ptr() as usize;
            changed[at..at + 4].copy_from_slice(&tiny);
        }
        std::fs::write(&path, changed).unwrap();
        let (model, _) = import_weights(model, &path).unwrap();
        let bytes = export_weights(&model).unwrap();
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().iter() {
            assert_eq!(view.data()[..4], 0f32.to_le_bytes(), "{name}");
        }
    }
}
