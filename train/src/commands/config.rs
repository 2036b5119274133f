//! `train config`.

use super::{Outcome, UsageError};
use crate::cli::ConfigArgs;
use crate::settings::{Settings, template};
use serde_json::json;

/// Where a settings file names no data set, or no weights although the model wants some, one has to be thought of to
/// resolve the rest.
const DATA: &str = "DATASET";
const WEIGHTS: &str = "WEIGHTS.pt";

pub fn run_config(args: ConfigArgs) -> anyhow::Result<Outcome> {
    let named = args.settings.data.is_some();
    let needs_weights = args
        .settings
        .model
        .is_some_and(|model| model.description().needs_weights);
    let settings = args.settings.or(Settings {
        data: Some(DATA.into()),
        init_from: needs_weights.then(|| WEIGHTS.into()),
        ..Settings::default()
    });
    let config = settings.resolve().map_err(UsageError::from)?;
    Ok(Outcome {
        // Its last line has an end of its own.
        text: template(&config, named).trim_end().to_owned(),
        json: json!({ "command": "config", "settings": config }),
    })
}
