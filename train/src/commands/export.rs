//! `train export`: exports a run's best weights for other programs.

use super::Outcome;
use crate::cli::ExportArgs;
use crate::data::front_end_record::FrontEndRecord;
use crate::models::{Blueprint, InputKind, InputShape, Model, ModelInput, export_pytorch, import_weights};
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::run::directory::{BEST_FILE, RunDirectory};
use crate::settings::RunConfig;
use crate::step::batch;
use anyhow::Context;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use shared::runtime::atomic_file;
use shared::runtime::rng::{Purpose, stream};
use std::collections::HashMap;
use std::fs;

const WEIGHTS_FILE: &str = "weights.safetensors";
const CONFIG_FILE: &str = "config.json";
/// Input and output to check another implementation.
const CHECK_FILE: &str = "check.safetensors";
const CHECK_CLIPS: usize = 2;

/// Writes a run's weights with PyTorch's names and layouts, a description of the model, and a batch to check another
/// implementation.
pub fn run_export(args: ExportArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    let (run, config) = RunDirectory::open_network(&args.run)?;
    // The data set is needed if the run has no record of its front end.
    watch.dataset(&config.data);
    watch.advise("run the same command again");
    let record = FrontEndRecord::read(&run, &config)?;
    let shape = *record.front_end(&config).shape();
    let device = Device::flex();
    let blueprint = Blueprint {
        shape,
        classes: config.classes.len(),
        dropout: config.dropout,
    };
    let (model, tensors) = import_weights(config.model.init(&blueprint, &device), &run.path(BEST_FILE))?;
    let weights = export_pytorch(&model).map_err(anyhow::Error::msg)?;
    let check = check(&model, &config, &shape, &device)?;
    let mut text = serde_json::to_vec_pretty(&describe(&config, &record, &shape))?;
    text.push(b'\n');
    fs::create_dir_all(&args.out).with_context(|| format!("could not create {}", args.out.display()))?;
    // The weights are written last, so if they exist, the other files do too.
    for (name, bytes) in [(CONFIG_FILE, &text), (CHECK_FILE, &check), (WEIGHTS_FILE, &weights)] {
        atomic_file::write_bytes(&args.out.join(name), bytes)?;
    }
    console.line(&format!(
        "{tensors} tensors of {} from {}",
        config.model,
        args.run.display()
    ));
    let files = [WEIGHTS_FILE, CONFIG_FILE, CHECK_FILE].map(|name| args.out.join(name).display().to_string());
    Ok(Outcome {
        text: format!("weights {}\nconfig {}\ncheck {}", files[0], files[1], files[2]),
        json: json!({ "command": "export", "run": args.run.to_string_lossy(), "out": args.out.to_string_lossy() }),
    })
}

/// `config.json`.
fn describe(config: &RunConfig, record: &FrontEndRecord, shape: &InputShape) -> Value {
    let input = config.model.description().input;
    let inputs: serde_json::Map<String, Value> = shapes(input, shape, 1)
        .into_iter()
        .map(|(name, shape)| (name.to_owned(), json!(shape[1..])))
        .collect();
    json!({
        "model": config.model,
        "task": record.task,
        "classes": config.classes,
        "input": inputs,
        "output": "logits; probabilities are their softmax (single-label) or sigmoid (multi-label)",
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

/// Names and shapes of a model's inputs, in the order of its arguments.
fn shapes(input: InputKind, shape: &InputShape, clips: usize) -> Vec<(&'static str, Vec<usize>)> {
    let [rows, columns] = shape.spectrogram;
    let waveform = input.waveform.map(|_| ("waveform", vec![clips, 1, shape.samples]));
    let spectrogram = input
        .spectrogram
        .map(|_| ("spectrogram", vec![clips, 1, rows, columns]));
    let statistics = input.statistics.then(|| ("statistics", vec![clips, shape.statistics]));
    [waveform, spectrogram, statistics].into_iter().flatten().collect()
}

/// Random input with a fixed seed, uniform between -1 and 1, and the resulting logits.
fn check(model: &Model, config: &RunConfig, shape: &InputShape, device: &Device) -> anyhow::Result<Vec<u8>> {
    let mut rng = stream(0, 0, 0, Purpose::NoiseSamples);
    let mut named: Vec<(&str, Vec<usize>, Vec<f32>)> = Vec::new();
    for (name, shape) in shapes(config.model.description().input, shape, CHECK_CLIPS) {
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
    let logits = batch::to_host(model.forward(input))?;
    named.push(("logits", vec![CHECK_CLIPS, config.classes.len()], logits));
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
