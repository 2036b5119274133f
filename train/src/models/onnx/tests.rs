//! Tests with every model: the graph is decoded and checked, and ONNX Runtime computes the same scores.

use super::format::{BATCH, OPSET};
use super::{OnnxScores, export_onnx};
use crate::models::tests::small_model;
use crate::models::{InputShape, Model, ModelInput, ModelKind, parameters, testing};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, TensorView};
use shared::dataset::Task;
use shared::runtime::protobuf::{Field, Fields};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCORES: OnnxScores = OnnxScores {
    task: Task::SingleLabel,
    temperature: 1.7,
};

fn export(model: &Model, shape: &InputShape, scores: OnnxScores) -> Vec<u8> {
    let metadata = [("model".to_owned(), model.kind().name().to_owned())];
    export_onnx(model, shape, scores, &metadata).unwrap()
}

/// The fields of a message with this number.
fn all<'a>(message: &'a [u8], number: u64) -> impl Iterator<Item = Field<'a>> {
    let fields = Fields(message).map(|field| field.expect("a valid message"));
    fields
        .filter(move |(found, _)| *found == number)
        .map(|(_, field)| field)
}

fn messages(message: &[u8], number: u64) -> Vec<&[u8]> {
    let bytes = |field| match field {
        Field::Bytes(bytes) => bytes,
        other => panic!("field {number} is {other:?}"),
    };
    all(message, number).map(bytes).collect()
}

fn texts(message: &[u8], number: u64) -> Vec<&str> {
    all(message, number).map(|field| field.text().unwrap()).collect()
}

fn number(message: &[u8], number: u64) -> u64 {
    match all(message, number).next() {
        Some(Field::Varint(value)) => value,
        other => panic!("field {number} is {other:?}"),
    }
}

/// The dimensions of an input or output after the first, which must have a name instead of a size.
fn dimensions(value: &[u8]) -> Vec<u64> {
    let tensor = messages(messages(value, 2)[0], 1)[0];
    let dimensions = messages(messages(tensor, 2)[0], 1);
    assert_eq!(texts(dimensions[0], 2), [BATCH]);
    dimensions[1..].iter().map(|dimension| number(dimension, 1)).collect()
}

#[test]
fn graphs_of_all_models_are_complete() {
    let device = Device::flex();
    for &kind in ModelKind::ALL {
        let (shape, model) = small_model(kind, 0.5, &device);
        let file = export(&model, &shape, SCORES);
        assert_eq!(number(messages(&file, 8)[0], 2), OPSET.cast_unsigned());
        let metadata = messages(&file, 14);
        assert_eq!(
            (texts(metadata[0], 1), texts(metadata[0], 2)),
            (vec!["model"], vec![kind.name()])
        );

        let graph = messages(&file, 7)[0];
        let inputs = messages(graph, 11);
        let found: Vec<_> = inputs
            .iter()
            .map(|input| (texts(input, 1)[0], dimensions(input)))
            .collect();
        let expected = kind.description().input.shapes(&shape).into_iter();
        let expected: Vec<_> = expected
            .map(|(name, shape)| (name, shape.into_iter().map(|size| size as u64).collect::<Vec<_>>()))
            .collect();
        assert_eq!(found, expected, "{kind}");

        // Every name is given once, and before it is used.
        let constants = messages(graph, 5);
        let mut names: BTreeSet<&str> = found.iter().map(|(name, _)| *name).collect();
        for constant in &constants {
            assert!(names.insert(texts(constant, 8)[0]), "{kind}: {:?}", texts(constant, 8));
        }
        let mut used = BTreeSet::new();
        for node in messages(graph, 1) {
            for input in texts(node, 1) {
                assert!(names.contains(input), "{kind}: {input} of {:?}", texts(node, 3));
                used.insert(input);
            }
            for output in texts(node, 2).into_iter().filter(|name| !name.is_empty()) {
                assert!(names.insert(output), "{kind}: {output}");
            }
        }
        let outputs = messages(graph, 12);
        let outputs: Vec<_> = outputs
            .iter()
            .map(|output| (texts(output, 1)[0], dimensions(output)))
            .collect();
        assert_eq!(
            outputs[..2],
            [("probabilities", vec![3]), ("logits", vec![3])],
            "{kind}"
        );
        let width = model.embed(testing::input(1, &shape, &device)).dims()[1];
        assert_eq!(outputs[2], ("embeddings", vec![width as u64]), "{kind}");
        used.extend(outputs.iter().map(|(name, _)| *name));
        assert_eq!(names, used, "{kind}: all values are used");

        // Parameters have their names in weight files, except those of gates, which are stacked, and the learned
        // bandwidth, which is part of the filters.
        for parameter in parameters(&model) {
            let combined = parameter.name.contains("_gate.") || parameter.name.contains("recurrent.");
            let combined = combined || parameter.name == "hstft.bw_q";
            assert!(
                combined || names.contains(&*parameter.name),
                "{kind}: {}",
                parameter.name
            );
        }
    }
}

