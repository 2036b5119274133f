//! `train models`.

use super::Outcome;
use crate::models::{Blueprint, ModelKind};
use burn::tensor::Device;
use serde_json::json;

pub fn run_models() -> Outcome {
    // Parameters are counted as the paper has them: for its clips and a data set of 8 genres.
    let parameters = |kind: ModelKind| {
        let description = kind.description();
        let blueprint = Blueprint {
            shape: description.usual_shape,
            classes: MODELS_CLASSES,
            dropout: description.defaults.dropout,
        };
        kind.init(&blueprint, &Device::flex().autodiff()).trainable_parameters()
    };
    let widest = ModelKind::ALL.iter().map(|kind| kind.name().len()).max().unwrap_or(0);
    let mut text = format!("{:<widest$} {:>12}  {:<24} what it is", "model", "parameters", "input");
    let (mut list, mut paper) = (Vec::new(), "");
    for &kind in ModelKind::ALL {
        let description = kind.description();
        if description.paper != paper {
            paper = description.paper;
            text += &format!("\n{paper}");
        }
        let (name, summary) = (description.name, description.summary);
        let (count, input) = (parameters(kind), description.input.describe());
        text += &format!("\n{name:<widest$} {count:>12}  {input:<24} {summary}");
        list.push(json!({ "name": name, "paper": paper, "parameters": count, "input": input, "summary": summary }));
    }
    text += &format!("\nParameters are those of {MODELS_CLASSES} classes and the paper's clips.");
    Outcome {
        text,
        json: json!({ "command": "models", "models": list }),
    }
}

/// Classes for which `train models` counts parameters.
const MODELS_CLASSES: usize = 8;
