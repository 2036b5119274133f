//! The commands: arguments as typed enter; they are resolved and checked, the work is done, its result is printed.

mod bench;
mod config;
mod eval;
mod eval_run;
mod eval_set;
mod export;
mod features;
mod fit;
mod fit_run;
mod fit_set;
mod members_table;
mod predict;
mod predictions_table;
mod report;
mod sweep;

pub use bench::run_bench;
pub use config::run_config;
pub use eval::run_eval;
pub use export::run_export;
pub use features::run_features;
pub use fit::run_fit;
pub use predict::run_predict;
pub use report::run_report;
pub use sweep::run_sweep;

use crate::models::{Blueprint, ModelKind};
use crate::settings::InvalidSetting;
use burn::tensor::Device;
use serde_json::json;
pub(crate) use shared::runtime::outcome::{Incomplete, Outcome};

/// A mistake in the arguments, as opposed to work that failed.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A setting is missing or impossible.
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    /// A device's name is none.
    #[error(transparent)]
    Device(#[from] crate::settings::device::DeviceError),
    /// What is to be swept cannot be.
    #[error(transparent)]
    Sweep(#[from] crate::sweep::SpecificationError),
    /// The settings file is not one.
    #[error("{path}: {detail}")]
    ConfigFile {
        path: String,
        /// What is wrong with it.
        detail: String,
    },
}

/// `train models`.
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
