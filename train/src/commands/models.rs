//! `train models`: the table of all models, or one model in detail.

use super::Outcome;
use crate::models::{Blueprint, Defaults, Description, InputKind, InputShape, Layer, Model, ModelKind};
use crate::report::published::{PublishedMetric, published_of_model};
use burn::tensor::Device;
use serde_json::{Value, json};

/// Classes of the models that are shown: the genres of the FMA's small subset.
const CLASSES: usize = 8;

pub fn run_models(name: Option<ModelKind>) -> Outcome {
    name.map_or_else(all, one)
}

fn all() -> Outcome {
    let widest = ModelKind::ALL.iter().map(|kind| kind.name().len()).max().unwrap_or(0);
    let mut text = format!(
        "{:<widest$} {:>12}  {:<24} architecture",
        "model", "parameters", "input"
    );
    let (mut list, mut paper) = (Vec::new(), "");
    for &kind in ModelKind::ALL {
        let description = kind.description();
        if description.paper != paper {
            paper = description.paper;
            text += &format!("\n{paper}");
        }
        let (name, summary) = (description.name, description.summary);
        let (count, input) = (build(kind).trainable_parameters(), description.input.describe());
        text += &format!("\n{name:<widest$} {count:>12}  {input:<24} {summary}");
        list.push(json!({ "name": name, "paper": paper, "parameters": count, "input": input, "summary": summary }));
    }
    text += &format!("\nParameters are counted for {CLASSES} classes and the paper's clip length.");
    Outcome {
        text,
        json: json!({ "command": "models", "models": list }),
    }
}

fn one(kind: ModelKind) -> Outcome {
    let (description, model) = (kind.description(), build(kind));
    let Description {
        name,
        paper,
        summary,
        defaults,
        ..
    } = description;
    let (layers, count) = (model.layers(), model.trainable_parameters());
    let input = format!(
        "{}: {}",
        description.input.describe(),
        shapes(description.input, &description.usual_shape)
    );
    let settings = settings(defaults);
    let mut text = format!("{name}: {summary}\n\npaper       {paper}\ninput       {input}\n");
    if let Some(features) = description.features {
        let (preset, samples) = (features.preset, features.clip_samples);
        text += &format!("features    --features {preset} --clip-samples {samples}\n");
    }
    text += &format!("parameters  {count}, with {CLASSES} classes and the paper's clip length\n");
    for (at, (name, value)) in settings.iter().enumerate() {
        text += &format!("{:<11} {name} {value}\n", if at == 0 { "defaults" } else { "" });
    }
    let published = published_of_model(kind);
    text += &published_lines(&published);
    text += &format!("\n{}", table(&layers));
    let settings: serde_json::Map<String, Value> = settings
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    Outcome {
        text,
        json: json!({ "command": "models", "name": name, "paper": paper, "summary": summary, "input": input,
                      "features": description.features.map(|features| features.preset), "parameters": count, "defaults": settings, "published": published, "layers": layers }),
    }
}

/// The model at the paper's input shape, newly initialized.
fn build(kind: ModelKind) -> Model {
    let description = kind.description();
    let blueprint = Blueprint {
        shape: description.usual_shape,
        classes: CLASSES,
        dropout: description.defaults.dropout,
    };
    kind.init(&blueprint, &Device::flex().autodiff())
}

/// The shape of each input that the model takes, without the batch.
fn shapes(input: InputKind, shape: &InputShape) -> String {
    let shapes = input.shapes(shape).into_iter();
    let shapes: Vec<String> = shapes.map(|(_, shape)| format!("{shape:?}")).collect();
    shapes.join(" and ")
}

/// The settings of `train fit` that the paper determines.
fn settings(defaults: &Defaults) -> Vec<(&'static str, String)> {
    let list = |patterns: &[&str]| match patterns {
        [] => "none".to_owned(),
        patterns => patterns.join(","),
    };
    let l2: Vec<String> = defaults
        .l2
        .iter()
        .map(|(pattern, lambda)| format!("{pattern}={lambda}"))
        .collect();
    let l2: Vec<&str> = l2.iter().map(String::as_str).collect();
    vec![
        ("epochs", defaults.epochs.to_string()),
        ("batch_size", defaults.batch_size.to_string()),
        ("optimizer", defaults.optimizer.to_string()),
        ("lr", defaults.lr.to_string()),
        ("weight_decay", defaults.weight_decay.to_string()),
        ("l2", list(&l2)),
        ("dropout", defaults.dropout.to_string()),
        ("augment", defaults.augment.to_string()),
        ("patience", defaults.patience.to_string()),
        ("monitor", defaults.monitor.name()),
        ("freeze", list(defaults.freeze)),
    ]
}

/// A line per variant, data, split and source of the published metrics.
fn published_lines(published: &[PublishedMetric]) -> String {
    let group = |row: &PublishedMetric| {
        let model = row
            .model
            .split_once('+')
            .map_or(String::new(), |(_, variant)| format!("{variant}, "));
        let note = if row.note.is_empty() {
            String::new()
        } else {
            format!(", {}", row.note)
        };
        format!("{model}{}, {} split{note}, {}", row.data, row.split, row.source)
    };
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for row in published {
        let (name, value) = (group(row), format!("{} {}", row.metric, row.value));
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => groups.push((name, vec![value])),
        }
    }
    let mut text = String::new();
    for (at, (name, values)) in groups.iter().enumerate() {
        text += &format!(
            "{:<11} {} ({name})\n",
            if at == 0 { "published" } else { "" },
            values.join(", ")
        );
    }
    text
}

fn table(layers: &[Layer]) -> String {
    let widest = layers
        .iter()
        .map(|layer| layer.name.len())
        .max()
        .unwrap_or(0)
        .max("layer".len());
    let mut table = format!("{:<widest$} {:>10}  shapes", "layer", "parameters");
    for layer in layers {
        let shapes: Vec<String> = layer
            .parameters
            .iter()
            .map(|(name, shape)| format!("{name} {shape:?}"))
            .collect();
        table += &format!(
            "\n{:<widest$} {:>10}  {}",
            layer.name,
            layer.parameter_count(),
            shapes.join(", ")
        );
    }
    table
}
