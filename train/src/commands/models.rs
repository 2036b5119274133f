//! `train models`: the table of all models, or one model in detail.

use super::Outcome;
use crate::models::{Blueprint, Defaults, Description, InputKind, InputShape, Layer, Model, ModelKind};
use crate::process::text_table::terminal_width;
use crate::report::published::{PublishedMetric, published_of_model};
use burn::tensor::Device;
use serde_json::{Value, json};
use shared::dataset::Task;
use shared::runtime::text::grouped;

/// Classes of the models that are shown: the genres of the FMA's small subset.
const CLASSES: usize = 8;

pub fn run_models(name: Option<ModelKind>) -> Outcome {
    name.map_or_else(all, |kind| one(kind, terminal_width().unwrap_or(usize::MAX)))
}

fn all() -> Outcome {
    let models: Vec<ListedModel> = ModelKind::ALL.iter().map(|&kind| ListedModel::new(kind)).collect();
    let json: Vec<Value> = models.iter().map(ListedModel::json).collect();
    Outcome {
        text: list(models),
        json: json!({ "command": "models", "models": json }),
    }
}

/// A row of the table of all models.
struct ListedModel {
    description: &'static Description,
    parameters: usize,
    input: String,
}

impl ListedModel {
    fn new(kind: ModelKind) -> Self {
        let description = kind.description();
        Self {
            description,
            parameters: build(kind).trainable_parameters(),
            input: description.input.describe(),
        }
    }

    fn json(&self) -> Value {
        let Description {
            name,
            paper,
            summary,
            task,
            paper_seconds,
            ..
        } = self.description;
        json!({ "name": name, "paper": paper, "task": task, "parameters": self.parameters, "input": self.input,
                "clip_seconds": paper_seconds, "summary": summary })
    }

    fn line(&self) -> String {
        let clip = self
            .description
            .paper_seconds
            .map_or("track".to_owned(), |seconds| format!("{seconds:.1} s"));
        format!(
            "{:<25} {:>10}  {:<23}  {clip:>6}",
            self.description.name,
            grouped(self.parameters as u64),
            self.input
        )
    }
}

/// The models by the task of their papers, the smallest first.
fn list(mut models: Vec<ListedModel>) -> String {
    models.sort_by_key(|model| model.parameters);
    let mut text = format!("{:<25} {:>10}  {:<23}  {:>6}", "model", "parameters", "input", "clip");
    for (task, title) in [
        (Task::SingleLabel, "One label per track"),
        (Task::MultiLabel, "Several labels per track"),
    ] {
        text += &format!("\n\n{title}");
        for model in models.iter().filter(|model| model.description.task == task) {
            text += &format!("\n{}", model.line());
        }
    }
    text + &format!(
        "\n\nTask and clip are those of the paper; every model trains on both kinds of data.\n\
         Parameters are for {CLASSES} classes. `train models NAME` shows the settings of one."
    )
}

fn one(kind: ModelKind, width: usize) -> Outcome {
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
    let published = published_of_model(kind);
    let mut lines = vec![("paper", (*paper).to_owned()), ("input", input.clone())];
    if let Some(features) = description.features {
        let (preset, samples) = (features.preset, features.clip_samples);
        lines.push(("features", format!("--features {preset} --clip-samples {samples}")));
    }
    lines.push((
        "parameters",
        format!("{count}, with {CLASSES} classes and the paper's clip length"),
    ));
    lines.extend(
        settings
            .iter()
            .map(|(name, value)| ("defaults", format!("{name} {value}"))),
    );
    lines.extend(published_lines(&published).into_iter().map(|line| ("published", line)));
    let text = [
        hanging("", &format!("{name}: {summary}"), width),
        labelled(&lines, width),
        table(&layers, width),
    ]
    .join("\n\n");
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

/// Lines after their labels, of which equal ones are written once.
fn labelled(lines: &[(&str, String)], width: usize) -> String {
    let mut texts = Vec::new();
    for group in lines.chunk_by(|a, b| a.0 == b.0) {
        for (at, (label, line)) in group.iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            texts.push(hanging(&format!("{label:<11} "), line, width));
        }
    }
    texts.join("\n")
}

/// `text` after `head`, with further lines below the first.
fn hanging(head: &str, text: &str, width: usize) -> String {
    let indent = " ".repeat(head.len());
    let options = textwrap::Options::new(width)
        .initial_indent(head)
        .subsequent_indent(&indent);
    // Names of models and parameters stay whole.
    let options = options.word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options.break_words(false))
}

/// A line per variant, data, split and source of the published metrics.
fn published_lines(published: &[PublishedMetric]) -> Vec<String> {
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
    groups
        .iter()
        .map(|(name, values)| format!("{} ({name})", values.join(", ")))
        .collect()
}

fn table(layers: &[Layer], width: usize) -> String {
    let names = layers.iter().map(|layer| layer.name.len());
    let widest = names.chain(["layer".len()]).max().unwrap_or(0);
    let mut lines = vec![format!("{:<widest$} {:>10}  shapes", "layer", "parameters")];
    for layer in layers {
        let shapes = layer.parameters.iter();
        let shapes: Vec<String> = shapes.map(|(name, shape)| format!("{name} {shape:?}")).collect();
        let head = format!("{:<widest$} {:>10}  ", layer.name, layer.parameter_count());
        lines.push(hanging(&head, &shapes.join(", "), width));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use shared::dsp::feature_preset::FeaturePreset;

    #[test]
    fn list_has_every_model_within_80_columns() {
        let Outcome { text, .. } = all();
        let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{long:#?}");
        for &kind in ModelKind::ALL {
            let named = text.lines().filter(|line| line.split(' ').next() == Some(kind.name()));
            assert_eq!(named.count(), 1, "{kind}");
        }
    }

    #[test]
    fn models_in_detail_fit_80_columns() {
        for &kind in ModelKind::ALL {
            let Outcome { text, .. } = one(kind, 80);
            let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
            assert!(long.is_empty(), "{kind}: {long:#?}");
            let words = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
            assert_eq!(words(&text), words(&one(kind, usize::MAX).text), "{kind}");
        }
    }

    #[test]
    fn clip_length_is_that_of_the_published_features() {
        for &kind in ModelKind::ALL {
            let description = kind.description();
            let Some(features) = description.features else { continue };
            let preset = FeaturePreset::from_str(features.preset, false).unwrap().config();
            let seconds = features.clip_samples as f64 / f64::from(preset.sample_rate);
            assert_eq!(description.paper_seconds, Some(seconds), "{kind}");
        }
    }
}