/// White noise between -1 and 1, a function of the seed and the position only. The logarithm of a tone's spectrum would
/// enlarge rounding errors.
fn noise<const D: usize>(seed: u32, shape: [usize; D], device: &Device) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values = (0..count as u32).map(|index| {
        let hash = (index.wrapping_add(seed) ^ 0x9E37_79B9).wrapping_mul(0x85EB_CA6B);
        let hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
        (hash >> 8) as f32 / (1 << 23) as f32 - 1.0
    });
    Tensor::from_data(TensorData::new(values.collect::<Vec<_>>(), shape), device)
}

/// Parameters that are neither 0 nor 1, and a function of their position only. Running variances stay positive.
struct Hashed(u32);

impl ModuleMapper for Hashed {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = parameter.val();
        let (shape, device) = (value.dims(), value.device());
        let count: usize = shape.iter().product();
        // Dense weights are `[inputs, outputs]`.
        let inputs = if D == 2 { shape[0] } else { count / shape[0] };
        let scale = if D == 1 { 0.3 } else { (3.0 / inputs as f32).sqrt() };
        let noise = noise(self.0, shape, &device) * scale;
        self.0 = self.0.wrapping_add(count as u32);
        Param::initialized(parameter.id, if D == 1 { value + noise } else { noise })
    }
}

/// Writes a model, two clips of input and its outputs for `scripts/bench/onnx_check.py`.
fn write_check(model: &Model, shape: &InputShape, scores: OnnxScores, directory: &Path) {
    const CLIPS: usize = 2;
    let ([rows, columns], device) = (shape.spectrogram, Device::flex());
    let waveform = noise(1, [CLIPS, 1, shape.samples], &device);
    let spectrogram = noise(2, [CLIPS, 1, rows, columns], &device);
    let statistics = noise(3, [CLIPS, shape.statistics], &device);
    let input = ModelInput {
        waveform: Some(waveform.clone()),
        spectrogram: Some(spectrogram.clone()),
        statistics: Some(statistics.clone()),
    };
    let embeddings = model.embed(input);
    let logits = model.classify(embeddings.clone());
    let scaled = logits.clone() / scores.temperature;
    let probabilities = match scores.task {
        Task::SingleLabel => softmax(scaled, 1),
        Task::MultiLabel => sigmoid(scaled),
    };
    let tensors = [
        ("check.waveform", waveform.into_data()),
        ("check.spectrogram", spectrogram.into_data()),
        ("check.statistics", statistics.into_data()),
        ("check.embeddings", embeddings.into_data()),
        ("check.logits", logits.into_data()),
        ("check.probabilities", probabilities.into_data()),
    ];
    let views = tensors.iter().map(|(name, data)| {
        let view = TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes());
        (*name, view.unwrap())
    });
    std::fs::create_dir(directory).unwrap();
    std::fs::write(
        directory.join("check.safetensors"),
        safetensors::serialize(views, None).unwrap(),
    )
    .unwrap();
    std::fs::write(directory.join("model.onnx"), export(model, shape, scores)).unwrap();
}

/// A Python with ONNX Runtime: python3, or one in a virtual environment in target/. If CRATEDIGGER_PYTHON_TESTS is 1, the
/// environment is created, which needs the network. Prints the reason and returns `None` if there is neither.
fn python(root: &Path) -> Option<PathBuf> {
    const MODULES: &str = "numpy, safetensors, mypy, onnxruntime";
    let own = root.join("target/python/bin/python");
    let has_modules = |python: &&PathBuf| {
        let output = Command::new(python)
            .args(["-c", "import onnxruntime, safetensors"])
            .output();
        output.is_ok_and(|output| output.status.success())
    };
    if let Some(python) = [&PathBuf::from("python3"), &own].into_iter().find(has_modules) {
        return Some(python.clone());
    }
    if std::env::var_os("CRATEDIGGER_PYTHON_TESTS").is_none_or(|value| value != "1") {
        println!("skipped: python3 has no onnxruntime; CRATEDIGGER_PYTHON_TESTS=1 installs it into target/python");
        return None;
    }
    let install = format!(
        "python3 -m venv target/python && target/python/bin/python -m pip install --quiet {}",
        MODULES.replace(',', "")
    );
    let status = Command::new("sh")
        .args(["-c", &install])
        .current_dir(root)
        .status()
        .unwrap();
    assert!(status.success(), "{install}");
    Some(own)
}

#[test]
fn onnxruntime_computes_the_scores_of_all_models() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let Some(python) = python(root) else { return };
    let directory = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let mut check = Command::new(python);
    check.arg(root.join("scripts/bench/onnx_check.py"));
    for (at, &kind) in ModelKind::ALL.iter().enumerate() {
        let (shape, model) = small_model(kind, 0.5, &device);
        let scores = match kind.description().task {
            Task::SingleLabel => SCORES,
            task => OnnxScores { task, ..SCORES },
        };
        let path = directory.path().join(kind.name());
        write_check(&model.map(&mut Hashed(at as u32)), &shape, scores, &path);
        check.arg(path);
    }
    let output = check.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    // Three outputs of each.
    assert_eq!(text.matches("agrees").count(), 3 * ModelKind::ALL.len());
}
