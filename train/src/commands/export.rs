//! `train export`: exports the best weights of a run, or of each run of a set, for other programs.

use super::Outcome;
use crate::cli::{ExportArgs, ExportFormat};
use crate::data::front_end_record::FrontEndRecord;
use crate::models::{Blueprint, InputShape, Model, ModelInput, OnnxScores};
use crate::models::{export_onnx, export_pytorch, import_weights};
use crate::process::console::Console;
use crate::run::calibration::Calibration;
use crate::run::directory::{BEST_FILE, RunDirectory};
use crate::run::set::RunSet;
use crate::settings::RunConfig;
use crate::step::batch;
use anyhow::Context;
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use shared::dataset::Task;
use shared::runtime::atomic_file;
use shared::runtime::output_file::check_directory;
use shared::runtime::rng::{Purpose, stream};
use shared::runtime::text::last_part;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

const PYTORCH_FILE: &str = "weights.safetensors";
const ONNX_FILE: &str = "model.onnx";
const CONFIG_FILE: &str = "config.json";
/// Input and output to check another implementation.
const CHECK_FILE: &str = "check.safetensors";
const CHECK_CLIPS: usize = 2;

/// Writes a run's weights in the format of another program, a description of the model, and a batch to check another
/// implementation. Each run of a set has a directory of its own.
pub fn run_export(args: ExportArgs, console: Console) -> anyhow::Result<Outcome> {
    check_directory("--out", &args.out)?;
    let runs: Vec<(PathBuf, PathBuf)> = match RunSet::open(&args.run)? {
        Some(set) => {
            let with_out = |run: PathBuf| (run.clone(), args.out.join(last_part(&run)));
            set.members(&args.run)
                .into_iter()
                .map(|member| with_out(member.path))
                .collect()
        }
        None => vec![(args.run.clone(), args.out.clone())],
    };
    for (run, out) in &runs {
        RunDirectory::open_network(run)?;
        refuse_other_format(args.format, out)?;
    }
    let texts = runs.iter().map(|(run, out)| export(run, out, args.format, console));
    Ok(Outcome {
        text: texts.collect::<anyhow::Result<Vec<_>>>()?.join("\n"),
        json: json!({ "command": "export", "run": args.run.to_string_lossy(), "out": args.out.to_string_lossy() }),
    })
}

/// Exports one run, and returns a line for each file.
fn export(root: &Path, out: &Path, format: ExportFormat, console: Console) -> anyhow::Result<String> {
    let (run, config) = RunDirectory::open_network(root)?;
    let record = FrontEndRecord::read(&run, &config)?;
    let temperature = Calibration::temperature(&run)?;
    let shape = *record.front_end(&config).shape();
    let device = Device::flex();
    let blueprint = Blueprint {
        shape,
        classes: config.classes.len(),
        dropout: config.dropout,
    };
    let (model, tensors) = import_weights(config.model.init(&blueprint, &device), &run.path(BEST_FILE))?;
    let description = describe(&config, &record, &shape, temperature);
    let scores = OnnxScores {
        task: record.task,
        temperature,
    };
    let weights = match format {
        ExportFormat::Pytorch => export_pytorch(&model),
        ExportFormat::Onnx => export_onnx(&model, &shape, scores, &properties(&description)),
    };
    let weights = weights.map_err(anyhow::Error::msg)?;
    let check = check(&model, &config, &shape, scores, &device)?;
    let mut text = serde_json::to_vec_pretty(&description)?;
    text.push(b'\n');
    fs::create_dir_all(out).with_context(|| format!("could not create {}", out.display()))?;
    // The weights are written last, so if they exist, the other files do too.
    let names = [CONFIG_FILE, CHECK_FILE, weights_file(format)];
    for (name, bytes) in names.into_iter().zip([&text, &check, &weights]) {
        atomic_file::write_bytes(&out.join(name), bytes)?;
    }
    console.line(&format!(
        "{tensors} tensors of {} from {}",
        config.model,
        root.display()
    ));
    let [config, check, weights] = names.map(|name| out.join(name).display().to_string());
    Ok(format!("weights {weights}\nconfig {config}\ncheck {check}"))
}

fn weights_file(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Pytorch => PYTORCH_FILE,
        ExportFormat::Onnx => ONNX_FILE,
    }
}

/// Refuses a directory with an export in another format, whose weights would be next to the settings of this one.
fn refuse_other_format(format: ExportFormat, out: &Path) -> anyhow::Result<()> {
    let other = out.join(match format {
        ExportFormat::Pytorch => ONNX_FILE,
        ExportFormat::Onnx => PYTORCH_FILE,
    });
    anyhow::ensure!(
        !other.exists(),
        "{} is an export in another format; give another directory to `--out`",
        other.display()
    );
    Ok(())
}

/// `config.json`.
fn describe(config: &RunConfig, record: &FrontEndRecord, shape: &InputShape, temperature: f64) -> Value {
    let inputs = config.model.description().input.shapes(shape).into_iter();
    let inputs: serde_json::Map<String, Value> = inputs.map(|(name, shape)| (name.to_owned(), json!(shape))).collect();
    json!({
        "model": config.model,
        "task": record.task,
        "classes": config.classes,
        "input": inputs,
        "output": "logits; probabilities are the softmax (single-label) or sigmoid (multi-label) of logits / temperature",
        "temperature": temperature,
        "features": record.features,
        "normalize": config.normalize,
        "normalization": record.normalization,
        "pcm8": config.pcm8,
        "statistics": config.statistics,
        "statistics_scale": record.statistics,
        "data_checksum": config.data_checksum,
        "split": config.split,
        "imported_from": config.imported_from,
        "program": concat!("train ", env!("CARGO_PKG_VERSION")),
    })
}

/// The fields of a description, as text or as JSON.
fn properties(description: &Value) -> Vec<(String, String)> {
    let fields = description.as_object().into_iter().flatten();
    fields
        .map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })
        .collect()
}

/// Random input with a fixed seed, uniform between -1 and 1, and the resulting embeddings, logits and probabilities.
fn check(
    model: &Model,
    config: &RunConfig,
    shape: &InputShape,
    scores: OnnxScores,
    device: &Device,
) -> anyhow::Result<Vec<u8>> {
    let mut rng = stream(0, 0, 0, Purpose::NoiseSamples);
    let mut named: Vec<(&str, Vec<usize>, Vec<f32>)> = Vec::new();
    for (name, shape) in config.model.description().input.shapes(shape) {
        let shape = [&[CHECK_CLIPS], &shape[..]].concat();
        let values = (0..shape.iter().product())
            .map(|_| rng.random_range(-1.0..1.0))
            .collect();
        named.push((name, shape, values));
    }
    let data = |input: &str| {
        let found = named.iter().find(|(name, ..)| *name == input);
        found.map(|(_, shape, values)| TensorData::new(values.clone(), shape.clone()))
    };
    let input = ModelInput {
        waveform: data("waveform").map(|data| Tensor::from_data(data, device)),
        spectrogram: data("spectrogram").map(|data| Tensor::from_data(data, device)),
        statistics: data("statistics").map(|data| Tensor::from_data(data, device)),
    };
    let embeddings = model.embed(input);
    let logits = model.classify(embeddings.clone());
    let divided = logits.clone() / scores.temperature;
    let probabilities = match scores.task {
        Task::SingleLabel => softmax(divided, 1),
        Task::MultiLabel => sigmoid(divided),
    };
    for (name, output) in [
        ("embeddings", embeddings),
        ("logits", logits),
        ("probabilities", probabilities),
    ] {
        named.push((name, output.dims().to_vec(), batch::to_host(output)?));
    }
    let views = named.iter().map(|(name, shape, values)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values));
        Ok((
            format!("check.{name}"),
            view.context("the size of a tensor does not match its shape")?,
        ))
    });
    let views: Vec<_> = views.collect::<anyhow::Result<_>>()?;
    let metadata = HashMap::from([("model".to_owned(), config.model.name().to_owned())]);
    safetensors::serialize(views, Some(metadata)).context("the check cannot be written as safetensors")
}
